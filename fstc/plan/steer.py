"""How wishes bind the search: ops that start as one cluster, that never meet, that share a launch; smaller limits.

Example: ``steered(pricer, wishes, pairs).kept`` are sets of ops that every step leaves whole. What cannot be is refused
with the reason (FST0420). Names and regions are :mod:`fstc.plan.wishes`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from fstc.device.device import Device
from fstc.ir.graph import Graph
from fstc.plan.folding import STAYS
from fstc.plan.partition import Partition, circles
from fstc.plan.pricer import MOST_POINTERS, Members, Pricer
from fstc.plan.wishes import Group, Refused, Wishes
from fstc.support.diagnostics import Diagnostic, FstcError

MOST_NAMES = 6  # in one message


@dataclass(frozen=True)
class Steering:
    """Wishes as the search takes them, in ops: ``kept`` groups start as one cluster and stay whole, ``pinned`` ops
    join no other, ``launched`` groups share a launch, as one cluster or packed.
    """

    kept: tuple[Members, ...] = ()
    apart: dict[int, frozenset[int]] = field(default_factory=dict)
    pinned: frozenset[int] = frozenset()
    launched: tuple[Members, ...] = ()

    @property
    def settled(self) -> frozenset[int]:
        """Ops that a wish places: each is computed in one kernel and never moved out of a group."""
        return frozenset(self.apart).union(*self.kept, *self.launched)

    def divided(self, ops: Iterable[int]) -> bool:
        """Whether some of the ops are to be apart."""
        found = frozenset(ops)
        return any(op in found and not others.isdisjoint(found) for op, others in self.apart.items())


NO_WISH = Steering()


def repeated(graph: Graph, wishes: Wishes) -> frozenset[int]:
    """Ops that several pins name: each of these kernels computes them. Raises FstcError (FST0420) where none may."""
    found: dict[int, int] = {}
    for group in wishes.pinned:
        for op in _ops(graph, group):
            found[op] = found.get(op, 0) + 1
    several = frozenset(op for op, pins in found.items() if pins > 1)
    for op in sorted(several):
        node = graph.nodes[op]
        if node.op.form in STAYS or any(v in graph.outputs for v in node.outputs):
            what = "a result" if any(v in graph.outputs for v in node.outputs) else f"made by {node.op.name}"
            raise Refused(f"{_name(graph, op)} is in several pins; it is {what}, which one kernel alone computes")
    return several


def steered(pricer: Pricer, wishes: Wishes, pairs: Iterable[tuple[int, int]] = ()) -> Steering:
    """The wishes for a graph whose folded ops are known. A group takes in what lies between its ops.

    ``pairs``: (partial, final) of the reductions that are split.

    Raises FstcError (FST0420) where wishes contradict each other, or nothing may lie between and something does.
    """
    graph = pricer.graph

    def ops(group: Group) -> set[int]:
        return _ops(graph, group) - pricer.folded

    apart: dict[int, set[int]] = {}
    for group in (*wishes.apart, *wishes.together):
        if shared := _ops(graph, group) & pricer.folded:
            raise Refused(f"{names_of(graph, shared)}: several pins compute it, another wish is about it too")
    for group in wishes.apart:
        if len(ops(group)) < len(group):
            names = ", ".join(f"%{graph.values[v].name}" for v in group if isinstance(v, int))
            raise Refused(f"{names} cannot be apart", why="two of them are results of one op")
        for a in ops(group):
            apart.setdefault(a, set()).update(ops(group) - {a})
    groups = [_closed(pricer, ops(group)) for group in wishes.together]
    pinned: set[int] = set()
    for group in wishes.pinned:
        wanted = ops(group)
        if not wanted:
            continue  # all of it is repeated by others
        closed = _closed(pricer, wanted)
        if closed != wanted:
            extra = ", ".join(_name(graph, n) for n in sorted(closed - wanted))
            raise Refused(f"{names_of(graph, wanted)} cannot be one kernel alone: {extra} lies between them")
        groups.append(closed)
        pinned |= closed
    kept = _united(pricer, groups)
    for members in kept:
        for a in sorted(members):
            if not apart.get(a, set()).isdisjoint(members):
                b = min(apart[a] & members)
                raise Refused(f"{_name(graph, a)} and {_name(graph, b)} are to be in one kernel and in different ones")
        if not pinned.isdisjoint(members) and not any(members == ops(group) for group in wishes.pinned):
            raise Refused(f"{names_of(graph, members)}: a pin has fewer ops than another wish puts together")
        _check_kernel(pricer, members, pairs)
    launched = tuple(frozenset(ops(group)) for group in wishes.launched)
    found = Steering(tuple(kept), {a: frozenset(other) for a, other in apart.items()}, frozenset(pinned), launched)
    for members in launched:
        if found.divided(members):
            raise Refused(f"{names_of(graph, members)} are to be in one launch and in different ones")
    return found


def _check_kernel(pricer: Pricer, members: Members, pairs: Iterable[tuple[int, int]]) -> None:
    """What no kernel may hold, whatever it costs; the rest is up to its placement."""
    names = names_of(pricer.graph, members)
    if len(members) > 1 and pricer.scatters(members):
        raise Refused(f"{names} cannot be one kernel", "FSN015", "a scatter works in place on a copy of its operand")
    if any(a in members and b in members for a, b in pairs):
        raise Refused(f"{names} cannot be one kernel", "FSN031", "partial results wait for all blocks")
    if (pointers := pricer.pointers(members)) > MOST_POINTERS:
        raise Refused(f"{names} cannot be one kernel", "FSN022", f"it would take {pointers} tensors")


def _ops(graph: Graph, group: Group) -> set[int]:
    return {graph.values[v].node for v in group if isinstance(v, int)}


def _closed(pricer: Pricer, ops: set[int]) -> Members:
    """The ops and all that lies on a path between two of them."""
    graph = pricer.graph
    below, above = set(ops), set(ops)
    for node in graph.nodes:
        if node.id not in pricer.folded and any(p in below for v in node.inputs for p in pricer.producers(v)):
            below.add(node.id)
    for node in reversed(graph.nodes):
        if node.id in above:
            above.update(p for v in node.inputs for p in pricer.producers(v))
    return frozenset(below & above)


def _united(pricer: Pricer, groups: Sequence[Members]) -> list[Members]:
    """Groups that share an op are one; what then lies between its ops is taken in again."""
    made: list[Members] = []
    for group in groups:
        joined = set(group)
        while True:
            touching = [m for m in made if not m.isdisjoint(joined)]
            if not touching:
                break
            made = [m for m in made if m not in touching]
            joined = set(_closed(pricer, joined.union(*touching)))
        made.append(frozenset(joined))
    return made


def check_order(alone: Partition, steering: Steering, graph: Graph) -> None:
    """Refuse groups that wait for each other (FST0420). ``alone``: every op a cluster."""
    home = {op: -1 - n for n, members in enumerate(steering.kept) for op in members}
    for circle in circles(alone, home):
        names = " and ".join(names_of(graph, steering.kept[-1 - k]) for k in sorted(circle, reverse=True) if k < 0)
        raise Refused(f"kernels of {names} would wait for each other")


def _name(graph: Graph, op: int) -> str:
    return "%" + graph.values[graph.nodes[op].outputs[0]].name


def names_of(graph: Graph, ops: set[int] | Members) -> str:
    names = [_name(graph, n) for n in sorted(ops)]
    return ", ".join(names if len(names) <= MOST_NAMES else [*names[:MOST_NAMES], f"{len(names) - MOST_NAMES} more"])


# -- limits -------------------------------------------------------------------------------------------------------

BUDGETS = {"smem": "shared_per_block_max", "regs": "registers_per_thread_max", "threads": "max_threads_per_block"}
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20}


def budgeted(device: Device, budget: str) -> Device:
    """The device with a block's limits lowered: ``smem=48K,regs=128,threads=512``. Limits are never raised.

    Raises FstcError (FST0014) for a text that is no such list.
    """
    changes: dict[str, int] = {}
    for item in (part.strip() for part in budget.split(",") if part.strip()):
        key, _, text = item.partition("=")
        number = re.fullmatch(r"(\d{1,9})([KM]?)B?", text.strip())
        if key.strip() not in BUDGETS or number is None:
            message = f"--budget: {item!r} is no limit"
            help = "for example --budget smem=48K,regs=128,threads=512; K is 1024 bytes"
            raise FstcError(Diagnostic("FST0014", message, help=help))
        name = BUDGETS[key.strip()]
        limit = int(number[1]) * UNITS[number[2]]
        least = {"smem": 0, "regs": 24, "threads": 128}[key.strip()]
        if limit < least:
            raise FstcError(Diagnostic("FST0014", f"--budget: {item}: the planner needs {least} at least to work with"))
        changes[name] = min(limit, getattr(device, name))
    return replace(device, **changes)  # type: ignore[arg-type]
