"""The text of a region read back as names: which operator makes which value, and what a kernel computes.

Example: ``Outline(("func @f(%x: f32[8]) -> (f32[8]) {", "%y = exp %x : f32[8]", ...)).name(1) == "%y"``. A plan may
come from an fstc with other operators, so lines are read as tokens, not parsed. Text that was edited into something
else yields fewer names, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from fstc.plan.artefact import Kernel, Part

VALUE = r'%(?:[A-Za-z0-9_.\-]+|"(?:[^"\\]|\\.)+")'
_NAME = re.compile(rf'"(?:[^"\\]|\\.)*"|{VALUE}')  # a string first: a % inside one is no name
_RESULTS = re.compile(rf"({VALUE}(?:, {VALUE})*) = (\S+)")
_PARAMETER = re.compile(rf"({VALUE}): (\w+\[[^\]]*\])")
_TYPE = re.compile(r"\w+\[[^\]]*\]")
_PLACE = re.compile(r'\s+loc\("(?:[^"\\]|\\.)*"\)$')


def names_in(text: str) -> tuple[str, ...]:
    """Every %name, in order, once."""
    return tuple(dict.fromkeys(token for token in _NAME.findall(text) if token.startswith("%")))


@dataclass(frozen=True)
class Statement:
    """One operator: its results, its name, and its whole text without the place it came from."""

    results: tuple[str, ...]
    op: str
    text: str


@dataclass(frozen=True)
class Outline:
    """Values are numbered as in the region's graph: inputs first, then results in order."""

    lines: tuple[str, ...]

    @cached_property
    def _read(self) -> tuple[dict[str, str], tuple[Statement, ...]]:
        head, body = _head_and_body(self.lines)
        types = dict(_PARAMETER.findall(head))
        statements = tuple(_statements(body))
        for statement in statements:
            found = _TYPE.findall(statement.text.rpartition(" : ")[2])
            types.update(zip(statement.results, found, strict=False))
        return types, statements

    @property
    def statements(self) -> tuple[Statement, ...]:
        return self._read[1]

    @cached_property
    def values(self) -> tuple[str, ...]:
        types, statements = self._read
        made = [r for s in statements for r in s.results]
        inside = set(made)
        return (*(name for name in types if name not in inside), *made)

    def name(self, value: int) -> str:
        return self.values[value] if 0 <= value < len(self.values) else f"value {value}"

    def results(self, nodes: Iterable[int]) -> tuple[str, ...]:
        """What some operators make, by name."""
        known = self.statements
        return tuple(r for n in nodes if 0 <= n < len(known) for r in known[n].results)

    def kinds(self, nodes: Iterable[int]) -> tuple[str, ...]:
        """What some operators are called."""
        known = self.statements
        return tuple(known[n].op for n in nodes if 0 <= n < len(known))

    def numbering(self, part: Part) -> dict[str, int]:
        """The part's values by the order in which its text names them: equal for equal parts, whatever the names."""
        return {name: i for i, name in enumerate(names_in(" ".join(s.text for s in self._of(part))))}

    def part_hash(self, part: Part) -> str:
        """Of what a part computes, without names: for files of 1.0, which do not have it, and to order parts."""
        types, _ = self._read
        number = self.numbering(part)
        lines = [_NAME.sub(lambda m: _numbered(m[0], number), s.text) for s in self._of(part)]
        operands = [f"{number[name]} {types.get(name, '')}" for name in number]
        stored = [str(number.get(self.name(v), -1)) for v in part.outputs]
        return sha256("\n".join([*lines, *operands, *stored]).encode()).hexdigest()

    def kernel_hash(self, kernel: Kernel) -> str:
        """Of all parts, in any order; empty where the text does not say what they are."""
        if not kernel.parts or not all(self._of(p) for p in kernel.parts):
            return ""
        return " ".join(sorted(self.part_hash(p) for p in kernel.parts))

    def _of(self, part: Part) -> list[Statement]:
        known = self.statements
        return [known[n] for n in sorted(part.nodes) if 0 <= n < len(known)]


def _numbered(token: str, number: dict[str, int]) -> str:
    return f"%{number[token]}" if token in number else token


def _head_and_body(lines: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The function's head may take several lines; it ends with the first that opens a body."""
    for n, line in enumerate(lines):
        if line.endswith("{"):
            return " ".join(lines[: n + 1]), lines[n + 1 :]
    return "", ()


def _statements(lines: Iterable[str]) -> Iterable[Statement]:
    """Statements of the function; one with regions goes on until its last brace closes."""
    collected: list[str] = []
    depth = 0
    for line in lines:
        depth += line.endswith("{") - line.startswith("}")
        collected.append(line)
        if depth > 0:
            continue
        text = _PLACE.sub("", " ".join(collected))
        collected = []
        match = _RESULTS.match(text)
        if match:
            yield Statement(names_in(match[1]), match[2], text)
