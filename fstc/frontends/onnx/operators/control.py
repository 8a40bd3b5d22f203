"""Control flow that is resolved while importing, sequences and optionals, which exist only then.

Example: a ``Loop`` with a known trip count is its body as often; an ``If`` on data is both branches and a select.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.onnx.node import Absent, Entry, Handler, Items, Missing, Node, Result
from fstc.frontends.onnx.problems import Beyond, DataDependent, wrong
from fstc.ir.types import BOOL, I64

MOST_TRIPS = 1 << 15
MOST_ITEMS = 1 << 16


def if_(n: Node) -> list[Entry]:
    condition = n[0]
    if condition.dtype != BOOL or condition.type.elements != 1:
        raise wrong(f"the condition is {condition.type}, expected one bool")
    if condition.known is not None:
        branch = n.graph("then_branch" if bool(condition.known.reshape(-1)[0]) else "else_branch")
        return n.runner.subgraph(branch, [], n.scope)
    then, other = (n.runner.subgraph(n.graph(name), [], n.scope) for name in ("then_branch", "else_branch"))
    p = n.b.reshape(condition, ())
    found: list[Entry] = []
    for a, c in zip(then, other, strict=False):
        if isinstance(a, Missing) or isinstance(c, Missing):
            found.append(Missing("If"))
        elif not isinstance(a, Val) or not isinstance(c, Val) or a.type != c.type:
            raise DataDependent("the branches give different types, and which one is taken depends on data")
        else:
            found.append(n.b.select(p, a, c))
    return found


def loop(n: Node) -> list[Entry]:
    """Unrolled; the trip count and the condition must be known."""
    b, body = n.b, n.graph("body")
    limit = None if n.get(0) is None else int(n.scalar(0, "M", 0))
    goes = True if n.get(1) is None else bool(n.scalar(1, "cond", True))
    state: list[Entry] = list(n.inputs[2:])
    carried = len(state)
    scans: list[list[Entry]] = [[] for _ in range(len(body.output) - 1 - carried)]
    if len(body.output) < 1 + carried or len(body.input) != 2 + carried:
        raise wrong(f"{carried} loop-carried values, a body of {len(body.input)} inputs, {len(body.output)} outputs")
    if goes and limit is not None and limit > MOST_TRIPS and _never_stops(body):
        raise Beyond(f"a loop of {limit:,} trips: the most is {MOST_TRIPS:,}")
    trip = 0
    while goes and (limit is None or trip < limit):
        if trip >= MOST_TRIPS:
            raise Beyond(f"a loop of more than {MOST_TRIPS:,} trips")
        given = [b.full(trip, I64, ()), b.full(True, BOOL, ()), *state]
        condition, *made = n.runner.subgraph(body, given, n.scope)
        state = made[:carried]
        for rows, row in zip(scans, made[carried:], strict=True):
            rows.append(row)
        trip += 1
        if not isinstance(condition, Val):
            raise Unsupported("the loop's condition could not be mapped")
        goes = bool(n.elements(condition, "cond").reshape(-1)[0])
    return [*state, *(_stacked(n, rows, body.output[1 + carried + i]) for i, rows in enumerate(scans))]


def _never_stops(body: Any) -> bool:
    """Does the body pass its condition on as it is?"""
    made = {out: node for node in body.node for out in node.output}
    name, condition = body.output[0].name, body.input[1].name
    while name in made and made[name].op_type == "Identity" and len(made[name].input) == 1:
        name = made.pop(name).input[0]
    return bool(name == condition)


def _stacked(n: Node, rows: Sequence[Entry], declared: Any, axis: int = 0) -> Entry:
    """Scan outputs along a new axis."""
    if any(isinstance(r, Missing) for r in rows):
        return Missing("Loop")
    values = [r for r in rows if isinstance(r, Val)]
    if len(values) != len(rows):
        raise Unsupported("a loop that collects sequences")
    if not values:
        tensor = declared.type.tensor_type
        shape = [d.dim_value for d in tensor.shape.dim]
        if not tensor.HasField("shape") or not all(d.HasField("dim_value") for d in tensor.shape.dim):
            raise Unsupported("a loop without trips whose outputs have no stated shape")
        from fstc.frontends.onnx.tensors import element_type

        return n.b.full(0, element_type(tensor.elem_type), (0, *shape))
    if any(v.type != values[0].type for v in values):
        raise wrong("the trips of a loop give values of different types")
    return n.b.concat([n.b.expand(v, [axis]) for v in values], axis)


def scan(n: Node) -> list[Entry]:
    b, body, count = n.b, n.graph("body"), n.integer("num_scan_inputs")
    carried, collected = len(n.inputs) - count, len(body.output) - (len(n.inputs) - count)
    if not 0 < count <= len(n.inputs) or collected < 0 or len(body.input) != len(n.inputs):
        raise wrong(f"{count} scan inputs of {len(n.inputs)}, a body of {len(body.input)} inputs")
    state: list[Entry] = list(n.inputs[:carried])
    rows = [n[carried + i] for i in range(count)]
    axes = [n.axis(a, r.rank) for a, r in zip(n.integers("scan_input_axes", [0] * count), rows, strict=True)]
    backwards = n.integers("scan_input_directions", [0] * count)
    trips = {r.shape[a] for r, a in zip(rows, axes, strict=True)}
    if len(trips) != 1:
        raise wrong(f"scan inputs of {sorted(trips)} steps")
    steps = trips.pop()
    if steps > MOST_TRIPS:
        raise Beyond(f"a scan of more than {MOST_TRIPS:,} steps")
    found: list[list[Entry]] = [[] for _ in range(collected)]
    for step in range(steps):
        given: list[Entry] = []
        for row, axis, back in zip(rows, axes, backwards, strict=True):
            at = steps - 1 - step if back else step
            given.append(b.squeeze(b.slice_axis(row, axis, at, at + 1), [axis]))
        made = n.runner.subgraph(body, [*state, *given], n.scope)
        state = made[:carried]
        for kept, row_made in zip(found, made[carried:], strict=True):
            kept.append(row_made)
    ends = n.integers("scan_output_directions", [0] * collected)
    out_axes = n.integers("scan_output_axes", [0] * collected)
    results: list[Entry] = list(state)
    for i, kept in enumerate(found):
        first = kept[0] if kept else None
        axis = n.axis(out_axes[i], first.rank + 1) if isinstance(first, Val) else 0
        results.append(_stacked(n, kept[::-1] if ends[i] else kept, body.output[carried + i], axis))
    return results


# -- sequences and optionals ------------------------------------------------------------------------------------------


def sequence_at(n: Node) -> Val:
    items = n.items(0)
    return items[n.axis(int(n.scalar(1, "position", 0)), len(items), "position")]


def sequence_insert(n: Node) -> Items:
    items = list(n.items(0))
    at = int(n.scalar(2, "position", len(items)))
    if not -len(items) <= at <= len(items):
        raise wrong(f"position {at} in a sequence of {len(items)}")
    items.insert(at if at >= 0 else at + len(items), n[1])
    return Items(tuple(items))


def sequence_erase(n: Node) -> Items:
    items = list(n.items(0))
    del items[n.axis(int(n.scalar(1, "position", -1)), len(items), "position")]
    return Items(tuple(items))


def sequence_length(n: Node) -> Val:
    return n.b.full(len(n.items(0)), I64, ())


def concat_from_sequence(n: Node) -> Val:
    b, items, fresh = n.b, list(n.items(0)), n.integer("new_axis", 0)
    if not items:
        raise wrong("an empty sequence")
    axis = n.axis(n.integer("axis"), items[0].rank + (1 if fresh else 0))
    return b.concat([b.expand(v, [axis]) for v in items] if fresh else items, axis)


def split_to_sequence(n: Node) -> Items:
    b, x, keep = n.b, n[0], n.integer("keepdims", 1)
    axis = n.axis(n.integer("axis", 0), x.rank)
    extent = x.shape[axis]
    if extent > MOST_ITEMS:
        raise Beyond(f"a sequence of up to {extent:,} parts")
    if n.get(1) is None:
        parts = [b.slice_axis(x, axis, i, i + 1) for i in range(extent)]
        return Items(tuple(parts if keep else (b.squeeze(p, [axis]) for p in parts)))
    sizes = n.known_ints(1, "split") or []
    if n[1].rank == 0:
        if sizes[0] < 1:
            raise wrong(f"`split` is {sizes[0]}")
        sizes = [min(sizes[0], extent - i) for i in range(0, extent, sizes[0])]
    if sum(sizes) != extent or min(sizes, default=0) < 0:
        raise wrong(f"`split` is {sizes}, axis {axis} of {x.type} has {extent}")
    starts = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    return Items(tuple(b.slice_axis(x, axis, starts[i], starts[i + 1]) for i in range(len(sizes))))


def sequence_map(n: Node) -> list[Entry]:
    body, first = n.graph("body"), n.items(0)
    found: list[list[Val]] = [[] for _ in body.output]
    for i in range(len(first)):
        given: list[Entry] = []
        for k, entry in enumerate(n.inputs):
            items = entry.items if isinstance(entry, Items) else None
            if items is not None and len(items) != len(first):
                raise wrong(f"sequences of {len(first)} and {len(items)} items")
            given.append(n[k] if items is None else items[i])
        for kept, made in zip(found, n.runner.subgraph(body, given, n.scope), strict=True):
            if not isinstance(made, Val):
                raise Unsupported("a map over a sequence whose results could not be mapped")
            kept.append(made)
    return [Items(tuple(kept)) for kept in found]


def optional(n: Node) -> Result:
    found = n.inputs[0] if n.inputs else None
    return Absent() if found is None or isinstance(found, Absent) else found if isinstance(found, Items) else n[0]


def optional_has(n: Node) -> Val:
    found = n.inputs[0] if n.inputs else None
    return n.b.full(found is not None and not isinstance(found, Absent), BOOL, ())


def optional_get(n: Node) -> Result:
    found = n.inputs[0]
    return found if isinstance(found, Items) else n[0]


CONTROL: Mapping[str, Handler] = {
    "If": if_, "Loop": loop, "Scan": scan, "SequenceConstruct": lambda n: Items(tuple(n.all())),
    "SequenceEmpty": lambda n: Items(), "SequenceAt": sequence_at, "SequenceInsert": sequence_insert,
    "SequenceErase": sequence_erase, "SequenceLength": sequence_length, "ConcatFromSequence": concat_from_sequence,
    "SplitToSequence": split_to_sequence, "SequenceMap": sequence_map, "Optional": optional,
    "OptionalHasElement": optional_has, "OptionalGetElement": optional_get,
}  # fmt: skip
