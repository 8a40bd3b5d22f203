"""Running folds by doubling: log2(n) steps, for every associative combination that has no op of its own.

Example: ``running(b, lambda b, x, y: [b.ew("mul", *x, *y)], [x], 1)`` is the running product along axis 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fstc.frontends.builder import Builder, Val

Combine = Callable[[Builder, Sequence[Val], Sequence[Val]], Sequence[Val]]


def running(b: Builder, combine: Combine, xs: Sequence[Val], axis: int) -> list[Val]:
    """Element i is the fold of elements 0 to i. ``combine`` takes earlier and later elements of all tensors."""
    found, n, step = list(xs), xs[0].shape[axis], 1
    while step < n:
        earlier = [b.slice_axis(x, axis, 0, n - step) for x in found]
        later = [b.slice_axis(x, axis, step, n) for x in found]
        joined = combine(b, earlier, later)
        found = [b.concat([b.slice_axis(x, axis, 0, step), y], axis) for x, y in zip(found, joined, strict=True)]
        step *= 2
    return found
