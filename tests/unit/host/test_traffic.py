"""The checker counts sectors, requests and bank conflicts exactly."""

from __future__ import annotations

import numpy as np
import pytest

from fstc.build.host import HostLibrary
from fstc.build.host_check import BufferTraffic, CheckReport, LineTraffic
from tests.unit.host.conftest import Build, kernel, line_of


def on_line(report: CheckReport, mark: str, buffer: str) -> LineTraffic:
    (found,) = (r for r in report.lines if r.line == line_of(kernel(report.kernel), mark) and r.buffer == buffer)
    return found


@pytest.fixture(scope="module")
def stream(checked: HostLibrary) -> CheckReport:
    x, wide, y = np.ones(512, np.float32), np.ones(2052, np.float32), np.empty(512, np.float32)
    report = checked.check("stream", [x, wide, y], ["x", "wide", "y"], [True, True, False])
    assert report.fault is None and (y == 4.0).all()
    return report


def test_coalesced(stream: CheckReport) -> None:
    line = on_line(stream, "coalesced", "x")
    assert (line.requests, line.lanes, line.bytes, line.sectors) == (16, 512, 2048, 64)
    assert stream.buffers["y"] == BufferTraffic(
        write_sectors=64, block_write_sectors=64, write_requests=16, write_request_sectors=64
    )


def test_strided(stream: CheckReport) -> None:
    line = on_line(stream, "strided", "x")
    assert (line.requests, line.sectors, line.sectors_per_request) == (16, 512, 32.0)
    # Each block reads all 64 sectors (stride 8 floats), its own coalesced 8 among them.
    assert stream.buffers["x"].read_sectors == 64 and stream.buffers["x"].block_read_sectors == 8 * 64
    assert stream.buffers["x"].bytes == 2048 and stream.buffers["x"].l2_bytes == 7 * 2048


def test_vectors_that_straddle_sectors(stream: CheckReport) -> None:
    line = on_line(stream, "vector", "wide")
    # 512 bytes a warp from 16 bytes into a sector: 17 sectors. One request, although GCC would split it.
    assert (line.requests, line.lanes, line.bytes, line.sectors) == (16, 512, 8192, 16 * 17)
    # 8192 bytes from offset 16 touch 257 sectors; neighbouring blocks share one.
    assert stream.buffers["wide"].read_sectors == 257 and stream.buffers["wide"].block_read_sectors == 8 * 33


def test_aligned_vectors(build: Build) -> None:
    library = build([kernel("stream", ("SHIFT 4", "SHIFT 0"))], checked=True)
    buffers = [np.ones(512, np.float32), np.ones(2048, np.float32), np.empty(512, np.float32)]
    report = library.check("stream", buffers, ["x", "wide", "y"], [True, True, False])
    assert report.buffers["wide"].read_sectors == report.buffers["wide"].block_read_sectors == 256
    assert on_line(report, "vector", "wide").sectors_per_request == 16.0


@pytest.mark.parametrize(("pitch", "conflicts"), [(33, 0), (32, 31), (34, 1), (36, 3)])
def test_bank_conflicts_of_a_transposition(build: Build, pitch: int, conflicts: int) -> None:
    code = kernel("transpose", ("PITCH 33", f"PITCH {pitch}"), name=f"transpose_{pitch}")
    code = type(code)(code.symbol, code.source, code.grid, code.block, pitch * 32 * 4, code.params, code.name)
    x, y = np.random.default_rng(1).random((64, 64), np.float32), np.empty((64, 64), np.float32)
    report = build([code], checked=True).check(code.name, [x, y], ["x", "y"], [True, False])
    assert report.fault is None
    np.testing.assert_array_equal(y, x.T)
    fill, drain = (
        next(r for r in report.lines if r.buffer == "shared memory" and r.line == line_of(code, mark))
        for mark in ("fill", "drain")
    )
    assert (fill.requests, fill.wavefronts, fill.bank_conflicts) == (128, 128, 0)
    assert (drain.requests, drain.wavefronts, drain.bank_conflicts) == (128, 128 * (1 + conflicts), 128 * conflicts)
    assert report.bank_conflicts == 128 * conflicts
    assert report.bytes == 2 * 64 * 64 * 4 and report.l2_bytes == 0


def test_counts_do_not_depend_on_the_order(checked: HostLibrary) -> None:
    x, y = np.ones((3, 1000), np.float32), np.empty((3, 2), np.float32)
    reports = [
        checked.check("rowsum", [x, y], ["x", "y"], [True, False], order=order) for order in ("forward", "warp-reverse")
    ]
    assert reports[0].buffers == reports[1].buffers and reports[0].lines == reports[1].lines
    # The second pass reads again what the first one read: once a block.
    assert reports[0].buffers["x"].read_sectors == reports[0].buffers["x"].block_read_sectors == 375
    assert reports[0].buffers["x"].read_requests == 3 * 2 * 32
