"""How two kernels that do the same work differ: launch, placement, carriers, predictions, one field each.

Example: ``kernel_fields(a, b, True)`` has ``Field("shared", "structure", 24576, 32768)``. Values are compared by name
where names are equal, by position where the kernels compute the same; never by ids, which an edit changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec.structs import replace

from fstc.plan.artefact import Kernel, Part
from fstc.report.diff.model import COST, STRUCTURE, Field, Value, same
from fstc.report.diff.outline import Outline
from fstc.report.diff.side import Launch

Figure = Callable[[Kernel], Value]
LAUNCH: tuple[tuple[str, Figure], ...] = (
    ("scheme", lambda k: k.scheme),
    ("blocks", lambda k: k.blocks),
    ("threads", lambda k: k.threads),
    ("parts", lambda k: len(k.parts)),
    ("shared", lambda k: k.shared),
    ("min_blocks", lambda k: k.min_blocks),
)
PRICE: tuple[tuple[str, Figure], ...] = (
    ("registers", lambda k: k.registers),
    ("blocks_per_sm", lambda k: k.blocks_per_sm),
    ("occupancy", lambda k: k.occupancy),
    ("predicted_us", lambda k: k.predicted_us),
    ("bound", lambda k: k.bound),
    ("bytes", lambda k: k.bytes),
    ("bytes_min", lambda k: k.bytes_min),
    ("l2_bytes", lambda k: k.l2_bytes),
)
DIGITS = ("extent", "vector", "lanes", "warps", "serial", "grid")
STRIDES = ("lane_stride", "warp_stride", "grid_stride")

Facts = dict[str, Value]
Names = Mapping[str, str]  # how the other side calls a value


def kernel_fields(old: Launch, new: Launch, equal: bool) -> tuple[Field, ...]:
    """Everything that differs; nothing where only names and numbers do."""
    if equal and replace(old.kernel, name=new.kernel.name, hash=new.kernel.hash) == new.kernel:
        return ()  # most kernels of a large plan
    found = [] if equal else list(_ops(old, new))
    for name, figure in LAUNCH:
        found += _field(name, STRUCTURE, figure(old.kernel), figure(new.kernel))
    found += _schedule(old, new, equal)
    for name, figure in PRICE:
        found += _field(name, COST, figure(old.kernel), figure(new.kernel))
    found += _facts(old.kernel.terms, new.kernel.terms, COST, "{}_term")
    return tuple(found)


def _field(name: str, aspect: str, old: Value, new: Value) -> Iterator[Field]:
    if not same(old, new):
        yield Field(name, aspect, old, new)


def _facts(old: Mapping[str, Value], new: Mapping[str, Value], aspect: str, shown: str = "{}") -> Iterator[Field]:
    for name in dict.fromkeys((*old, *new)):
        yield from _field(shown.format(name), aspect, old.get(name), new.get(name))


def _ops(old: Launch, new: Launch) -> Iterator[Field]:
    """Operators that came or went; where none did, the kernel computes something else under the same names."""
    before, after = set(old.ops), set(new.ops)
    gone = [name for name in old.ops if name not in after]
    come = [name for name in new.ops if name not in before]
    if gone or come:
        yield Field("ops", STRUCTURE, " ".join(gone) or None, " ".join(come) or None)
        return
    texts = [{r: s.text for s in a.outline.statements for r in s.results} for a in (old, new)]
    for name in new.ops:
        if texts[0][name] != texts[1][name]:
            yield Field(f"op {name}", STRUCTURE, _meaning(texts[0][name]), _meaning(texts[1][name]))


def _meaning(statement: str) -> str:
    return statement.partition(" = ")[2]


def _schedule(old: Launch, new: Launch, equal: bool) -> Iterator[Field]:
    """Placements, widths and carriers; loops, groups and the arena only where they alone differ."""
    found: list[Field] = []
    quiet: list[Field] = []
    pairs = zip(_parts(old), _parts(new), strict=False)
    for a, b in pairs:
        names = _renamed(old.outline, a, new.outline, b) if equal else {}
        found += _facts(_digits(a, DIGITS), _digits(b, DIGITS), STRUCTURE)
        found += _facts(_widths(old.outline, a, names), _widths(new.outline, b, {}), STRUCTURE)
        found += _facts(_carriers(old.outline, a, names), _carriers(new.outline, b, {}), STRUCTURE)
        quiet += _facts(_digits(a, STRIDES), _digits(b, STRIDES), STRUCTURE)
        quiet += _facts(_loops(old.outline, a, names), _loops(new.outline, b, {}), STRUCTURE)
        quiet += _facts(_arena(old.outline, a, names), _arena(new.outline, b, {}), STRUCTURE)
    return iter(found or quiet)


def _parts(launch: Launch) -> list[Part]:
    """In an order that does not depend on how a packed launch numbers them."""
    parts = list(launch.kernel.parts)
    return sorted(parts, key=launch.outline.part_hash) if len(parts) > 1 else parts


def _renamed(old: Outline, a: Part, new: Outline, b: Part) -> Names:
    """Names of the old part as the new one has them, by position."""
    return dict(zip(old.numbering(a), new.numbering(b), strict=False))


def _digits(part: Part, names: Iterable[str]) -> Facts:
    return {f"{p.axis}.{name}": getattr(p, name) for p in part.placement for name in names}


def _widths(outline: Outline, part: Part, names: Names) -> Facts:
    return {f"{a.mode} {_called(outline, a.value, names)} vector": a.vector for a in part.accesses}


def _carriers(outline: Outline, part: Part, names: Names) -> Facts:
    """Where a value stays between phases, and how results of reductions travel."""
    holds = {f"{_called(outline, h.value, names)} held in": h.carrier for h in part.holds}
    edges = {}
    for e in part.edges:
        user = " ".join(_as(name, names) for name in outline.results((e.user,)))
        edges[f"{_called(outline, e.value, names)} to {user or 'later phases'}"] = f"{e.scheme} {e.carrier}"
    return {**holds, **edges}


def _loops(outline: Outline, part: Part, names: Names) -> Facts:
    found: Facts = {}
    for number, nest in enumerate(part.nests):
        done = [_as(r, names) for r in outline.results(nest.reduces)]
        done += [_called(outline, v, names) for v in nest.stores]
        loops = " ".join(nest.loops) or "none"
        found[f"loops of nest {number}"] = f"{loops} unroll {nest.unroll} phase {nest.phase}: {' '.join(done)}"
    for group in part.groups:
        made = " ".join(sorted(_as(r, names) for r in outline.results(group.ops)))
        found[f"group of {_called(outline, group.root, names)}"] = f"{group.kind} phase {group.phase}: {made}"
    return found


def _arena(outline: Outline, part: Part, names: Names) -> Facts:
    held = {f"{_called(outline, h.value, names)} at": h.offset for h in part.holds if h.carrier == "shared"}
    crossing = {
        f"exchange of {' '.join(_as(r, names) for r in outline.results((e.node,)))} at": e.offset
        for e in part.exchanges
    }
    return {**held, **crossing}


def _called(outline: Outline, value: int, names: Names) -> str:
    return _as(outline.name(value), names)


def _as(name: str, names: Names) -> str:
    return names.get(name, name)
