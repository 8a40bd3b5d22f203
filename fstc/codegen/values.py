"""Statements that compute one instance: a value at an index, from what is at hand.

Example: the instance ``%y`` at ``(i, j)`` becomes ``const float v4 = v2 * v3;`` in the outermost scope where its
axes are known. Layout ops leave no statement: they change the index at which their operand is asked for.
"""

from __future__ import annotations

from fstc.codegen.context import Context, rounded
from fstc.codegen.digits import added, scaled
from fstc.codegen.program import Block, Line, Scope
from fstc.codegen.random_bits import emit_random
from fstc.codegen.tiles import Tiles
from fstc.codegen.windows import emit_window
from fstc.ir.axes import coordinates
from fstc.ir.graph import Graph, Node, Region
from fstc.ir.indexing import CHOOSES, At, Condition, Read, reads
from fstc.ir.ops import cuda_expr, literal
from fstc.ir.ops.monoid import body_monoid, identity
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import Instance, initials, key_of
from fstc.ir.types import DType
from fstc.plan.artefact import Hold
from fstc.support.affine import Index, linearize, ranged, var


def clamped(dtype: DType, text: str, low: int, high: int, kind: str) -> str:
    """A run-time index within its bounds, compared in its own type before it becomes one of ours."""
    bits = 8 * dtype.size - (dtype.kind == "i")
    least, most = (-(1 << bits) if dtype.kind == "i" else 0), (1 << bits) - 1
    above = f"{text} > {high} ? {high} : " if high < most else ""
    below = f"{text} < {low} ? {low} : " if low > least else ""
    return f"{below}{above}{kind}({text})"


CHAIN = 64  # instances from which on a root is computed from its beginning


