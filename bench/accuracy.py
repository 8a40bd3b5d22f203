"""How good the cost model is, as a table: ``python bench/accuracy.py --device h200,a100 --write``.

Planned against compiled registers, occupancy and instructions for all samples under every strategy and for random
patterns; with ``--bytes`` predicted against counted bytes under the host checker; where files lie under
``bench/results``, predicted against measured times. ``--write`` renews the table in ``docs/planning.md``.
"""

from __future__ import annotations

import argparse
import datetime
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # what is judged, and how, is part of the tests

from fstc.device.device import Device, load_device  # noqa: E402
from fstc.report.table import Report, Table, as_markdown  # noqa: E402
from tests.integration import accuracy, timings  # noqa: E402

RESULTS = ROOT / "bench" / "results"
DOCUMENT = ROOT / "docs" / "planning.md"
PLACE = re.compile(r"(<!-- accuracy -->\n).*?(<!-- end -->)", re.DOTALL)
COLUMNS = ("device", "kernels of", "kernels", "occupancy step right", "lower than planned", "spilling")
MORE = ("registers off", "instructions planned/real", "rank")


def table(devices: list[Device], patterns: int, seed: int, worst: int) -> Table:
    rows = []
    for device in devices:
        sets = (
            ("samples", accuracy.sample_kernels(device)),
            (f"random graphs, {patterns}", accuracy.random_kernels(device, patterns, seed)),
        )
        for name, kernels in sets:
            found = accuracy.compiled(kernels, device)
            v = accuracy.judge(found)
            rows.append(
                (device.name, name, v.kernels, f"{v.right:.1%}", f"{v.lower:.1%}", v.spilling, v.registers_off,
                 f"{v.text_ratio:.2f}", f"{v.text_rank:.2f}")
            )  # fmt: skip
            for row in sorted(found, key=lambda r: -r.registers_off)[:worst]:
                kernel = row.planned.kernel
                print(f"  {row.planned.name}: {kernel.registers} registers planned, {row.used.registers} used", end="")
                print(f"; {kernel.instructions} instructions planned, {row.used.instructions.total} in the code")
    return Table((*COLUMNS, *MORE), tuple(rows))


def counted(device: str) -> str:
    """Under the checker every sample at small extents with its real placements; minutes."""
    import pytest

    from tests.integration.shipped import SAMPLES, compile_kernels, ship, verify_on_host

    shipped = [ship(sample, device) for sample in SAMPLES]
    with tempfile.TemporaryDirectory() as folder:
        factory = pytest.TempPathFactory(Path(folder), 1, "all", lambda *_, **__: None, _ispytest=True)
        libraries = compile_kernels([k for s in shipped for k in s.kernels], factory)
        traffic = [t for s in shipped for t in verify_on_host(s, libraries).traffic]
    exact = sum((t.bytes, t.l2_bytes) == (t.predicted_bytes, t.predicted_l2_bytes) for t in traffic)
    return f"Bytes on {device}: {exact} of {len(traffic)} kernels of the samples move exactly the bytes predicted."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="h200", help="one or more, separated by commas")
    parser.add_argument("--patterns", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first random graph")
    parser.add_argument("--worst", type=int, default=0, help="also print so many kernels of each set")
    parser.add_argument("--bytes", action="store_true", help="also count bytes under the host checker")
    parser.add_argument("--write", action="store_true", help=f"renew the table in {DOCUMENT.name}")
    given = parser.parse_args()
    devices = [load_device(name) for name in given.device.split(",")]
    blocks: list[str | Table] = [table(devices, given.patterns, given.seed, given.worst)]
    if given.bytes:
        blocks += [counted(device.name) for device in devices]
    for a in timings.against(timings.load(path) for path in timings.results(RESULTS)):
        gone = f" ({a.gone} planned otherwise since)" if a.gone else ""
        fit = f"median error {a.error:.1%}, rank correlation {a.rank:.2f}"
        blocks.append(f"Times on {a.device}: {a.kernels} kernels{gone}, {fit}.")
    text = as_markdown(Report(None, tuple(blocks)))
    print(text)
    if given.write:
        command = " ".join(["python bench/accuracy.py", *sys.argv[1:]])
        head = f"By `{command}`, {datetime.date.today().isoformat()}:"
        DOCUMENT.write_text(PLACE.sub(lambda m: f"{m[1]}{head}\n\n{text.strip()}\n{m[2]}", DOCUMENT.read_text()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
