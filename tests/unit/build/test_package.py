"""Building and reading packages: sharing, stability, findings, and files that are not to be trusted."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from build_example import HEADERS, device_build, kernel, scale_source, spilling_source

from fstc.build.cache import Cache
from fstc.build.compile import Progress
from fstc.build.package import DATE, Package, pack
from fstc.build.run import Built, ConstantsFile, build
from fstc.codegen.artefact import Origin
from fstc.plan.artefact import Plan
from fstc.support.artefact import decode
from fstc.support.diagnostics import FstcError
from fstc.support.files import sha256

pytestmark = pytest.mark.nvrtc
GRAPH = b'{"kind": "graph"}\n'


@pytest.fixture(scope="module")
def built() -> Built:
    source = {"k": scale_source("k")}
    constants = [
        ConstantsFile("the weights/\u00fc.safetensors", sha256(b"data"), 4, b"data"),
        ConstantsFile("big.safetensors", "0" * 64, 9),
    ]
    return build(
        GRAPH,
        [device_build("h200", source), device_build("a100", source)],
        headers=HEADERS,
        constants=constants,
        ptx=True,
    )


def code_of(make: Callable[[], object]) -> str:
    with pytest.raises(FstcError) as caught:
        make()
    return caught.value.diagnostics[0].code


def test_what_goes_in_comes_out(built: Built) -> None:
    with Package.from_bytes(built.package) as package:
        assert package.graph() == GRAPH
        assert package.devices == ("h200", "a100")
        entry = package.device("a100")
        assert decode(package.plan(entry), Plan, "p").device == "a100"
        assert package.codegen(entry).kernels[0].symbol == "k"
        assert package.sources(entry) == {"kernels/k.cu": scale_source("k")}
        assert package.cubins(entry)["k"].startswith(b"\x7fELF")
        assert package.constant("the weights/\u00fc.safetensors") == b"data"
        assert package.constant("big.safetensors") is None
        assert b".entry k" in package.read(entry.kernels[0].ptx)
        assert entry.kernels[0].compiled.parameters == 16
        assert package.manifest == built.manifest


def test_the_zip_is_plain_and_dated_alike(built: Built) -> None:
    with zipfile.ZipFile(io.BytesIO(built.package)) as archive:
        infos = archive.infolist()
        assert archive.testzip() is None
    assert [i.filename for i in infos] == sorted(i.filename for i in infos)
    assert {i.date_time for i in infos} == {DATE}
    assert {i.compress_type for i in infos} == {zipfile.ZIP_STORED}


def test_equal_input_gives_equal_bytes_cold_or_warm(tmp_path: Path) -> None:
    sources = {f"k{i}": scale_source(f"k{i}", float(i)) for i in range(4)}
    devices = [device_build("h200", sources)]
    seen: list[Progress] = []
    cold = build(GRAPH, devices, headers=HEADERS, cache=Cache.open(tmp_path), jobs=2, progress=seen.append)
    warm = build(GRAPH, devices, headers=HEADERS, cache=Cache.open(tmp_path), jobs=1, frozen=True)
    assert cold.package == warm.package
    assert (cold.compiled, cold.cached, warm.compiled, warm.cached) == (4, 0, 0, 4)
    assert [p.done for p in seen] == [1, 2, 3, 4]
    assert not any(p.cached for p in seen)


def test_a_damaged_cache_entry_is_compiled_again(tmp_path: Path) -> None:
    devices = [device_build("h200", {"k": scale_source("k")})]
    first = build(GRAPH, devices, headers=HEADERS, cache=Cache.open(tmp_path))
    for path in tmp_path.glob("??/*"):
        path.write_bytes(path.read_bytes()[:-1])
    again = build(GRAPH, devices, headers=HEADERS, cache=Cache.open(tmp_path))
    assert (again.compiled, again.package) == (1, first.package)


def test_a_kernel_is_compiled_once_an_architecture() -> None:
    source = {"k": scale_source("k")}
    result = build(GRAPH, [device_build(name, source) for name in ("h100", "h200", "a100")], headers=HEADERS)
    assert result.compiled == 2
    h100, h200, a100 = result.manifest.devices
    assert h100.kernels[0].cubin == h200.kernels[0].cubin != a100.kernels[0].cubin


def test_what_a_key_depends_on(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path)
    one = [device_build("h200", {"k": scale_source("k")})]
    assert build(GRAPH, one, headers=HEADERS, cache=cache).compiled == 1
    assert build(GRAPH, one, headers={**HEADERS, "other.cuh": ""}, cache=cache).compiled == 1
    assert build(GRAPH, one, headers=HEADERS, options=("--std=c++17", "--ptxas-options=-v"), cache=cache).compiled == 1
    assert build(GRAPH, one, headers=HEADERS, cache=cache, ptx=True).compiled == 1
    assert build(GRAPH, one, headers=HEADERS, cache=cache).compiled == 0


def test_frozen_compiles_nothing(tmp_path: Path) -> None:
    devices = [device_build("h200", {"k": scale_source("k")})]
    assert code_of(lambda: build(GRAPH, devices, headers=HEADERS, cache=Cache.open(tmp_path), frozen=True)) == "FST0506"


def test_spills_and_lost_occupancy_are_findings() -> None:
    text = spilling_source("s")
    result = build(GRAPH, [device_build("h200", {"s": text}, (kernel("s", text, block=1024, min_blocks=2),))])
    (finding,) = result.findings
    assert (finding.code, finding.kernel, finding.op, finding.device) == ("FST0510", "s", "%y = mul", "h200")
    assert "spills" in finding.message and "32 registers" in finding.message
    free = text.replace("__launch_bounds__(1024, 2)", "__launch_bounds__(512)")
    planned = device_build("h200", {"s": free}, (kernel("s", free, block=512),), registers=64, blocks_per_sm=2)
    result = build(GRAPH, [planned])
    assert [f.code for f in result.findings] == ["FST0512"]
    assert "planned 2" in result.findings[0].message
    (entry,) = result.manifest.devices[0].kernels
    assert (entry.planned.registers, entry.planned.blocks_per_sm, entry.planned.limiter) == (64, 2, "registers")
    assert entry.blocks_per_sm == 1 and entry.compiled.registers > 64


def test_a_spill_names_the_ops_of_its_lines() -> None:
    text = spilling_source("s")
    origins = (Origin(2, "%a = untouched"), Origin(5, "%b = load"), Origin(9, "%c = sum"), Origin(11, "%d = scale"))
    code = msgspec.structs.replace(kernel("s", text, block=1024, min_blocks=2), origins=origins)
    (finding,) = build(GRAPH, [device_build("h200", {"s": text}, (code,))]).findings
    assert set(finding.op.split("; ")) == {"%b = load", "%c = sum", "%d = scale"}


def test_a_stack_is_a_finding() -> None:
    body = (
        "float a[64] = {}; for (int j = 0; j < (int)p0[0]; ++j) a[(int)p0[j] & 63] += 1; q0[i] = a[(int)p0[i] & 63] +"
    )
    text = scale_source("k").replace("if (i < 1000u) q0[i] =", body)
    result = build(GRAPH, [device_build("h200", {"k": text})], headers=HEADERS)
    assert [f.code for f in result.findings] == ["FST0511"]


def test_a_launch_that_the_kernel_cannot_take() -> None:
    text = scale_source("k")
    large = device_build("h200", {"k": text}, (kernel("k", text, block=512),))
    assert code_of(lambda: build(GRAPH, [large], headers=HEADERS)) == "FST0505"
    renamed = device_build("h200", {"other": text}, (kernel("other", text),))
    assert code_of(lambda: build(GRAPH, [renamed], headers=HEADERS)) == "FST0505"


def test_changed_or_missing_sources_are_stale() -> None:
    entry = device_build("h200", {"k": scale_source("k")})
    assert code_of(lambda: build(GRAPH, [replace(entry, sources={"kernels/k.cu": "//"})])) == "FST0007"
    assert code_of(lambda: build(GRAPH, [replace(entry, sources={})])) == "FST0007"


def test_a_plan_of_other_kernels_is_stale() -> None:
    one, two = ({name: scale_source(name) for name in names} for names in (("a",), ("a", "b")))
    entry = replace(device_build("h200", one), plan=device_build("h200", two).plan)
    assert code_of(lambda: build(GRAPH, [entry], headers=HEADERS)) == "FST0007"


def test_every_refused_kernel_is_reported_with_its_bundle(tmp_path: Path) -> None:
    sources = {name: scale_source(name).replace("FST_SCALE", "FST_NONE") for name in ("a", "b")}
    with pytest.raises(FstcError) as caught:
        build(GRAPH, [device_build("h200", {**sources, "c": scale_source("c")})], headers=HEADERS, bundle=tmp_path)
    assert [d.label.span.source.name for d in caught.value.diagnostics if d.label] == ["kernels/a.cu", "kernels/b.cu"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a-sm_90", "b-sm_90"]


def test_a_mistake_is_told_once_for_all_architectures() -> None:
    source = {"a": scale_source("a").replace("FST_SCALE", "FST_NONE")}
    with pytest.raises(FstcError) as caught:
        build(GRAPH, [device_build(name, source) for name in ("h200", "a100")], headers=HEADERS)
    assert len(caught.value.diagnostics) == 1


def test_a_device_that_nvrtc_does_not_know() -> None:
    assert code_of(lambda: build(GRAPH, [device_build("v100", {"k": scale_source("k")})])) == "FST0504"


def test_choosing_the_entry_for_a_chip(built: Built) -> None:
    with Package.from_bytes(built.package) as package:
        entry, note = package.choose("sm_90", 132, 232448, "NVIDIA H200")
        assert (entry.name, note) == ("h200", "")
        entry, note = package.choose("sm_90", 78, 232448, "NVIDIA GH20")
        assert entry.name == "h200" and "78 SMs" in note
        assert code_of(lambda: package.choose("sm_90", 132, 100_000)) == "FST0522"
        assert code_of(lambda: package.choose("sm_100", 148, 232448)) == "FST0522"
        assert code_of(lambda: package.device("b200")) == "FST0522"
        assert code_of(lambda: package.device()) == "FST0522"


def test_threads_read_one_package(built: Built) -> None:
    with Package.from_bytes(built.package) as package:
        names = sorted(package.manifest.entries) * 20
        with ThreadPoolExecutor(8) as pool:
            contents = list(pool.map(package.read, names))
        assert all(sha256(c) == package.manifest.entries[n] for n, c in zip(names, contents, strict=True))


def test_a_file_on_disk(built: Built, tmp_path: Path) -> None:
    (tmp_path / "k.fpk").write_bytes(built.package)
    with Package.open(tmp_path / "k.fpk") as package:
        assert package.graph() == GRAPH
    assert code_of(lambda: Package.open(tmp_path / "none.fpk")) == "FST0001"
    assert code_of(lambda: Package.open(tmp_path)) == "FST0001"


def changed(built: Built, edit: Callable[[dict[str, bytes]], None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(built.package)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    edit(entries)
    return pack(entries)


def write_zip(*entries: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return buffer.getvalue()


def test_cut_off_anywhere(built: Built) -> None:
    for size in [*range(0, len(built.package) - 1, 997), len(built.package) - 1]:
        assert code_of(lambda size=size: Package.from_bytes(built.package[:size])) in ("FST0520", "FST0521")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x7fELF" + bytes(100), b"{}", bytes(70_000)])
def test_foreign_files(data: bytes) -> None:
    assert code_of(lambda: Package.from_bytes(data)) == "FST0520"


def test_foreign_zips() -> None:
    assert code_of(lambda: Package.from_bytes(write_zip(("readme.txt", b"hello")))) == "FST0520"
    assert code_of(lambda: Package.from_bytes(write_zip(("manifest.json", b"{}")))) == "FST0004"
    assert code_of(lambda: Package.from_bytes(write_zip(("manifest.json", b"[" * 100_000)))) == "FST0004"


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/../../b", "a\\b", "C:evil", "a//b", "a/", "\u00e4", ".hidden"]
)
def test_names_that_lead_elsewhere(name: str) -> None:
    assert code_of(lambda: Package.from_bytes(write_zip((name, b""), ("manifest.json", b"{}")))) == "FST0521"


def test_links_and_bombs() -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    assert code_of(lambda: Package.from_bytes(write_zip((link, b"target")))) == "FST0521"
    bomb = write_zip(("manifest.json", bytes(10_000_000)), compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 20_000
    assert code_of(lambda: Package.from_bytes(bomb)) == "FST0521"


def test_an_entry_that_claims_more_than_there_is() -> None:
    data = bytearray(write_zip(("manifest.json", b"{}")))
    central = data.index(b"PK\x01\x02")
    struct.pack_into("<II", data, central + 20, 1 << 30, 1 << 30)
    assert code_of(lambda: Package.from_bytes(bytes(data))) == "FST0521"


def test_entries_that_differ_from_the_manifest(built: Built) -> None:
    def flip(entries: dict[str, bytes]) -> None:
        entries["graph.json"] = b"other"

    with Package.from_bytes(changed(built, flip)) as package:
        assert code_of(package.graph) == "FST0521"
    assert code_of(lambda: Package.from_bytes(changed(built, lambda e: e.update(extra=b"")))) == "FST0521"
    assert code_of(lambda: Package.from_bytes(changed(built, lambda e: e.pop("graph.json") and None))) == "FST0521"
    with Package.from_bytes(built.package) as package:
        assert code_of(lambda: package.read("manifest.json")) == "FST0521"


def test_a_newer_major_version(built: Built) -> None:
    def newer(entries: dict[str, bytes]) -> None:
        document = msgspec.json.decode(entries["manifest.json"])
        entries["manifest.json"] = msgspec.json.encode({**document, "format_version": "2.0"})

    assert code_of(lambda: Package.from_bytes(changed(built, newer))) == "FST0006"


def test_flipped_bytes_are_refused_or_harmless(built: Built) -> None:
    """No damage raises anything but a diagnostic."""
    for at in range(0, len(built.package), 211):
        damaged = bytearray(built.package)
        damaged[at] ^= 0x41
        try:
            with Package.from_bytes(bytes(damaged)) as package:
                for name in package.manifest.entries:
                    package.read(name)
        except FstcError as error:
            assert error.exit_code == 3
