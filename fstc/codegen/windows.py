"""Windows: folded where they are needed, element by element, in index order.

Example: a pooling of 3x3 is two small loops with a guard against the padding, inside the scope of its result. A value
that windows would compute again and again is a kernel boundary; ``plan`` sees to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fstc.codegen.context import rounded
from fstc.codegen.program import Block, Line, Scope
from fstc.ir.graph import Graph, Node
from fstc.ir.indexing import At, Condition, per_dim
from fstc.ir.ops import literal
from fstc.ir.ops.monoid import identity
from fstc.ir.pattern import window_read
from fstc.support.affine import Index, var

if TYPE_CHECKING:
    from fstc.codegen.values import Values

IDEMPOTENT = frozenset({"max", "min", "and", "or"})  # an initial value counts once however often it is met


def emit_window(values: Values, node: Node, index: At, scope: Scope) -> str:
    """A window is folded where it is needed, element by element, in index order."""
    source, dtype = node.inputs[0], values.graph.type(node.outputs[0]).dtype
    inits = node.inputs[1:]
    name = values.ctx.fresh("c")
    origin = values.ctx.origin(node)
    first = values.at(inits[0], ()) if inits else literal(dtype, identity(str(node.op.monoid), dtype))
    scope.before.append(Line(f"{dtype.compute} {name} = {first};", origin))
    inner, loops = window_read(values.graph, node, index)
    block: list[Line | Block] = scope.before
    for loop, extent in loops:
        head = Block(f"for (int {loop} = 0; {loop} < {extent}; ++{loop}) {{")
        block.append(head)
        block = head.items
    padding: list[Line | Block] = []
    if inits and values.monoid(node) not in IDEMPOTENT:  # padding and holes hold the initial value
        values.combine(node, [name], [first], padding)
    tests = [c for c in window_tests(values.graph, node, index) if not c.always]
    if any(c.never for c in tests):  # nothing of the operand is seen
        block += padding
    else:
        guard = Block(f"if ({' && '.join(map(values.test, tests))}) {{" if tests else "{")
        values.ctx.branches.append(Scope())
        text = values.at(source, inner)
        branch = values.ctx.branches.pop()
        values.combine(node, [name], [text], branch.before)
        guard.items = branch.before
        block.append(guard)
        if tests and padding:
            block.append(Block("else {", padding))
    if dtype.is_float and dtype.size < 4 and values.monoid(node) is not None:
        scope.before.append(Line(f"{name} = {rounded(dtype, name)};", origin))
    return name


def window_tests(graph: Graph, node: Node, at: At) -> tuple[Condition, ...]:
    """Conditions under which a window's element is not padding nor a hole of base dilation."""
    shape = graph.type(node.inputs[0]).shape
    rank = len(shape)
    strides = per_dim(node, "window_strides", rank, 1)
    spread = per_dim(node, "window_dilations", rank, 1)
    base = per_dim(node, "base_dilations", rank, 1)
    padding = node.attr("padding") or ((0, 0),) * rank
    found: list[Condition] = []
    for n, size in enumerate(node.attr("window_dimensions")):
        offset = var(f"w{node.id}_{n}", size) * spread[n] if size > 1 else Index(0)
        position = at[n] * strides[n] + offset - padding[n][0]
        found.append(Condition(position, 0, (shape[n] - 1) * base[n] + 1))
        if base[n] > 1:
            lift = -min(position.low // base[n], 0)
            found.append(Condition((position + lift * base[n]) % base[n], 0, 1))
    return tuple(found)
