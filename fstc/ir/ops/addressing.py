"""Dimension numbers of gather and scatter: checked once, used by both, by references and by analysis.

Example: for the rows of a table ``gather_addressing(infer).kept == (1,)``: only columns are walked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fstc.ir.ops.opdef import Infer
from fstc.ir.ops.shapes import axes, disjoint, drop, in_range, ints, refuse
from fstc.ir.types import Shape

_INDEX_NAMES = {
    "operand_batching_dims": ("start_indices_batching_dims", "start_index_map"),
    "input_batching_dims": ("scatter_indices_batching_dims", "scatter_dims_to_operand_dims"),
}


@dataclass(frozen=True)
class Addressing:
    """The dimension numbers that gather and scatter share, in gather's words.

    A point of the *batch* (the index tensor without its vector dimension) selects a window of the
    operand; ``window`` are the dimensions of the windowed tensor (gather's result, scatter's updates)
    that walk inside it, ``collapsed`` and ``batching`` operand dimensions are not among them.
    """

    operand: Shape
    indices: Shape
    window: Shape
    collapsed: Shape
    batching: Shape
    indices_batching: Shape
    index_map: Shape  # operand dimension of each entry of an index vector
    vector_dim: int
    sizes: Shape  # the window's extent in every operand dimension

    @property
    def batch(self) -> Shape:
        return drop(self.indices, (self.vector_dim,))

    @property
    def kept(self) -> Shape:
        """The operand dimensions that are walked inside a window."""
        return tuple(d for d in range(len(self.operand)) if d not in self.collapsed + self.batching)

    def starts(self, indices: Any) -> Any:
        """Per operand dimension the first index of each window, int64, [rank, batch...]."""
        import numpy as np

        if self.vector_dim == len(self.indices):
            indices = indices[..., None]
        vectors = np.moveaxis(indices, self.vector_dim, 0)
        out = np.zeros((len(self.operand), *self.batch), np.int64)
        for entry, d in enumerate(self.index_map):
            column = vectors[entry]
            if column.dtype == np.uint64:  # what int64 cannot hold is far outside either way
                column = np.minimum(column, np.uint64(2**62))
            out[d] = column
        for d, source in zip(self.batching, self.indices_batching, strict=True):
            at = source - (source > self.vector_dim)
            out[d] = np.arange(self.operand[d]).reshape([-1 if a == at else 1 for a in range(len(self.batch))])
        return out

    def order(self) -> Shape:
        """The transpose that takes [batch..., kept...] to the windowed tensor."""
        batch, kept = iter(range(len(self.batch))), iter(range(len(self.batch), len(self.batch) + len(self.window)))
        return tuple(next(kept) if d in self.window else next(batch) for d in range(len(self.batch) + len(self.window)))


def check_addressing(infer: Infer, names: tuple[str, str, str], window_rank: int, a: Addressing) -> None:
    """What gather and scatter ask of their dimension numbers; ``names`` are window, collapsed, batching."""
    rank, window_name, collapsed_name = len(a.operand), names[0], names[1]
    batching_name, indices_name, map_name = names[2], *_INDEX_NAMES[names[2]]
    if not 0 <= a.vector_dim <= len(a.indices):
        refuse(f"`index_vector_dim` is {a.vector_dim}, allowed are 0 to {len(a.indices)}", attr="index_vector_dim")
    if len(a.window) + len(a.collapsed) + len(a.batching) != rank:
        refuse(
            f"`{window_name}`, `{collapsed_name}` and `{batching_name}` have {len(a.window)} + {len(a.collapsed)} + "
            f"{len(a.batching)} entries, the operand has rank {rank}",
            attr=window_name,
        )
    in_range(a.window, window_rank, window_name)
    disjoint(a.collapsed, collapsed_name, a.batching, batching_name)
    width = 1 if a.vector_dim == len(a.indices) else a.indices[a.vector_dim]
    if len(a.index_map) != width:
        refuse(f"`{map_name}` has {len(a.index_map)} entries, an index vector has {width}", attr=map_name)
    disjoint(a.batching, batching_name, a.index_map, map_name)
    in_range(a.indices_batching, len(a.indices), indices_name)
    if a.vector_dim in a.indices_batching:
        refuse(f"`{indices_name}` names the index vector dimension {a.vector_dim}", attr=indices_name)
    if len(a.batching) != len(a.indices_batching):
        refuse(
            f"`{batching_name}` has {len(a.batching)} entries, `{indices_name}` {len(a.indices_batching)}",
            attr=indices_name,
        )
    for d, i in zip(a.batching, a.indices_batching, strict=True):
        if a.operand[d] != a.indices[i]:
            refuse(
                f"batching dimension {d} of the operand has extent {a.operand[d]}, dimension {i} of the indices has "
                f"{a.indices[i]}",
                attr=batching_name,
            )


def gather_addressing(infer: Infer) -> Addressing:
    operand, indices = infer.operands[0], infer.operands[1]
    sizes = ints(infer, "slice_sizes", operand.rank, "dimension of the operand")
    return Addressing(
        operand.shape,
        indices.shape,
        tuple(infer.attrs["offset_dims"]),
        axes(infer, "collapsed_slice_dims", operand.rank, ascending=True),
        axes(infer, "operand_batching_dims", operand.rank, ascending=True),
        axes(infer, "start_indices_batching_dims", indices.rank),
        axes(infer, "start_index_map", operand.rank),
        infer.attrs["index_vector_dim"],
        sizes,
    )


def scatter_addressing(infer: Infer) -> Addressing:
    operand, indices, updates = infer.operands
    window = tuple(infer.attrs["update_window_dims"])
    inserted = axes(infer, "inserted_window_dims", operand.rank, ascending=True)
    batching = axes(infer, "input_batching_dims", operand.rank, ascending=True)
    in_range(window, updates.rank, "update_window_dims")
    inside = iter(updates.shape[d] for d in window)
    sizes = tuple(1 if d in inserted + batching else next(inside, 1) for d in range(operand.rank))
    return Addressing(
        operand.shape,
        indices.shape,
        window,
        inserted,
        batching,
        axes(infer, "scatter_indices_batching_dims", indices.rank),
        axes(infer, "scatter_dims_to_operand_dims", operand.rank),
        infer.attrs["index_vector_dim"],
        sizes,
    )


def linear(a: Addressing, starts: Any, whole: int) -> Any:
    """Row-major numbers, over the first ``whole`` operand dimensions, of [batch..., kept...]."""
    import numpy as np

    inner = [d for d in a.kept if d < whole]
    out = np.zeros([*a.batch, *[1] * len(inner)], np.int64)
    stride = 1
    for d in reversed(range(whole)):
        out = out + starts[d].reshape([*a.batch, *[1] * len(inner)]) * stride
        if d in inner:
            steps = np.arange(a.sizes[d]) * stride
            out = out + steps.reshape([-1 if d == other else 1 for other in inner])
        stride *= a.operand[d]
    return out
