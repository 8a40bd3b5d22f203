"""A plan as a few lines of canonical text, for goldens and for reading two plans side by side.

Example, ``fstc plan softmax_mask.fir --format brief``::

    softmax_mask: 10 ops, 1 kernel, 0 library calls on h200 (stitch)
    16.26 us, 50.35 MB (1.000 of the floor), L2 3.129 MB, unfused 453.8 MB

    k0_probabilities: warp, 6144 x 256, 28 registers, 0 B shared, occupancy 100%
      16.26 us latency, 50.35 MB (1.000 of the floor), L2 3.129 MB
      rows (a0=32, a1=1536) columns (a2=128): scaled masked max shifted exp exp_sum probabilities
        register: masked exp
        shuffle: max exp_sum

    joined: FSN002 x4; apart: none

Equal plans give equal text. A line has facts of one kind, so that a changed cost shows as changed times and a changed
decision as a changed kernel. What is equal for several regions stands once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.plan.artefact import Decision, Kernel, Part, Plan
from fstc.report.launches import launches_of
from fstc.support.text import filled

MOST_DECLINED = 12  # lines of what was kept apart; a golden of hundreds of lines is read by nobody
CARRIERS = ("register", "shuffle", "shared", "recompute")


def plan_text(name: str, graph: Graph, plan: Plan) -> str:
    """The whole plan; ends with a newline."""
    return "\n".join([*_head(name, plan), *_steps(graph, plan), "", *_decisions(plan)]) + "\n"


def _head(name: str, plan: Plan) -> Iterator[str]:
    s = plan.summary
    counts = (_count(s.ops, "op"), _count(s.kernels, "kernel"), _count(s.library_calls, "library call"))
    yield f"{name}: {', '.join(counts)} on {plan.device} ({plan.strategy})"
    yield f"{_moved(s.predicted_us, s.bytes, s.bytes_min, s.l2_bytes)}, unfused {_mb(s.bytes_unfused)}"


def _steps(graph: Graph, plan: Plan) -> Iterator[str]:
    """Launches in order; library calls between two regions on one line, a region that was there before as a repeat."""
    made = launches_of(graph, plan)
    shown: set[tuple[int, int]] = set()
    calls: list[str] = []
    repeats: list[str] = []
    for step in made.steps:
        if step.kernel is None:
            calls.append(f"%{made.tensors[step.writes[0]].name}")
            continue
        place = made.places[step.place]
        if (place.region, step.number) in shown:
            repeats.append(step.kernel.name)
            continue
        yield from _between(calls, repeats)
        calls, repeats = [], []
        shown.add((place.region, step.number))
        yield from _kernel(place.graph, step.kernel)
    yield from _between(calls, repeats)


def _between(calls: Sequence[str], repeats: Sequence[str]) -> Iterator[str]:
    if calls:
        yield from ("", *filled("library: ", calls))
    if repeats:
        yield from ("", *filled("again: ", [f"{name} x{n}" for name, n in Counter(repeats).items()]))


def _kernel(graph: Graph, kernel: Kernel) -> Iterator[str]:
    launch = f"{kernel.blocks} x {kernel.threads}"
    room = f"{kernel.registers} registers, {kernel.shared} B shared, occupancy {kernel.occupancy:.0%}"
    yield ""
    yield f"{kernel.name}: {kernel.scheme}, {launch}, {room}"
    yield f"  {_moved(kernel.predicted_us, kernel.bytes, kernel.bytes_min, kernel.l2_bytes, kernel.bound)}"
    for part in kernel.parts:
        yield from _part(graph, part)


def _part(graph: Graph, part: Part) -> Iterator[str]:
    made = [graph.values[v].name for n in part.nodes for v in graph.nodes[n].outputs if not _constant(graph, n)]
    yield from filled(f"  {part.words}: ", made)
    for carrier in CARRIERS:
        values = dict.fromkeys(graph.values[e.value].name for e in part.edges if e.carrier == carrier)
        yield from filled(f"    {carrier}: ", tuple(values))


def _constant(graph: Graph, node: int) -> bool:
    return graph.nodes[node].op.form is Form.CONSTANT


def _decisions(plan: Plan) -> Iterator[str]:
    told = [d for region in plan.regions for d in region.decisions]
    declined = [d for d in told if not d.accepted]
    joined, apart = (Counter(d.code for d in told if d.accepted is accepted) for accepted in (True, False))
    yield f"joined: {_counts(joined)}; apart: {_counts(apart)}"
    for d in declined[:MOST_DECLINED]:
        yield f"  {_decision(d)}"
    if len(declined) > MOST_DECLINED:
        yield f"  and {len(declined) - MOST_DECLINED} more"


def _decision(d: Decision) -> str:
    sides = f"{d.left} | {d.right}" if d.right else d.left
    return f"{d.code} {sides}" + (f" {d.gain_us:+.4g} us" if d.gain_us else "")


def _counts(counted: Counter[str]) -> str:
    return ", ".join(f"{code} x{n}" for code, n in sorted(counted.items())) or "none"


def _moved(us: float, size: int, floor: int, l2: int, bound: str = "") -> str:
    ratio = f" ({size / floor:.3f} of the floor)" if floor else ""
    return f"{us:.4g} us{' ' + bound if bound else ''}, {_mb(size)}{ratio}, L2 {_mb(l2)}"


def _mb(size: int) -> str:
    return f"{size / 1e6:.4g} MB"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
