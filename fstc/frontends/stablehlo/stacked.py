"""The results of a loop's steps, written one after another into a tensor, as one concatenation.

Example: a scan over 3 steps writes ``y[0]``, ``y[1]``, ``y[2]``; unrolled, that is three tensors of the whole size,
each with one row changed. Once the rows fill the tensor they are concatenated, and what nothing else reads is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from fstc.frontends.builder import Val
from fstc.ir.types import I32

if TYPE_CHECKING:
    from fstc.frontends.stablehlo.walk import Walk


class Piece(NamedTuple):
    """An update along ``axis`` that continues the one before it, upwards or downwards."""

    before: Piece | None
    update: Val
    axis: int
    low: int  # all pieces together cover low to high
    high: int


def filled(walk: Walk, x: Val, update: Val, at: Sequence[int]) -> Val | None:
    """``x`` with ``update`` written at ``at``, where this makes it full or continues pieces; None otherwise."""
    cut = [d for d in range(x.rank) if update.shape[d] != x.shape[d]]
    if len(cut) != 1 or not update.shape[cut[0]]:
        return None
    axis, start, size = cut[0], at[cut[0]], update.shape[cut[0]]
    before = walk.pieces.get(x)
    piece = Piece(None, update, axis, start, start + size)
    if before is not None and before.axis == axis:
        if start == before.high:
            piece = Piece(before, update, axis, before.low, start + size)
        elif start + size == before.low:
            piece = Piece(before, update, axis, start, before.high)
    if (piece.low, piece.high) == (0, x.shape[axis]):
        parts = _in_order(piece)
        whole = walk.b.concat(parts, axis)
        offsets = accumulate((p.shape[axis] for p in parts), initial=0)
        walk.stacks[whole] = axis, dict(zip(offsets, parts, strict=False))
        return whole
    starts = [walk.b.scalar(a, I32) for a in at]
    found = walk.b.op("dynamic_update_slice", [x, update, *starts])[0]
    walk.pieces[found] = piece
    return found


def part(walk: Walk, x: Val, start: Sequence[int], sizes: Sequence[int]) -> Val | None:
    """The slice of a stack that is exactly one of its parts: a loop backwards reads what the loop forwards wrote."""
    axis, parts = walk.stacks.get(x, (0, {}))
    found = parts.get(start[axis]) if parts else None
    return found if found is not None and found.shape == tuple(sizes) else None


def _in_order(last: Piece) -> list[Val]:
    """From the lowest index; pieces may have come in either direction."""
    found: list[Val] = []
    above: list[Val] = []
    piece: Piece | None = last
    while piece is not None:
        before = piece.before
        upwards = before is None or before.low == piece.low
        (above if upwards else found).append(piece.update)
        piece = before
    return found + above[::-1]