class Values:
    """Evaluates instances into the scopes of a context."""

    def __init__(self, ctx: Context, results: dict[int, tuple[str, tuple[str, ...]]]) -> None:
        self.ctx = ctx
        self.graph: Graph = ctx.pattern.graph
        self.results = results  # value of a finished reduction -> (array, kept axes)
        self.tiles = Tiles(ctx)
        self.pending: set[int] = set()  # holds written in the current nest; later nests may read them

    # -- entry ------------------------------------------------------------------------------------------------

    def at(self, value: int, index: At) -> str:
        """C text (an identifier or a literal) of an instance; emits what is missing."""
        node_id = self.graph.values[value].node
        if node_id >= 0 and self.graph.nodes[node_id].op.form is Form.CONSTANT:
            return self._literal(value)
        key = self._key(value, index)
        found = self._known(key)
        if found is not None:
            return found
        axes = self._axes(value, index)
        depth = self.ctx.level_of(axes)
        scope = self.ctx.branches[-1] if self.ctx.branches else self.ctx.levels[depth].scope
        text = self._held(value, index, scope)
        if text is None and node_id < 0:
            text = self._load(value, index, scope, depth)
        if text is None and value in self.results:
            array, kept = self.results[value]
            text = self.ctx.cell(array, self.ctx.count(kept), self.ctx.slot(kept, self._fixed(value, index)))
        if text is None:
            text = self._compute(value, index, scope)
        scope.memo[key] = text
        self._keep(value, index, text, scope)
        return text

    def _key(self, value: int, index: At) -> tuple[int, str]:
        return key_of(value, index)

    def root(self, value: int, index: At) -> str:
        """As ``at``, for the root of a nest: long chains are computed from their beginning, not by recursion."""
        pattern, key = self.ctx.pattern, key_of(value, index)
        if key in pattern.instances:
            # What is held is at hand, and what is guarded is computed in its branch.
            stop = {k for k, i in pattern.instances.items() if i.guarded or i.value in self.ctx.defined}
            order = pattern.reach((key,), stop)
            for k in order if len(order) > CHAIN else ():
                instance = pattern.instances[k]
                # What is read at an index of run time waits for the gather that declares the index.
                if not any(name in pattern.dynamic for i in instance.at for name in i.variables):
                    self.at(instance.value, instance.at)
        return self.at(value, index)

    def _known(self, key: tuple[int, str]) -> str | None:
        for scope in (*(level.scope for level in self.ctx.levels), *self.ctx.branches):
            if key in scope.memo:
                return scope.memo[key]
        return None

    def _axes(self, value: int, index: At) -> frozenset[str]:
        """Axes that the instance depends on, as the pattern found them; of an instance it has not seen, all."""
        instance: Instance | None = self.ctx.pattern.instances.get(key_of(value, index))
        if instance is not None:
            return instance.depends
        return frozenset(a for a in self.ctx.places)

    def _literal(self, value: int) -> str:
        node = self.graph.nodes[self.graph.values[value].node]
        return literal(self.graph.type(value).dtype, node.attr("value"))

    # -- what is at hand --------------------------------------------------------------------------------------

    def _fixed(self, value: int, index: At) -> dict[str, int]:
        native = self.ctx.pattern.native(value)
        if index == native:
            return {}
        found = coordinates(native, self.graph.type(value).shape, index) or {}
        return {axis: where.const for axis, where in found.items() if where.is_const}

    def _held(self, value: int, index: At, scope: Scope) -> str | None:
        hold = self.ctx.holds.get(value)
        if hold is None or value not in self.ctx.defined:
            return None
        fixed: dict[str, int] = {}
        native = self.ctx.pattern.native(value)
        if index != native:
            found = coordinates(native, self.graph.type(value).shape, index)
            if found is None:
                return None
            for axis, where in found.items():
                if where.is_const and self.ctx.in_thread(axis):
                    fixed[axis] = where.const
                elif where != var(axis, self.ctx.pattern.extent(axis)):
                    return None
        return self.ctx.up(self.graph.type(value).dtype, self._place(hold, fixed), scope)

    def _place(self, hold: Hold, fixed: dict[str, int] | None = None) -> str:
        """The held element at the current loops: in a register array, or in shared memory, neighbours side by side."""
        slot = self.ctx.slot(hold.axes, fixed)
        if hold.carrier == "register":
            return self.ctx.cell(f"h{hold.value}", hold.elements, slot)
        row = added(scaled(slot, self.ctx.warps * 32) if slot != "0" else "0", "threadIdx.x")
        return f"h{hold.value}[{row}]"

    def _keep(self, value: int, index: At, text: str, scope: Scope) -> None:
        hold = self.ctx.holds.get(value)
        if hold is None or value in self.ctx.defined or self.ctx.branches or index != self.ctx.pattern.native(value):
            return
        if any(a not in self.ctx.loops for a in hold.axes if self.ctx.places[a].per_thread > 1):
            return
        scope.before.append(Line(f"{self._place(hold)} = {self.ctx.down(self.graph.type(value).dtype, text)};"))
        self.pending.add(value)

    def _load(self, value: int, index: At, scope: Scope, depth: int) -> str:
        dtype = self.graph.type(value).dtype
        offset = linearize(index, self.graph.type(value).shape)
        origin = f"%{self.graph.values[value].name}"
        element = None if self.ctx.branches else self.tiles.load(value, offset)
        if element is not None:
            return self.ctx.up(dtype, element, scope, origin)
        text = f"{self.ctx.params[value]}[{offset.c_text(self.names(depth))}]"
        if dtype.storage == dtype.compute or value not in self.ctx.holds:
            text = text if dtype.storage == dtype.compute else f"fst::up({text})"
            return self.ctx.declare(dtype.compute, text, scope, origin)
        return self.ctx.up(dtype, self.ctx.declare(dtype.storage, text, scope, origin), scope, origin)

    def names(self, depth: int | None = None) -> dict[str, str]:
        return self.ctx.names(len(self.ctx.levels) - 1 if depth is None else depth)

    # -- what must be computed --------------------------------------------------------------------------------

    def _compute(self, value: int, index: At, scope: Scope) -> str:
        node = self.graph.nodes[self.graph.values[value].node]
        form = node.op.form
        if form is Form.REDUCE:
            return self.nothing(node, node.outputs.index(value), scope)
        if form is Form.REDUCE_WINDOW:
            return emit_window(self, node, index, scope)
        if form is Form.IOTA:
            dtype = self.graph.type(value).dtype
            text = index[node.attr("dimension")].c_text(self.names())
            return self.ctx.declare(
                dtype.compute, f"fst::convert<{dtype.storage}>(fst::i64({text}))", scope, self.ctx.origin(node)
            )
        if form is Form.RNG:
            return emit_random(self, node, value, index, scope)
        found = tuple(r for r in reads(self.graph, node, index, self._dynamic(node, scope)) if not r.never)
        if form in CHOOSES:
            return self._choose(node, found, scope)
        if form is not Form.ELEMENTWISE:
            return self.at(node.inputs[found[0].operand], found[0].at)
        args = [self.at(node.inputs[r.operand], r.at) for r in found]
        return self.apply(node, args, scope)

    def apply(self, node: Node, args: list[str], scope: Scope) -> str:
        """One element-wise statement."""
        result = self.graph.type(node.outputs[0]).dtype
        dtypes = [self.graph.type(v).dtype for v in node.inputs]
        text = cuda_expr(node.op, dtypes, result, dict(node.attrs), args)
        origin = self.ctx.origin(node)
        if text in args and not (result.is_float and result.size < 4):
            return text  # a conversion that a register does not notice
        if result.is_float and result.size < 4 and self._leaves(node.outputs[0]):
            stored = self.ctx.fresh("n")
            scope.before.append(Line(f"const {result.storage} {stored} = fst::down<{result.storage}>({text});", origin))
            return self.ctx.up(result, stored, scope, origin)
        return self.ctx.declare(result.compute, rounded(result, text), scope, origin)

    def _leaves(self, value: int) -> bool:
        """Whether the value is wanted in its storage type too."""
        return value in self.ctx.holds or value in self.graph.outputs

    def _dynamic(self, node: Node, scope: Scope):  # type: ignore[no-untyped-def]
        def look(operand: int, where: At, low: int, high: int) -> Index:
            if low == high:
                return Index(low)
            value = node.inputs[operand]
            text = self.at(value, where)
            dtype = self.graph.type(value).dtype
            name = self.ctx.pattern.dynamic_name(key_of(value, where), low, high)
            key = (value, name)
            if self._known(key) is None:
                kind = self.ctx.index_type
                here = self.ctx.branches[-1] if self.ctx.branches else self._scope_of(value, where)
                inside = clamped(dtype, text, low, high, kind)
                here.names[name] = self.ctx.declare(kind, inside, here, self.ctx.origin(node), "d")
                here.memo[key] = name
            return ranged(name, low, high)

        return look

    def _scope_of(self, value: int, where: At) -> Scope:
        return self.ctx.levels[self.ctx.level_of(self._axes(value, where))].scope

    def _choose(self, node: Node, found: tuple[Read, ...], scope: Scope) -> str:
        """The first read whose conditions hold; the others are not evaluated, so nothing is read out of bounds."""
        dtype = self.graph.type(node.outputs[0]).dtype
        if found[0].always:
            return self.at(node.inputs[found[0].operand], found[0].at)
        name = self.ctx.fresh("c")
        scope.before.append(Line(f"{dtype.compute} {name};", self.ctx.origin(node)))
        head = ""
        for read in found:
            test = " && ".join(self.test(c) for c in read.when if not c.always)
            block = Block(f"{head}if ({test}) {{" if test else f"{head}{{")
            self._branch(block, node.inputs[read.operand], read.at, name)
            scope.before.append(block)
            head = "else "
            if not test:
                break
        return name

    def _branch(self, block: Block, value: int, index: At, name: str) -> None:
        branch = Scope()
        self.ctx.branches.append(branch)
        text = self.at(value, index)
        self.ctx.branches.pop()
        block.items = [*branch.before, Line(f"{name} = {text};")]

    def test(self, condition: Condition) -> str:
        text = condition.index.c_text(self.names())
        parts = []
        if condition.index.low < condition.low:
            parts.append(f"{text} >= {condition.low}")
        if condition.index.high >= condition.high:
            parts.append(f"{text} < {condition.high}")
        return " && ".join(parts) or "true"

    # -- combiners --------------------------------------------------------------------------------------------

    def monoid(self, node: Node) -> str | None:
        return node.op.monoid or (body_monoid(node.regions[0]) if node.regions else None)

    def accumulator(self, dtype: DType) -> str:
        return dtype.compute

    def nothing(self, node: Node, result: int, scope: Scope) -> str:
        """A reduction of no element: its initial value, or the identity."""
        inits = initials(self.graph, node)
        if inits:
            return self.at(inits[result], ())
        dtype = self.graph.type(node.outputs[result]).dtype
        if result == 1:
            return literal(dtype, 0)
        assert node.op.monoid is not None
        return literal(dtype, identity(node.op.monoid, dtype))

    def combine(self, node: Node, state: list[str], other: list[str], into: list[Line | Block]) -> None:
        """``state = combine(state, other)``, component by component."""
        monoid = self.monoid(node)
        if monoid in ("argmax", "argmin"):
            kind = "max" if monoid == "argmax" else "min"
            into.append(Line(f"fst::arg_{kind}({', '.join([*state, *other])});", self.ctx.origin(node)))
        elif monoid is not None:
            into.append(Line(f"{state[0]} = fst::op_{monoid}({state[0]}, {other[0]});", self.ctx.origin(node)))
        else:
            texts = self.body(node.regions[0], [*state, *other], into, self.ctx.origin(node))
            for name, text in zip(state, texts, strict=True):
                into.append(Line(f"{name} = {text};", self.ctx.origin(node)))

    def body(self, region: Region, args: list[str], into: list[Line | Block], origin: str) -> list[str]:
        body = region.graph
        known = dict(zip(body.inputs, args, strict=True))
        for node in body.nodes:
            result = body.type(node.outputs[0]).dtype
            if node.op.form is Form.CONSTANT:
                known[node.outputs[0]] = literal(result, node.attr("value"))
                continue
            dtypes = [body.type(v).dtype for v in node.inputs]
            args = [known[v] for v in node.inputs]
            text = rounded(result, cuda_expr(node.op, dtypes, result, dict(node.attrs), args))
            name = self.ctx.fresh("b")
            into.append(Line(f"const {result.compute} {name} = {text};", origin))
            known[node.outputs[0]] = name
        out = []
        for value in body.outputs:  # copied first: a body may return its own arguments
            name = self.ctx.fresh("b")
            into.append(Line(f"const {body.type(value).dtype.compute} {name} = {known[value]};", origin))
            out.append(name)
        return out


__all__ = ["Values"]
