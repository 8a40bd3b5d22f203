"""Axes as a union-find forest in which a class may be split into an outer and an inner factor.

Example: ``forest.unify([a], [b, c])`` of a dimension of 96 and two of 8 and 12 splits ``a`` and makes its factors ``b``
and ``c``. What cannot be made one stays two, and ``unify`` says so.
"""

from __future__ import annotations

from collections.abc import Sequence


class AxisForest:
    """Union-find over axes that can be split into (outer, inner) factors.

    Each class keeps the tensors that carry it: a union of classes that share a tensor is refused, so that
    no tensor ever carries an axis twice.
    """

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.extent: list[int] = []
        self.parts: list[tuple[int, int] | None] = []
        self.tensors: list[set[int]] = []

    def new(self, extent: int, tensor: int | None = None) -> int:
        self.parent.append(len(self.parent))
        self.extent.append(extent)
        self.parts.append(None)
        self.tensors.append(set() if tensor is None else {tensor})
        return len(self.parent) - 1

    def find(self, axis: int) -> int:
        while self.parent[axis] != axis:
            self.parent[axis] = self.parent[self.parent[axis]]
            axis = self.parent[axis]
        return axis

    def expand(self, axes: Sequence[int]) -> list[int]:
        """Current leaves, outermost first."""
        out: list[int] = []
        stack = list(reversed(axes))
        while stack:
            axis = self.find(stack.pop())
            parts = self.parts[axis]
            if parts is None:
                out.append(axis)
            else:
                stack += [parts[1], parts[0]]
        return out

    def split(self, axis: int, inner: int) -> None:
        parts = self.new(self.extent[axis] // inner), self.new(inner)
        for part in parts:
            self.tensors[part] = set(self.tensors[axis])
        self.parts[axis] = parts

    def union(self, a: int, b: int) -> bool:
        if a == b:
            return True
        keep, drop = (a, b) if len(self.tensors[a]) >= len(self.tensors[b]) else (b, a)
        if not self.tensors[keep].isdisjoint(self.tensors[drop]):
            return False
        self.tensors[keep] |= self.tensors[drop]
        self.tensors[drop] = set()
        self.parent[drop] = keep
        return True

    def unify(self, left: Sequence[int], right: Sequence[int]) -> bool:
        """Make two equal products the same axes, from the innermost factor; False when some factor could not."""
        if len(left) == len(right) == 1:  # most often: two whole axes of one extent
            x, y = self.find(left[0]), self.find(right[0])
            if self.parts[x] is None and self.parts[y] is None and self.extent[x] == self.extent[y]:
                return self.union(x, y)
        a, b = self.expand(left), self.expand(right)
        clean = True
        while a and b:
            x, y = self.find(a[-1]), self.find(b[-1])
            if self.parts[x] is not None:
                a[-1:] = self.parts[x] or ()
            elif self.parts[y] is not None:
                b[-1:] = self.parts[y] or ()
            elif self.extent[x] == self.extent[y]:
                clean &= self.union(x, y)
                a.pop()
                b.pop()
            elif self.extent[x] % self.extent[y] == 0:
                self.split(x, self.extent[y])
            elif self.extent[y] % self.extent[x] == 0:
                self.split(y, self.extent[x])
            else:  # the factors do not nest: the smallest enclosing span stays opaque
                clean = False
                p, q = self.extent[self.find(a.pop())], self.extent[self.find(b.pop())]
                while p != q:
                    if p < q:
                        p *= self.extent[self.find(a.pop())]
                    else:
                        q *= self.extent[self.find(b.pop())]
        return clean
