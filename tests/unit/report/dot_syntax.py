"""A strict reader of the DOT language, as Graphviz documents it: statements, attribute lists, nested subgraphs.

Example: ``read_dot('digraph g { a [label="x"]; a -> b; }').edges``. Undeclared nodes, repeated ones and
attributes without a value are errors here, though Graphviz takes them: a file that we write has none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

NUMBER = r"-?(?:\.\d+|\d+(?:\.\d*)?)"
TOKEN = re.compile(rf'\s*(?:(->|[{{}}\[\];=,])|([A-Za-z_][A-Za-z0-9_]*|{NUMBER})|"((?:[^"\\]|\\.)*)")', re.DOTALL)
KEYWORDS = ("node", "edge", "graph", "digraph", "subgraph", "strict")


@dataclass
class Dot:
    nodes: dict[str, dict[str, str]] = field(default_factory=dict)
    edges: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    clusters: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)  # of clusters


def read_dot(text: str) -> Dot:
    tokens = list(_tokens(text))
    reader = _Reader(tokens)
    reader.take("digraph")
    reader.word()
    reader.statements("")
    assert reader.at == len(tokens), "text after the graph"
    for source, target, _ in reader.found.edges:
        assert {source, target} <= reader.found.nodes.keys(), f"{source} -> {target}: a node that is not declared"
    return reader.found


def shown(label: str) -> list[str]:
    """The lines that Graphviz would draw for the text between the quotes."""
    lines, line, rest = [], "", iter(label)
    for c in rest:
        if c == "\\":
            c = next(rest)
            if c == "n":
                lines.append(line)
                line = ""
                continue
            assert c in '"\\', f"\\{c} has a meaning of its own in labels"
        line += c
    return [re.sub(r"&(\w*;?)", _entity, piece) for piece in [*lines, line]]


def _entity(match: re.Match[str]) -> str:
    assert match[1] == "amp;", f"&{match[1]} is read as an entity"
    return "&"


def _tokens(text: str) -> list[tuple[str, str]]:
    found = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        assert match, f"no token: {text[at : at + 40]!r}"
        kind = "mark" if match[1] else "word" if match[2] else "quoted"
        found.append((kind, match[1] or match[2] or match[3] or ""))
        at = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0
        self.found = Dot()

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) and self.tokens[self.at][0] != "quoted" else ""

    def take(self, text: str) -> None:
        assert self.peek() == text, f"{text!r} expected at {self.tokens[self.at : self.at + 5]}"
        self.at += 1

    def word(self) -> str:
        kind, text = self.tokens[self.at]
        assert kind in ("word", "quoted") and not (kind == "word" and text in KEYWORDS), text
        self.at += 1
        return text

    def statements(self, cluster: str) -> None:
        self.take("{")
        while self.peek() != "}":
            self.statement(cluster)
        self.take("}")

    def statement(self, cluster: str) -> None:
        if self.peek() == "subgraph":
            self.take("subgraph")
            name = self.word()
            assert name not in self.found.clusters and not cluster
            self.found.clusters[name] = []
            self.statements(name)
            return
        if self.peek() in ("graph", "node", "edge"):
            kind = self.peek()
            self.at += 1
            attributes = self.attributes()
            if kind == "graph" and cluster:
                self.found.labels[cluster] = attributes["label"]
        else:
            self.node_or_edge(cluster)
        self.take(";")

    def node_or_edge(self, cluster: str) -> None:
        name = self.word()
        if self.peek() == "->":
            self.take("->")
            target = self.word()
            self.found.edges.append((name, target, self.attributes()))
            return
        assert name not in self.found.nodes, f"{name} is declared twice"
        self.found.nodes[name] = self.attributes()
        if cluster:
            self.found.clusters[cluster].append(name)

    def attributes(self) -> dict[str, str]:
        found: dict[str, str] = {}
        self.take("[")
        while self.peek() != "]":
            key = self.word()
            self.take("=")
            assert key not in found
            found[key] = self.word()
            if self.peek() == ",":
                self.take(",")
        self.take("]")
        return found
