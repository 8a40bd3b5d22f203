"""gather, scatter, sort and top-k: the dimension numbers are those of the table.

Example: ``x.at[i].add(u)`` is a ``scatter`` with the body ``add``. A comparator that orders by the first tensor alone,
in one of the forms that JAX and TensorFlow write, is a sort without a comparator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.stablehlo.bodies import is_comparison
from fstc.frontends.stablehlo.layout import known
from fstc.frontends.stablehlo.walk import Entry, Site

GATHER = (
    "offset_dims", "collapsed_slice_dims", "operand_batching_dims", "start_indices_batching_dims", "start_index_map",
    "index_vector_dim",
)  # fmt: skip
SCATTER = (
    "update_window_dims", "inserted_window_dims", "input_batching_dims", "scatter_indices_batching_dims",
    "index_vector_dim",
)  # fmt: skip


def gather(s: Site, x: Val, indices: Val) -> Val:
    return _gather(s, x, indices, s.ints("slice_sizes"))


def dynamic_gather(s: Site, x: Val, indices: Val, sizes: Val) -> Val:
    return _gather(s, x, indices, known(sizes, "the size of the slices"))


def _gather(s: Site, x: Val, indices: Val, sizes: Sequence[int]) -> Val:
    numbers = s.attr("dimension_numbers")
    return s.b.op("gather", [x, indices], slice_sizes=sizes, **{name: numbers[name] for name in GATHER})[0]


def scatter(s: Site, *operands: Val) -> Val:
    if len(operands) != 3:
        raise Unsupported(f"{len(operands) // 2} tensors scattered together; one is supported")
    numbers = s.attr("scatter_dimension_numbers")
    return s.b.op(
        "scatter",
        operands,
        regions=(s.region(),),
        scatter_dims_to_operand_dims=numbers["scattered_dims_to_operand_dims"],
        unique_indices=bool(s.attr("unique_indices", False)),
        **{name: numbers[name] for name in SCATTER},
    )[0]


def sort(s: Site, *xs: Val) -> list[Val]:
    along, stable, region = s.attr("dimension", -1) % max(xs[0].rank, 1), bool(s.attr("is_stable", False)), s.region()
    dtypes = [x.dtype for x in xs]
    for direction, descending in (("LT", False), ("GT", True)):
        if is_comparison(s.b, region, dtypes, direction):
            return list(s.b.op("sort", xs, dimension=along, is_stable=stable, descending=descending))
    return list(s.b.op("sort", xs, regions=(region,), dimension=along, is_stable=stable))


def top_k(s: Site, x: Val) -> list[Val]:
    values, indices = s.b.op("top_k", [x], k=s.attr("k"))
    return [values, s.b.convert(indices, s.dtype(1))]


INDEXING: Mapping[str, Entry] = {
    "stablehlo.gather": Entry(gather, "`gather`"),
    "stablehlo.dynamic_gather": Entry(dynamic_gather, "`gather` with known slice sizes"),
    "stablehlo.scatter": Entry(scatter, "`scatter` of one tensor, with its body"),
    "stablehlo.sort": Entry(sort, "`sort`, without a comparator where it orders by the first tensor", library=True),
    "chlo.top_k": Entry(top_k, "`top_k`", library=True),
}
