"""Small plans made by hand: a region as text, and which of its ops each kernel has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from fstc.plan.artefact import Access, AxisPlace, Decision, Hold, Kernel, Nest, Part, Plan, RegionPlan, Step, Summary

CHAIN = (
    "func @main(",
    '%x: f32[64,128] {domain = "%fake"},',
    "%w: f32[128]",
    ") -> (f32[64,128]) {",
    "%w_b = broadcast_in_dim %w {dims = [1]} : f32[64,128]",
    "%scaled = mul %x, %w_b : f32[64,128]",
    '%max = reduce_max %scaled {axes = [1]} : f32[64] loc("model.py:7")',
    "%max_b = broadcast_in_dim %max {dims = [0]} : f32[64,128]",
    "%shifted = sub %scaled, %max_b : f32[64,128]",
    "%exp = exp %shifted : f32[64,128]",
    "return %exp",
    "}",
)
X, W, W_B, SCALED, MAX, MAX_B, SHIFTED, EXP = range(8)  # value ids


def part(nodes: Sequence[int], inputs: Sequence[int], outputs: Sequence[int], **more: Any) -> Part:
    made: dict[str, Any] = {
        "blocks": 64,
        "placement": (AxisPlace(axis="a0", extent=64, grid=64), AxisPlace(axis="a1", extent=128, vector=4, lanes=32)),
        "nests": (Nest(phase=0, loops=(), stores=tuple(outputs)),),
        "accesses": tuple(
            Access(value=v, mode=mode, vector=4, run=512, bytes=32768, l2_bytes=0)
            for mode, values in (("read", inputs), ("write", outputs))
            for v in values
        ),
    }
    empty = dict.fromkeys(("holds", "exchanges", "groups", "edges"), ())
    given = {**made, **empty, **more, "words": "rows (a0=64) columns (a1=128)"}
    return Part(nodes=tuple(nodes), inputs=tuple(inputs), outputs=tuple(outputs), **given)


def kernel(name: str, *parts: Part, **more: Any) -> Kernel:
    made: dict[str, Any] = {
        "threads": 128, "shared": 0, "registers": 32, "blocks_per_sm": 12, "min_blocks": 8, "occupancy": 0.75,
        "scheme": "warp", "bytes": 65536, "bytes_min": 65536, "l2_bytes": 0, "predicted_us": 5.0, "bound": "memory",
        "terms": {"launch": 2.0, "memory": 3.0}, "hash": f"hash of {' '.join(str(p.nodes) for p in parts)}",
    }  # fmt: skip
    return Kernel(name=name, parts=parts, **{**made, **more})


def whole(name: str = "k0_exp", **more: Any) -> Kernel:
    """All of the chain in one kernel."""
    hold = Hold(value=SCALED, axes=("a1",), carrier="register", elements=4)
    return kernel(name, part(range(6), (X, W), (EXP,), holds=(hold,)), **more)


def first_half(name: str = "k0_max", **more: Any) -> Kernel:
    return kernel(name, part((0, 1, 2), (X, W), (SCALED, MAX)), **more)


def second_half(name: str = "k1_exp", **more: Any) -> Kernel:
    return kernel(name, part((3, 4, 5), (SCALED, MAX), (EXP,)), **more)


def region(kernels: Sequence[Kernel], text: Sequence[str] = CHAIN, decisions: Sequence[Decision] = ()) -> RegionPlan:
    return RegionPlan(hash="region", text=tuple(text), rewrites=(), kernels=tuple(kernels), decisions=tuple(decisions))


def plan(*regions: RegionPlan | Sequence[Kernel], times: int = 1, calls: int = 0, **more: Any) -> Plan:
    """A plan that runs every region ``times`` times; sums are those of its launches."""
    found = [r if isinstance(r, RegionPlan) else region(r) for r in regions]
    steps = [
        Step(kind="kernel", region=r, kernel=k)
        for r, made in enumerate(found)
        for _ in range(times)
        for k in range(len(made.kernels))
    ]
    launched = [found[s.region].kernels[s.kernel] for s in steps]
    summary = Summary(
        ops=6,
        kernels=len(launched),
        library_calls=calls,
        bytes=sum(k.bytes for k in launched),
        bytes_min=sum(k.bytes_min for k in launched),
        bytes_unfused=0,
        l2_bytes=sum(k.l2_bytes for k in launched),
        predicted_us=sum(k.predicted_us for k in launched),
    )
    libraries = tuple(Step(kind="library", node=100 + n, reads=(1000 + n,), writes=(2000 + n,)) for n in range(calls))
    given: dict[str, Any] = {
        "device": "h200", "strategy": "stitch", "policy": "strict", "index_bits": 32, "summary": summary,
        "regions": tuple(found), "steps": (*steps, *libraries), "scratch": (),
    }  # fmt: skip
    return Plan(**{**given, **more})


def renamed(text: Sequence[str], names: Mapping[str, str]) -> tuple[str, ...]:
    """The region with some values called otherwise."""
    lines = list(text)
    for old, new in names.items():
        lines = [line.replace(f"{old} ", f"{new} ").replace(f"{old},", f"{new},") for line in lines]
        lines = [line + " " if line.endswith(old) else line for line in lines]
        lines = [line.replace(f"{old} ", f"{new} ").rstrip() for line in lines]
    return tuple(lines)


def unhashed(made: Plan) -> Plan:
    """As a file of version 1.0 had it."""
    regions = tuple(replace(r, kernels=tuple(replace(k, hash="") for k in r.kernels)) for r in made.regions)
    return replace(made, regions=regions, constants={})
