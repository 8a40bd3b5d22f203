"""Which elements of outside tensors a pattern touches, in 32-byte sectors, whatever the placement.

Example: a slice of every second row of ``f32[64,8]`` touches 32 runs of one sector each. Distinct sectors count once:
this is the floor of a pattern, and ``bytes`` of a kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise
from math import gcd, prod

from fstc.ir.conditions import MILLION, SHARE
from fstc.ir.indexing import At
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import Key, Pattern, key_of
from fstc.ir.reach import Limits, hull, limits
from fstc.ir.types import TensorType
from fstc.support.affine import Index, Term, linearize

SECTOR = 32  # bytes


Groups = tuple[tuple[Index, tuple[tuple[int, int], ...]], ...]


@dataclass(frozen=True)
class Use:
    """All places of one tensor that a pattern reads, or the one where it is written."""

    value: int
    mode: str
    offsets: tuple[Index, ...]  # in elements
    limits: Mapping[str, Limits] = field(default_factory=dict, compare=False)

    @cached_property
    def grouped(self) -> Groups:
        return _grouped(self)

    @cached_property
    def alike(self) -> tuple[object, ...]:
        """Equal for uses of one pattern that differ in the tensor only."""
        held = tuple(sorted((key, tuple(sorted(limit.items()))) for key, limit in self.limits.items() if limit))
        return self.mode, tuple(o.key for o in self.offsets), held

    @cached_property
    def _known(self) -> dict[str, tuple[frozenset[str], dict[str, int]]]:
        return {}

    def moves(self, pattern: Pattern, offset: Index) -> tuple[frozenset[str], dict[str, int]]:
        """(axes that an offset moves with, its limits), found once for all placements."""
        if offset.key not in self._known:
            axes = frozenset(a for t, _ in offset.terms for a in axes_of(pattern, t))
            self._known[offset.key] = (axes, self.limit(offset))
        return self._known[offset.key]

    def limit(self, offset: Index) -> dict[str, int]:
        """Variables that a condition holds back: how many of their values occur."""
        found = self.limits.get(offset.key, {})
        return {name: high - low for name, (low, high) in found.items() if name != SHARE}

    def share(self, offset: Index) -> float:
        """Of all places, those that conditions over several axes leave."""
        return self.limits.get(offset.key, {}).get(SHARE, (0, MILLION))[1] / MILLION


@dataclass(frozen=True)
class Box:
    """A set of elements: (count, stride in elements) of every direction, innermost first."""

    directions: tuple[tuple[int, int], ...]

    def walk(self) -> tuple[int, int, int, int]:
        """(elements of a contiguous run, runs, distance of neighbouring runs, runs in such a row)."""
        run, runs, apart, row = 1, 1, 0, 1
        for count, stride in self.directions:
            if count == 1:
                continue
            if stride <= run and runs == 1:
                run = (count - 1) * stride + run
            else:
                if runs == 1:
                    apart, row = stride, count
                runs *= count
        return run, runs, apart, row


def uses(pattern: Pattern) -> tuple[Use, ...]:
    """Inputs that are read and outputs that are written, each once, in order of value id."""
    graph = pattern.graph
    loads: dict[int, list[Index]] = {}
    limited: dict[int, dict[str, Limits]] = {}
    found_limits = limits(pattern)
    known_offsets: dict[tuple[str, tuple[int, ...]], Index] = {}  # of many tensors of one shape

    def offset_of(key: Key, at: At) -> Index:
        shape = graph.type(key[0]).shape
        found = known_offsets.get((key[1], shape))
        if found is None:
            found = known_offsets[key[1], shape] = linearize(at, shape)
        return found

    for key, instance in pattern.instances.items():
        if instance.role == "load":
            offset = offset_of(key, instance.at)
            loads.setdefault(instance.value, []).append(offset)
            known = limited.setdefault(instance.value, {})
            own = found_limits.get(key, {})
            earlier = known.get(offset.key, own)
            known[offset.key] = hull(earlier, own)
    found = [Use(v, "read", _maximal(pattern, dict.fromkeys(o)), limited[v]) for v, o in loads.items()]
    for value in dict.fromkeys(graph.outputs):
        producer = graph.values[value].node
        if producer >= 0 and graph.nodes[producer].op.form is Form.SCATTER:
            updates = graph.nodes[producer].inputs[2]
            touched = linearize(pattern.axes.index[updates], graph.type(updates).shape)
            found += [Use(value, mode, (touched,)) for mode in ("read", "write")]
        elif graph.type(value).elements and producer >= 0:
            at = pattern.native(value)
            found.append(Use(value, "write", (offset_of(key_of(value, at), at),)))
    return tuple(sorted(found, key=lambda u: (u.mode, u.value)))


def whole_bytes(ttype: TensorType) -> int:
    """All sectors of a tensor, in bytes."""
    return -(-ttype.nbytes // SECTOR) * SECTOR


def floor_bytes(pattern: Pattern) -> int:
    """The least that any plan moves: every outside tensor in once as far as it is read, every result out once."""
    if not pattern.instances:  # too many to list: all of every tensor
        graph = pattern.graph
        return sum(whole_bytes(graph.type(v)) for v in (*graph.inputs, *dict.fromkeys(graph.outputs)))
    return sum(distinct_bytes(pattern, use) for use in uses(pattern))


def _maximal(pattern: Pattern, offsets: Iterable[Index]) -> tuple[Index, ...]:
    """Drop offsets that only fix some variable of another one: a half that is picked is part of the whole.

    So is an element that is looked up along an axis which every block reads whole, since it is reduced there.
    """
    kept: dict[tuple[tuple[Term, int], ...], list[Index]] = {}  # by terms: who has the same differs in a constant only
    for offset in sorted(offsets, key=lambda o: -len(o.terms)):
        wider = (whole for terms, same in kept.items() if terms != offset.terms for whole in same)
        if not any(_fixes(offset, whole) or _looks_up(pattern, offset, whole) for whole in wider):
            kept.setdefault(offset.terms, []).append(offset)
    return tuple(sorted((o for same in kept.values() for o in same), key=lambda o: o.key))


def _grouped(use: Use) -> Groups:
    """Offsets that differ by equal steps as one, with (count, step): the two halves of a row are one row."""
    by_terms: dict[tuple[object, ...], list[Index]] = {}
    for offset in use.offsets:
        limit = tuple(sorted(use.limit(offset).items()))
        by_terms.setdefault((offset.terms, limit, use.share(offset)), []).append(offset)
    out: list[tuple[Index, tuple[tuple[int, int], ...]]] = []
    for same in by_terms.values():
        consts = sorted(o.const for o in same)
        steps = {b - a for a, b in pairwise(consts)}
        if len(steps) == 1:
            out.append((min(same, key=lambda o: o.const), ((len(consts), steps.pop()),)))
        else:
            out += [(o, ()) for o in same]
    return tuple(out)


def _looks_up(pattern: Pattern, part: Index, whole: Index) -> bool:
    found = [(t, c) for t, c in part.terms if t.key in pattern.dynamic]
    if len(found) != 1 or part.const != whole.const:
        return False
    (term, c), rest = found[0], dict(part.terms)
    del rest[term]
    missing = [(t, k) for t, k in whole.terms if t not in rest]
    if len(missing) != 1 or any(dict(whole.terms).get(t) != k for t, k in rest.items()):
        return False
    axis, k = missing[0]
    return k == c and axis.key in pattern.columns and term.low >= axis.low and term.high <= axis.high


def _fixes(part: Index, whole: Index) -> bool:
    own = dict(part.terms)
    if any(own.get(t, c) != c for t, c in whole.terms) or not own.keys() <= dict(whole.terms).keys():
        return False
    rest = part.const - whole.const
    for term, c in sorted((tc for tc in whole.terms if tc[0] not in own), key=lambda tc: -abs(tc[1])):
        if c > 0 and term.low == 0:
            rest -= min(max(rest, 0) // c, term.high) * c
    return rest == 0


def distinct_bytes(pattern: Pattern, use: Use) -> int:
    """Distinct sectors of a tensor that the pattern touches at all, in bytes."""
    ttype = pattern.graph.type(use.value)
    whole = whole_bytes(ttype)
    total = 0
    for offset, more in use.grouped:
        limit = use.limit(offset)
        counts = [
            (min(_count(pattern, t), limit.get(t.key, t.high + 1)), apart(pattern, t, c, ttype.dtype.size))
            for t, c in offset.terms
        ]
        directions = [*counts, *more]
        box = Box(tuple(sorted(directions, key=lambda d: d[1])))
        share = looked_up(pattern, offset, pattern.axes.extents, prod(n for n, _ in counts)) * use.share(offset)
        total += round(sectors(box, offset.const, ttype.dtype.size, ()) * share * SECTOR)
        if total >= whole:
            return whole
    return min(total, whole)


def places_of(pattern: Pattern, use: Use) -> frozenset[tuple[object, ...]] | None:
    """The elements that a use touches, equal for equal sets of patterns that differ in their axes; None: not known.

    Elements that are looked up, or read under conditions, are not known.
    """
    found = set()
    for offset, more in use.grouped:
        if use.limits.get(offset.key) or any(n in pattern.dynamic for n in offset.variables):
            return None
        directions = [(_count(pattern, t), abs(c)) for t, c in offset.terms]
        found.add((offset.const, *sorted(d for d in (*directions, *more) if d[0] > 1)))
    return frozenset(found)


def axes_of(pattern: Pattern, term: Term) -> frozenset[str]:
    """Axes that a term moves with, those behind a run-time index included."""
    names = term.arg.variables if term.arg is not None else frozenset({term.key})
    found: set[str] = set()
    for name in names:
        found |= pattern.dynamic.get(name, frozenset({name}))
    return frozenset(found)


def looked_up(pattern: Pattern, offset: Index, sizes: Mapping[str, int], counted: int) -> float:
    """Run-time indices move together with the axes that look them up: of ``counted`` places only so many occur."""
    if counted <= 1 or not any(n in pattern.dynamic for n in offset.variables):
        return 1.0
    places = 1
    for axis in frozenset().union(*(axes_of(pattern, t) for t, _ in offset.terms)):
        places *= sizes.get(axis, 1)
    return min(1.0, places / counted)


def apart(pattern: Pattern, term: Term, c: int, size: int) -> int:
    """Elements between neighbours of a term; what is looked up at run time lies in a sector of its own."""
    return max(abs(c), SECTOR // size) if term.key in pattern.dynamic else abs(c)


def _count(pattern: Pattern, term: Term) -> int:
    """Values that a term takes; a run-time index no more than there are places that look it up."""
    count = term.high - term.low + 1
    if term.key in pattern.dynamic:
        looked = 1
        for axis in pattern.dynamic[term.key]:
            looked *= pattern.axes.extents.get(axis, 1)
        count = min(count, looked)
    return count


LONG_ROW = 256  # neighbouring runs of which each is looked at


def sectors(box: Box, const: int, size: int, starts: tuple[tuple[int, int], ...]) -> float:
    """Distinct sectors of a box, the mean over the places where boxes start (multiples of what ``starts`` say)."""
    run, runs, apart, row = box.walk()
    length = run * size
    base = gcd(SECTOR, const * size)
    for count, stride in starts:
        if count > 1:
            base = gcd(base, stride * size)
    for count, stride in box.directions:
        if count > 1 and stride >= run and stride != apart:
            base = gcd(base, stride * size)
    if gcd(base, apart * size) == SECTOR:
        return runs * -(-length // SECTOR)
    looked = min(row, LONG_ROW)
    return _neighbours(length, apart * size, looked, base) * (runs / looked)


@lru_cache(maxsize=1 << 16)
def _neighbours(length: int, step: int, runs: int, base: int) -> float:
    """Distinct sectors of some runs, ``step`` bytes apart: the mean over multiples of ``base`` where they begin."""
    total = 0
    places = range(0, SECTOR, base)
    for at in places:
        last = -1
        for start in range(at, at + runs * step, step) if step else (at,) * runs:
            first, end = start // SECTOR, (start + length - 1) // SECTOR
            total += end - max(first - 1, last)
            last = end
    return total / len(places)
