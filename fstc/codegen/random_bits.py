"""Random bits of rng_bit_generator: Philox blocks, one for all the vector elements that share it.

Example: with ``a1: vector 8`` a thread makes ``fst::philox_block w0[2]`` ahead of the vector loop; element ``ea1`` is
``w0[ea1 / 4].v[ea1 % 4]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fstc.codegen.digits import added
from fstc.codegen.program import Line, Scope
from fstc.ir.graph import Node
from fstc.ir.indexing import At
from fstc.plan.artefact import REQUEST, vector_width
from fstc.support.affine import Index, linearize

if TYPE_CHECKING:
    from fstc.codegen.values import Values


def emit_random(values: Values, node: Node, value: int, index: At, scope: Scope) -> str:
    state = [values.at(node.inputs[0], (Index(k),)) for k in range(2)]
    origin = values.ctx.origin(node)
    bits = values.graph.type(node.outputs[1])
    if value == node.outputs[0]:
        words = bits.elements * (2 if bits.dtype.size == 8 else 1)
        where = index[0].c_text(values.names())
        after = f"{where} == 0 ? {state[0]} : {state[1]} + {-(-words // 4)}ull"
        return values.ctx.declare("fst::u64", after, scope, origin)
    flat = linearize(index, bits.shape)
    per = 2 if bits.dtype.size == 8 else 4  # elements of one block of four words
    block, word = _block(values, state, flat, per, scope, origin)
    if bits.dtype.size < 8:
        return values.ctx.declare(bits.dtype.compute, f"{bits.dtype.compute}({block}.v[{word}])", scope, origin)
    low, high = f"{block}.v[{word} * 2]", f"{block}.v[{word} * 2 + 1]"
    return values.ctx.declare("fst::u64", f"fst::u64({low}) | fst::u64({high}) << 32", scope, origin)


def _block(values: Values, state: list[str], flat: Index, per: int, scope: Scope, origin: str) -> tuple[str, str]:
    """The block of random words that an element is in, and which of its ``per`` elements it is.

    Vector elements that share a block are served by one, made ahead of the vector loop.
    """
    axis, width = vector_width(flat, REQUEST // per, values.ctx.places)
    place = values.ctx.places.get(axis)
    level = values.tiles.level(flat, {axis: place}) if place and width == per and axis in values.ctx.loops else None
    others = [a for a in flat.variables if a != axis and a in values.ctx.places and values.ctx.places[a].vector > 1]
    if values.ctx.branches or level is None or place is None or others:
        name = values.ctx.declare("fst::u64", f"fst::u64({flat.c_text(values.names())})", scope, origin)
        block = f"fst::philox({state[0]}, {state[1]} + {name} / {per}, 0)"
        return values.ctx.declare("fst::philox_block", block, scope, origin), f"{name} % {per}"
    count, element = place.vector // per, values.ctx.loops[axis][1]
    key = (-1, f"{state}{flat.key}")  # of no value: a block of words
    blocks = values.ctx.levels[level].scope.memo.get(key)
    if blocks is None:
        blocks = values.ctx.levels[level].scope.memo[key] = values.ctx.fresh("w")
        first = f"{state[1]} + fst::u64({flat.c_text(values.names(level))}) / {per}"
        counter = added(first, "k") if count > 1 else first
        make = Line(f"{values.ctx.cell(blocks, count)} = fst::philox({state[0]}, {counter}, 0);", origin)
        size = f"[{count}]" if count > 1 else ""
        declared = Line(f"fst::philox_block {blocks}{size};", origin)
        values.ctx.levels[level].scope.before += [declared, *values.ctx.each(count, [make])]
    which = f"{element} / {per}" if count > 1 else "0"
    return values.ctx.cell(blocks, count, which), f"{element} % {per}" if count > 1 else element
