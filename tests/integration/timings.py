"""Times that were measured on a GPU, and how far the predictions were off.

Example: ``against(load(Path("bench/results/h200.json")))``. A file is the record of one run: the device, what ran, and
a row for each kernel with its hash, so that times of kernels that are planned otherwise today are left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec

from fstc.analysis.run import analyze
from fstc.device.device import load_device
from fstc.ir.parser import parse_file
from fstc.plan.run import make_plan
from tests.integration.accuracy import rank_correlation
from tests.samples import SAMPLES_DIR


class Timing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sample: str
    kernel: str  # name in the plan
    hash: str  # Kernel.hash
    measured_us: float  # median of one launch


class Timings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run on one device."""

    device: str  # as --device has it
    driver: str
    versions: dict[str, str]  # of fstc, NVRTC and what measured
    date: str  # ISO
    command: str
    rows: tuple[Timing, ...]


@dataclass(frozen=True)
class Agreement:
    device: str
    kernels: int
    gone: int  # rows whose kernel is planned otherwise today
    error: float  # median of |predicted / measured - 1|
    rank: float


def load(path: Path) -> Timings:
    return msgspec.json.decode(path.read_bytes(), type=Timings)


def results(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def against(runs: Iterable[Timings]) -> list[Agreement]:
    """Predictions of today against all runs, a device at a time."""
    by_device: dict[str, list[Timing]] = {}
    for run in runs:
        by_device.setdefault(run.device, []).extend(run.rows)
    return [_agreement(device, rows) for device, rows in sorted(by_device.items())]


def _agreement(device: str, rows: list[Timing]) -> Agreement:
    predicted: dict[tuple[str, str], float] = {}
    for sample in sorted({row.sample for row in rows}):
        graph = parse_file(SAMPLES_DIR / f"{sample}.fir", {})
        plan = make_plan(graph, analyze(graph), load_device(device))
        predicted |= {(sample, k.hash): k.predicted_us for region in plan.regions for k in region.kernels}
    pairs = [(predicted[row.sample, row.hash], row.measured_us) for row in rows if (row.sample, row.hash) in predicted]
    return Agreement(
        device=device,
        kernels=len(pairs),
        gone=len(rows) - len(pairs),
        error=median(abs(p / m - 1) for p, m in pairs) if pairs else float("nan"),
        rank=rank_correlation([p for p, _ in pairs], [m for _, m in pairs]),
    )
