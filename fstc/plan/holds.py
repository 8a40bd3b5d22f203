"""Which values a pattern should keep between phases.

Example: in a masked softmax ``s = x * scale + mask`` is needed by three phases and ``exp(s - max)`` by two; holding
these two values costs one register array at a time, holding what they are made of would cost two and a second exp.
"""

from __future__ import annotations

from dataclasses import dataclass

from fstc.ir.axes import coordinates
from fstc.ir.ops.opdef import Kind
from fstc.ir.pattern import Key, Pattern, key_of
from fstc.support.affine import var


@dataclass(frozen=True)
class Held:
    """A value worth keeping: written in phase ``first``, last read in phase ``last``."""

    value: int
    axes: tuple[str, ...]
    size: int  # bytes an element
    first: int
    last: int


def choose_holds(pattern: Pattern, excluded: frozenset[int] = frozenset()) -> tuple[Held, ...]:
    """The frontier between each phase and the ones before it, pushed towards narrower operands where that is free.

    ``excluded`` values find no room: what they are made of is kept in their place, where that is possible.
    """
    phases = pattern.phases()
    if phases == 1:
        return ()
    made: dict[Key, int] = {}  # canonical instance -> phase that surely computes it
    span: dict[Key, list[int]] = {}
    for phase in range(phases):
        roots = [r for r in pattern.roots if r.phase == phase]
        for key in _frontier(pattern, tuple(k for r in roots for k in r.keys), made):
            span.setdefault(key, [made[key], phase])[1] = phase
        for root in roots:
            for key in _surely(pattern, root.keys):
                if key not in made and key[0] not in excluded and _kept_by(pattern, key, root.axes):
                    made[key] = phase
    order = {name: n for n, name in enumerate(pattern.used)}
    return tuple(
        Held(
            key[0],
            tuple(sorted(pattern.instances[key].depends, key=lambda a: order[a])),
            pattern.graph.type(key[0]).dtype.size,
            first,
            last,
        )
        for key, (first, last) in span.items()
    )


def base_of(pattern: Pattern, key: Key) -> tuple[Key, tuple[str, ...]] | None:
    """The canonical instance that contains this one, and the axes it fixes; None when it is read from elsewhere."""
    if key not in pattern.bases:
        pattern.bases[key] = _base(pattern, key)
    return pattern.bases[key]


def _base(pattern: Pattern, key: Key) -> tuple[Key, tuple[str, ...]] | None:
    instance = pattern.instances[key]
    native = pattern.native(instance.value)
    if instance.at == native:
        return key, ()
    found = coordinates(native, pattern.graph.type(instance.value).shape, instance.at)
    if found is None:
        return None
    fixed = []
    for axis, where in found.items():
        if where == var(axis, pattern.extent(axis)):
            continue
        if not where.is_const:
            return None
        fixed.append(axis)
    return key_of(instance.value, native), tuple(fixed)


def _kept_by(pattern: Pattern, key: Key, axes: tuple[str, ...]) -> bool:
    """Whether a root over these axes computes the whole value where its threads can keep it."""
    instance = pattern.instances[key]
    if instance.role not in ("load", "op") or not instance.depends or not instance.depends <= set(axes):
        return False
    node = pattern.graph.values[instance.value].node
    if node >= 0 and pattern.graph.nodes[node].op.kind in (Kind.LAYOUT, Kind.SOURCE):
        return False
    return instance.at == pattern.native(instance.value) and not any(a.startswith("w") for a in instance.depends)


def _surely(pattern: Pattern, keys: tuple[Key, ...]) -> list[Key]:
    """Instances that every thread computes, not only under a condition."""
    seen: dict[Key, None] = {}
    stack = list(keys)
    while stack:
        key = stack.pop()
        if key in seen:
            continue
        seen[key] = None
        instance = pattern.instances[key]
        if instance.role == "op" and not instance.guarded:
            stack += instance.children
    return list(seen)


def _frontier(pattern: Pattern, keys: tuple[Key, ...], made: dict[Key, int]) -> list[Key]:
    found: dict[Key, None] = {}
    seen: set[Key] = set()
    stack = list(reversed(keys))
    while stack:
        key = stack.pop()
        if key in seen:
            continue
        seen.add(key)
        instance = pattern.instances[key]
        if instance.role in ("literal", "result"):
            continue
        base = base_of(pattern, key)
        if base is not None and base[0] in made:
            narrower = _narrower(pattern, base[0], made)
            for chosen in narrower:
                found[chosen] = None
            pattern.in_thread.update(base[1])
            continue
        if instance.role == "op":
            stack += reversed(instance.children)
    return list(found)


def _narrower(pattern: Pattern, key: Key, made: dict[Key, int]) -> list[Key]:
    """Replace a light value by its operands where these are no wider together: a convert by what it converts."""
    instance = pattern.instances[key]
    node = pattern.graph.values[instance.value].node
    if node < 0 or pattern.graph.nodes[node].op.kind is not Kind.LIGHT:
        return [key]
    below: list[Key] = []
    for child in instance.children:
        role = pattern.instances[child].role
        if role == "literal":
            continue
        if role == "result" or child not in made:
            return [key]
        below.append(child)

    def width(k: Key) -> int:
        return pattern.graph.type(k[0]).dtype.size

    if (
        below
        and all(pattern.instances[c].depends == instance.depends for c in below)
        and (sum(width(c) for c in below) <= width(key))
    ):
        return [k for c in below for k in _narrower(pattern, c, made)]
    return [key]
