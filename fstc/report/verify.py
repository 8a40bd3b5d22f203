"""What verify found, the worst first.

Example: ``as_text(verify_report("softmax_mask", verification))``.
"""

from __future__ import annotations

import msgspec

from fstc.report.table import Cell, Report, Table
from fstc.runtime.artefact import PeerCheck, TensorCheck, Traffic, Verification

TENSORS = (
    "",
    "tensor",
    "type",
    "against",
    "max abs",
    "max rel",
    "ulp",
    "error/bound",
    "wrong",
    "worst at",
    "got",
    "want",
    "kernel",
)
PEERS = (
    "", "output", "type", "max abs", "framework", "rms", "framework", "ratio", "wrong", "framework", "verdict",
)  # fmt: skip
MEANINGS = {
    "further": "is further from float64 than {}, by more than rounding explains",
    "disagrees": "is not what {} computes: the import, or the framework, is wrong by more than rounding explains",
}
TRAFFIC = ("", "kernel", "bytes", "predicted", "floor", "l2 bytes", "predicted l2")


def verify_report(name: str, found: Verification) -> Report:
    """One row a tensor (over all seeds the worst one), then orders, faults and traffic."""
    passed = sum(t.comparison.ok for t in found.tensors)
    verdict = "passed" if found.ok else "FAILED"
    inputs = f"inputs of {found.inputs}" if found.inputs else f"seeds {', '.join(map(str, found.seeds))}"
    headline = (
        f"{name}: {verdict} on {found.target} ({', '.join(found.runs)}), {inputs}; "
        f"{passed} of {len(found.tensors)} comparisons within tolerance"
    )
    blocks: list[str | Table] = [headline, Table(TENSORS, tuple(_row(t) for t in _worst(found.tensors)))]
    if found.peer:
        blocks += _beside(name, found)
    unstable = dict.fromkeys(t.comparison.name for t in found.tensors if t.comparison.ok and t.comparison.unstable)
    if unstable:
        blocks.append(
            f"beyond the tolerance, and right: {', '.join(unstable)}; the float64 reference moves as far when each "
            "value is rounded otherwise"
        )
    jumps = dict.fromkeys((t.comparison.name, t.jump) for t in found.tensors if t.jump)
    blocks += [
        f"{name}: a discontinuous op lies upstream: {jump}; near a step either side is right" for name, jump in jumps
    ]
    if found.orders:
        races = tuple((o.kernel, o.value, o.order, o.seed, o.differing) for o in found.orders)
        columns = ("kernel", "tensor", "order", "seed", "differing elements")
        blocks.append(Table(columns, races, title="results that depend on the order of threads"))
    if found.faults:
        blocks.append(Table(("kernel", "fault", "message"), tuple((f.kernel, f.kind, f.message) for f in found.faults)))
    if found.traffic:
        rows = tuple(_traffic_row(t, found.strict_traffic) for t in found.traffic)
        blocks.append(Table(TRAFFIC, rows, title="traffic that the checker counted"))
    if found.mispredicted:
        blocks.append(f"predicted traffic is off by more than 1 %: {', '.join(dict.fromkeys(found.mispredicted))}")
    return Report(msgspec.to_builtins(found) | {"ok": found.ok}, tuple(blocks))


def _beside(name: str, found: Verification) -> list[str | Table]:
    """Both errors of each output, and what the findings among them mean."""
    rows = tuple(
        (
            _mark(p.ok), p.name, p.type, p.ours_max, p.theirs_max, p.ours_rms, p.theirs_rms,
            p.ours_rms / p.theirs_rms if p.theirs_rms else None, p.ours_wrong, p.theirs_wrong, p.verdict,
        )
        for p in _worst_peers(found.peers)
    )  # fmt: skip
    blocks: list[str | Table] = [Table(PEERS, rows, title=f"errors against float64: ours and those of {found.peer}")]
    for verdict, meaning in MEANINGS.items():
        names = ", ".join(dict.fromkeys(p.name for p in found.peers if p.verdict == verdict))
        if names:
            blocks.append(f"{name}: {names} {meaning.format(found.peer)}")
    return blocks


def _worst_peers(peers: tuple[PeerCheck, ...]) -> list[PeerCheck]:
    """Per output the worst seed; the order stays."""
    first: dict[str, PeerCheck] = {}
    for peer in peers:
        first.setdefault(peer.name, peer)
    return list(first.values())


def _worst(tensors: tuple[TensorCheck, ...]) -> list[TensorCheck]:
    """Per tensor and kind of comparison the worst seed; the order stays."""
    first: dict[tuple[str, bool], TensorCheck] = {}
    for check in tensors:
        first.setdefault((check.comparison.name, check.local), check)
    return list(first.values())


def _row(check: TensorCheck) -> tuple[Cell, ...]:
    c = check.comparison
    where = "[" + ",".join(map(str, c.worst)) + "]"
    return (
        _mark(c.ok), c.name, c.type, "kernel inputs" if check.local else "model inputs", c.max_abs, c.max_rel,
        c.max_ulp, c.excess, c.wrong, where, c.got, c.want, check.kernel or None,
    )  # fmt: skip


def _traffic_row(t: Traffic, strict: bool) -> tuple[Cell, ...]:
    mark = _mark(t.ok, strict)
    return mark, t.kernel, t.bytes, t.predicted_bytes, t.bytes_min, t.l2_bytes, t.predicted_l2_bytes


def _mark(ok: bool, counts: bool = True) -> str:
    """``~``: off, which the verdict does not count."""
    return "ok" if ok else "BAD" if counts else "~"
