"""Values at index expressions, for all threads of a part at once: what the interpreter computes inside of a nest.

Example: ``at(value, index)`` of a sum's operand is loaded, taken from a hold, or computed from its operands' instances.
An element that nobody made is poison. Semantics come from the op table's references; the types are the graph's, so
every value is rounded where it is defined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from fstc.ir.axes import coordinates
from fstc.ir.graph import Node
from fstc.ir.indexing import CHOOSES, At, Read, per_dim, reads
from fstc.ir.ops.evaluate import run_op, run_region
from fstc.ir.ops.monoid import body_monoid, combine, exact, identity
from fstc.ir.ops.numerics import cast
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import Pattern, initials, key_of, window_read
from fstc.ir.types import DType
from fstc.plan.artefact import Hold
from fstc.plan.chip import Shared, Threads, poison
from fstc.support.affine import Index, ranged, var
from fstc.support.diagnostics import InternalError

Array = Any


class Instances:
    """Of one part. ``results`` are finished reductions, ``kept`` the holds that earlier nests have written."""

    def __init__(
        self,
        pattern: Pattern,
        threads: Threads,
        arena: Shared,
        inputs: Mapping[int, Array],
        holds: Mapping[int, Hold],
    ) -> None:
        self.pattern, self.graph = pattern, pattern.graph
        self.threads, self.arena, self.inputs, self.holds = threads, arena, inputs, holds
        self.results: dict[int, Array] = {}
        self.kept: dict[int, Array] = {}
        self.loops: frozenset[str] = frozenset()
        self._pending: dict[int, Array] = {}
        self._memo: dict[tuple[int, str], Array] = {}
        self._guarded: dict[tuple[int, str], Array] = {}  # computed under a condition
        self._numbers: dict[str, Array] = {}  # variables of index expressions
        self._depth = 0

    # -- a nest -----------------------------------------------------------------------------------------------

    def begin(self, loops: Sequence[str]) -> None:
        self.loops = frozenset(loops)
        self._memo, self._guarded, self._numbers = {}, {}, {}

    def end(self) -> None:
        """What this nest has written into holds, later ones may read."""
        for value, array in self._pending.items():
            self.kept.setdefault(value, array)
        self._pending = {}
        self.begin(())

    def number(self, index: Index) -> Array:
        """An index expression in numbers."""
        total: Array = np.full([1] * self.threads.rank, index.const, np.int64)
        for term, c in index.terms:
            if term.arg is None:
                part = self._variable(term.key)
            else:
                inner = self.number(term.arg)
                part = inner // term.by if term.kind == "div" else inner % term.by
            total = total + c * part
        return total

    def _variable(self, name: str) -> Array:
        if name not in self._numbers:
            place = self.threads.places.get(name)
            if place is None:
                raise InternalError(f"the index {name} is not known in this part")
            if place.per_thread > 1 and name not in self.loops:
                raise InternalError(f"axis {name} is asked for outside of its loop")
            self._numbers[name] = self.threads.index(name)
        return self._numbers[name]

    def inside(self, axes: Sequence[str]) -> Array:
        """Threads and steps whose indices are within the extents."""
        found = np.ones([1] * self.threads.rank, bool)
        for axis in axes:
            found = found & (self._variable(axis) < self.threads.places[axis].extent)
        return found

    # -- one instance -----------------------------------------------------------------------------------------

    def at(self, value: int, index: At) -> Array:
        key = key_of(value, index)
        found = self._memo.get(key)
        if found is None and self._depth:
            found = self._guarded.get(key)
        if found is not None:
            return found
        found = self._held(value, index)
        if found is None:
            found = self._made(value, index)
        (self._guarded if self._depth else self._memo)[key] = found
        self._keep(value, index, found)
        return found

    def _made(self, value: int, index: At) -> Array:
        node_id = self.graph.values[value].node
        if node_id < 0:
            if value not in self.inputs:
                raise InternalError(f"%{self._name(value)} is no input of this part")
            return self.look(self.inputs[value], index, self.graph.type(value).dtype)
        if value in self.results:
            return self._fixed(self.results[value], value, index)
        node = self.graph.nodes[node_id]
        if node_id in self.pattern.depth or node.op.form in (Form.SCAN, Form.SCATTER):
            raise InternalError(f"%{self._name(value)} is read before it is finished")
        return self._computed(node, value, index)

    def _name(self, value: int) -> str:
        return self.graph.values[value].name

    def look(self, array: Array, index: At, dtype: DType) -> Array:
        """Elements of an array; poison outside of it."""
        where = [self.number(i) for i in index]
        inside = np.ones([1] * self.threads.rank, bool)
        for i, extent in zip(where, array.shape, strict=True):
            inside = inside & (i >= 0) & (i < extent)
        if not array.size:
            return np.full(inside.shape, poison(dtype))
        picked = array[tuple(np.clip(i, 0, e - 1) for i, e in zip(where, array.shape, strict=True))]
        return np.where(inside, picked, poison(dtype)) if where else np.full(inside.shape, picked)

    def _fixed(self, array: Array, value: int, index: At) -> Array:
        """A thread's own elements of what it holds: at its loops, or at a constant place of an axis that it has."""
        native = self.pattern.native(value)
        if index != native:
            found = coordinates(native, self.graph.type(value).shape, index)
            if found is None:
                raise InternalError(f"%{self._name(value)} is read where its threads do not have it")
            for axis, where in found.items():
                place = self.threads.places[axis]
                if where.is_const and place.lanes == place.warps == place.grid == 1:
                    if place.per_thread > 1:
                        array = np.take(array, [where.const], axis=self.threads.dims[axis])
                elif where != var(axis, self.pattern.extent(axis)):
                    raise InternalError(f"%{self._name(value)} is read elsewhere along {axis}")
        for axis, dim in self.threads.dims.items():
            if array.shape[dim] > 1 and axis not in self.loops:
                raise InternalError(f"%{self._name(value)} is read outside of the loop over {axis}")
        return array

    # -- holds ------------------------------------------------------------------------------------------------

    def _held(self, value: int, index: At) -> Array | None:
        if value not in self.kept:
            return None
        native = self.pattern.native(value)
        if index != native:
            found = coordinates(native, self.graph.type(value).shape, index)
            places = self.threads.places
            if found is None or not all(
                where == var(a, self.pattern.extent(a))
                or (where.is_const and places[a].lanes == places[a].warps == places[a].grid == 1)
                for a, where in found.items()
            ):
                return None  # this element is not the thread's own: computed from what is at hand
        array = self.kept[value]
        if self.holds[value].carrier == "shared":
            (array,) = self.arena.read(f"hold {value}", [self.graph.type(value).dtype])
        return self._fixed(array, value, index)

    def _keep(self, value: int, index: At, array: Array) -> None:
        """The first time that a whole held value is computed, and not only under a condition, it is kept."""
        hold = self.holds.get(value)
        if hold is None or value in self.kept or value in self._pending or self._depth:
            return
        if index != self.pattern.native(value):
            return
        places = self.threads.places
        if any(places[a].per_thread > 1 and a not in self.loops for a in hold.axes):
            return
        if self.threads.per_thread(hold.axes) != hold.elements:
            raise InternalError(f"%{self._name(value)} needs another number of elements a thread than it is given")
        for axis, dim in self.threads.dims.items():
            if array.shape[dim] > 1 and axis not in hold.axes:
                raise InternalError(f"%{self._name(value)} differs along {axis}, which its hold does not have")
        if hold.carrier == "shared":
            size = hold.elements * self.graph.type(value).dtype.size * self.threads.warps * 32
            self.arena.write(f"hold {value}", hold.offset, size, (array,))
        self._pending[value] = array

    # -- what must be computed --------------------------------------------------------------------------------

    def _computed(self, node: Node, value: int, index: At) -> Array:
        form, dtype = node.op.form, self.graph.type(value).dtype
        if form is Form.REDUCE:
            return self._of_nothing(node, value, index)
        if form is Form.REDUCE_WINDOW:
            return self._window(node, index)
        if form is Form.RNG:
            words = [self.at(node.inputs[0], (Index(k),)).reshape(-1)[0] for k in range(2)]
            state = np.array(words, self.graph.type(node.inputs[0]).dtype.numpy())
            return self.look(run_op(self.graph, node, [state])[node.outputs.index(value)], index, dtype)
        if form in (Form.CONSTANT, Form.IOTA):
            if form is Form.CONSTANT and not index:
                return np.full([1] * self.threads.rank, run_op(self.graph, node, [])[0])
            return self.look(run_op(self.graph, node, [])[0], index, dtype)
        found = tuple(r for r in reads(self.graph, node, index, self._dynamic(node)) if not r.never)
        if form in CHOOSES:
            return self._choose(node, found)
        arrays = [self.at(node.inputs[r.operand], r.at) for r in found]
        if form is not Form.ELEMENTWISE:
            return arrays[0]
        (made,) = node.op.reference(arrays, self.graph.infer_args(node))
        return cast(made, dtype)

    def _dynamic(self, node: Node) -> Callable[[int, At, int, int], Index]:
        def look(operand: int, where: At, low: int, high: int) -> Index:
            if low == high:
                return Index(low)
            value = node.inputs[operand]
            name = self.pattern.dynamic_name(key_of(value, where), low, high)
            found = self.at(value, where)
            info = np.iinfo(found.dtype)
            clipped = np.clip(found, max(low, info.min), min(high, info.max))
            self._numbers[name] = clipped.astype(np.int64)
            return ranged(name, low, high)

        return look

    def _choose(self, node: Node, found: tuple[Read, ...]) -> Array:
        """The first read whose conditions hold."""
        if found[0].always:
            return self.at(node.inputs[found[0].operand], found[0].at)
        out: Array | None = None
        for read in reversed(found):
            self._depth += 1
            array = self.at(node.inputs[read.operand], read.at)
            self._depth -= 1
            holds = np.ones([1] * self.threads.rank, bool)
            for c in read.when:
                number = self.number(c.index)
                holds = holds & (number >= c.low) & (number < c.high)
            out = array if out is None or read.always else np.where(holds, array, out)
        assert out is not None
        return out

    def _of_nothing(self, node: Node, value: int, index: At) -> Array:
        """A reduction of no element: its initial value, or the identity."""
        position = node.outputs.index(value)
        inits = initials(self.graph, node)
        if inits:
            return self.at(inits[position], ())
        operand = self.graph.type(node.inputs[0])
        made = run_op(self.graph, node, [np.zeros(operand.shape, operand.dtype.numpy())])
        return self.look(made[position], index, self.graph.type(value).dtype)

    def _window(self, node: Node, index: At) -> Array:
        """All positions of a window side by side, then folded in row-major order."""
        graph, operand = self.graph, self.graph.type(node.inputs[0])
        dtype = graph.type(node.outputs[0]).dtype
        inits = node.inputs[1:]
        inner, loops = window_read(graph, node, index)
        for name, extent in loops:
            self._numbers[name] = self.threads.along(self.threads.windows[name], np.arange(extent, dtype=np.int64))
        monoid = monoid_of(node)
        if inits:
            first = self.at(inits[0], ())
        else:
            first = np.full([1] * self.threads.rank, identity(str(monoid), dtype)).astype(dtype.numpy())
        valid = self._seen(node, index)
        x: Array = first
        if operand.elements:
            self._depth += 1
            x = np.where(valid, self.at(node.inputs[0], inner), first)
            self._depth -= 1
        shape = list(np.broadcast_shapes(x.shape, valid.shape))
        for name, extent in loops:
            shape[self.threads.windows[name]] = extent
        x = np.broadcast_to(x, shape)
        state = accumulate(first, dtype) if monoid else first
        for position in product(*(range(extent) for _, extent in loops)):
            step = x
            for (name, _), at in zip(loops, position, strict=True):
                step = np.take(step, [at], axis=self.threads.windows[name])
            if monoid:
                state = combine(monoid, state, accumulate(step, dtype))
            else:
                (state,) = run_region(node.regions[0], (state, step), wide=False)
        return cast(state, dtype)

    def _seen(self, node: Node, index: At) -> Array:
        """Where a window's position is an element, not padding nor a hole of the base dilation."""
        shape = self.graph.type(node.inputs[0]).shape
        rank = len(shape)
        strides, spread = per_dim(node, "window_strides", rank, 1), per_dim(node, "window_dilations", rank, 1)
        base = per_dim(node, "base_dilations", rank, 1)
        padding = node.attr("padding") or ((0, 0),) * rank
        found = np.ones([1] * self.threads.rank, bool)
        for n, size in enumerate(node.attr("window_dimensions")):
            position = self.number(index[n]) * strides[n] - padding[n][0]
            if size > 1:
                position = position + self._numbers[f"w{node.id}_{n}"] * spread[n]
            found = found & (position >= 0) & (position <= (shape[n] - 1) * base[n]) & (position % base[n] == 0)
        return found


def monoid_of(node: Node) -> str | None:
    """The combiner of a reduction, None for a body that is none."""
    return node.op.monoid or (body_monoid(node.regions[0]) if node.regions else None)


def accumulate(x: Array, dtype: DType) -> Array:
    """In the type that sums are carried in: f32 for narrow floats."""
    return exact(x) if dtype.is_float else x
