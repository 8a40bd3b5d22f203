"""The delta-evaluator's two regression coefficients, from what the latency-evaluator says of the samples' edges.

Example: ``python bench/delta_fit.py --device h200``. For every two ops of the samples that can share a kernel: the
microseconds that one launch takes less than two, without the launch itself, against the MB that it moves less; by
where it keeps values between its phases. The samples' rows fit in registers, so that for shared memory rows that are
longer are added. The slopes go into the device descriptions.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from fstc.device.device import Device, device_names, load_device
from fstc.ir.parser import parse_bytes, parse_file
from fstc.ir.regions import find_regions
from fstc.plan.candidate import Placed
from fstc.plan.folding import folded_ops
from fstc.plan.pricer import Equal, Pricer

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
LONG = tuple((rows, length) for rows in (512, 2048, 8192) for length in (24_576, 32_768, 40_960, 49_152))
ROW = """module @long

func @main(%x: f32[{rows},{length}]) -> (f32[{rows},{length}]) {{
  %max = reduce_max %x {{axes = [1]}} : f32[{rows}]
  %wide = broadcast_in_dim %max {{dims = [0]}} : f32[{rows},{length}]
  %y = sub %x, %wide : f32[{rows},{length}]
  return %y
}}
"""
LEAST = 1.0  # MB saved; below that latency and launches decide


class Saved(NamedTuple):
    mb: float
    us: float
    shared: bool


def edges(device: Device) -> Iterator[Saved]:
    """Every two ops of the samples, one of which reads the other; alike ones once."""
    equal: Equal = {}
    seen: set[str] = set()
    for path in sorted(SAMPLES.glob("*.fir")):
        for region in find_regions(parse_file(path, {})):
            graph = region.graph
            pricer = Pricer(graph, device, frozenset(folded_ops(graph)), equal)
            for node in (n for n in graph.nodes if n.id not in pricer.folded):
                for user in dict.fromkeys(u for v in node.outputs for u in pricer.readers(v)):
                    shape = pricer.shape(frozenset({node.id, user}))
                    if shape not in seen:
                        yield from saved(pricer, {node.id}, {user})
                    seen.add(shape)


def long_rows(device: Device) -> Iterator[Saved]:
    """A reduction and what subtracts it."""
    for rows, length in LONG:
        graph = parse_bytes(ROW.format(rows=rows, length=length).encode(), "long.fir", {})
        yield from saved(Pricer(graph, device, frozenset()), {0}, {1, 2})


def saved(pricer: Pricer, left: set[int], right: set[int]) -> Iterator[Saved]:
    one = pricer.place(frozenset(left | right))
    two = [pricer.place(frozenset(nodes)) for nodes in (left, right)]
    if isinstance(one, Placed) and isinstance(two[0], Placed) and isinstance(two[1], Placed):
        us = two[0].estimate.time + two[1].estimate.time - one.estimate.time - pricer.device.launch_us
        mb = (two[0].bytes + two[1].bytes - one.bytes) / 1e6
        if mb >= LEAST:
            yield Saved(mb, us, any(h.carrier == "shared" for h in one.schedule.holds))


def slope(points: list[Saved]) -> float:
    """Through the origin, the median of the points' own: a few that lose parallelism do not count for more."""
    return median(p.us / p.mb for p in points) if points else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="", help="one or more, separated by commas; all that ship when left away")
    names = parser.parse_args().device.split(",")
    for name in names if names != [""] else device_names():
        device = load_device(name)
        found = [*edges(device), *long_rows(device)]
        for key, points in (
            ("delta_register_us_per_mb", [p for p in found if not p.shared]),
            ("delta_shared_us_per_mb", [p for p in found if p.shared]),
        ):
            print(f"{name} {key}: {slope(points):.4f}  # from {len(points)} edges")


if __name__ == "__main__":
    main()
