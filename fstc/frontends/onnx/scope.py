"""Names of a graph, of its subgraphs and of functions, and why one cannot be read.

Example: ``scope.find("x")`` looks in the graph and in those around it; a stored tensor becomes a constant when it is
first read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fstc.frontends.onnx.node import Entry
from fstc.frontends.onnx.problems import short

Proto = Any
NOTHING = object()


@dataclass
class Scope:
    """``stored``: initializers that nobody has read. ``attributes``: of the function call that this is inside of."""

    nodes: Sequence[Proto]
    opsets: Mapping[str, int]
    parent: Scope | None = None
    attributes: Mapping[str, Proto] = field(default_factory=dict)
    label: str = ""  # the functions and nodes that lead here
    values: dict[str, Entry] = field(default_factory=dict)
    stored: dict[str, Proto] = field(default_factory=dict)
    depth: int = 0

    def chain(self) -> Iterator[Scope]:
        """This scope and those around it, from the inside out."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def inside(self, nodes: Sequence[Proto], label: str) -> Scope:
        """The scope of a subgraph, which sees this one's names."""
        return Scope(nodes, self.opsets, self, self.attributes, label, depth=self.depth + 1)

    def __contains__(self, name: str) -> bool:
        return name in self.values or name in self.stored

    def why_not(self, name: str, reader: Proto | None) -> str:
        """What to say of a name that has no value yet."""
        makers = {out: node for node in self.nodes for out in node.output if out}
        if name not in makers:
            return f"reads {short(name)!r}, which nothing makes"
        if reader is not None and _reaches(makers, makers[name], reader):
            return f"reads {short(name)!r}, which depends on it: the nodes are a cycle"
        return f"reads {short(name)!r} before node {title(makers[name])} makes it: the nodes are not in order"


def _reaches(makers: Mapping[str, Proto], start: Proto, wanted: Proto) -> bool:
    """Does ``start`` read what ``wanted`` makes, directly or through others?"""
    goal, seen, todo = set(wanted.output), set[str](), [start]
    while todo:
        node = todo.pop()
        for name in (*node.input, *node.output):
            if name in goal and name:
                return True
        for name in node.input:
            if name and name not in seen and name in makers:
                seen.add(name)
                todo.append(makers[name])
    return False


def title(node: Proto) -> str:
    """How messages name a node: by its name, or by what it makes."""
    own = node.name or next((out for out in node.output if out), "")
    return f"{short(own)!r} ({operator_of(node)})"


def operator_of(node: Proto) -> str:
    """Gelu, com.microsoft:Gelu."""
    domain = "" if node.domain in ("", "ai.onnx") else f"{short(node.domain)}:"
    return domain + short(node.op_type)
