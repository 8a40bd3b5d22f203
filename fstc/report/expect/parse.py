"""Read a file of expectations, ``plan.expect.yaml``.

Example::

    kernels: <= 12
    bytes_over_floor: <= 1.02
    stitched:
      - softmax*                    # every value with such a name is computed in one kernel
      - [max, exp, probabilities]
    apart:
      - [loss, dlogits]
    kernel:
      "*softmax*": {scheme: warp, registers: <= 64, occupancy: ">= 50%"}
    decisions: {FSN041: 0}

Every problem of a file is reported in one run, each with its place. Nothing is compared with a plan here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fstc.report.expect.metrics import KERNEL_METRICS, KERNEL_WORDS, PLAN_METRICS
from fstc.report.expect.quantity import Bound, Dimension, parse_bound
from fstc.support.codes import CODES
from fstc.support.diagnostics import Diagnostic, FstcError, Label
from fstc.support.source import Span
from fstc.support.suggest import alternatives, clipped, did_you_mean
from fstc.support.yaml_events import (
    Field,
    Items,
    Node,
    Scalar,
    decode_text,
    help_for,
    kind_of,
    read_fields,
    read_yaml,
)
from fstc.support.yaml_events import Mapping as Entries

CODE = "FST0430"
FILE_LIMIT = 1 << 22  # bytes; what --write-expect makes of a graph of 10,000 ops has a tenth
MOST_PROBLEMS = 100
TOP = ("device", *PLAN_METRICS, "stitched", "apart", "kernel", "decisions")


@dataclass(frozen=True)
class Limit:
    """A bound on a quantity, by the quantity's name."""

    name: str
    bound: Bound
    span: Span


@dataclass(frozen=True)
class Choice:
    """A property that is to have one of some names."""

    name: str
    words: tuple[str, ...]
    span: Span


@dataclass(frozen=True)
class Pattern:
    """Names of values or kernels: ``*`` and ``?`` stand for what shells take them for; no ``%``."""

    text: str
    span: Span


@dataclass(frozen=True)
class Group:
    """Values that belong together, or apart; ``alone``: written as one pattern, not as a list."""

    patterns: tuple[Pattern, ...]
    span: Span
    alone: bool

    def __str__(self) -> str:
        return self.patterns[0].text if self.alone else f"[{', '.join(p.text for p in self.patterns)}]"


@dataclass(frozen=True)
class KernelRule:
    pattern: Pattern
    limits: tuple[Limit, ...]
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Expectations:
    file: str
    device: Choice | None = None
    limits: tuple[Limit, ...] = ()
    stitched: tuple[Group, ...] = ()
    apart: tuple[Group, ...] = ()
    kernels: tuple[KernelRule, ...] = ()
    decisions: tuple[Limit, ...] = ()  # by code


def parse_expectations(data: bytes, file: str) -> Expectations:
    """What a file expects; refused with every problem that it has."""
    root = read_yaml(decode_text(data, file, CODE), CODE)
    if root is None or (isinstance(root, Entries) and not root.entries):
        raise FstcError(Diagnostic(CODE, f"{file} expects nothing", file=file, help=f"the keys: {', '.join(TOP)}"))
    if not isinstance(root, Entries):
        message = f"a mapping of expectations is needed, not {kind_of(root)}"
        raise FstcError(Diagnostic(CODE, message, Label(root.span), help=f"the keys: {', '.join(TOP)}"))
    reader = _Reader()
    fields = reader.fields(root, TOP, "an expectation")
    found = Expectations(
        file=file,
        device=reader.device(fields.get("device")),
        limits=reader.limits(fields, {name: metric.dimension for name, metric in PLAN_METRICS.items()}),
        stitched=reader.groups(fields.get("stitched"), pairs=False),
        apart=reader.groups(fields.get("apart"), pairs=True),
        kernels=reader.kernels(fields.get("kernel")),
        decisions=reader.decisions(fields.get("decisions")),
    )
    if reader.problems:
        shown = sorted(reader.problems, key=lambda d: d.label.span.start if d.label else 0)[:MOST_PROBLEMS]
        raise FstcError(*shown)
    return found


@dataclass
class _Reader:
    """Typed values from nodes; what is wrong is collected."""

    problems: list[Diagnostic] = field(default_factory=list)

    def refuse(self, message: str, span: Span, help: str = "") -> None:
        self.problems.append(Diagnostic(CODE, message, Label(span), help=help))

    def fields(self, node: Node, known: Sequence[str], noun: str) -> Mapping[str, Field]:
        if not isinstance(node, Entries):
            self.refuse(f"a mapping is needed, not {kind_of(node)}", node.span)
            return {}
        found, problems = read_fields(node, known, noun, CODE)
        self.problems += problems
        return found

    def text(self, node: Node, what: str) -> Scalar | None:
        """A scalar with something in it."""
        if not isinstance(node, Scalar):
            self.refuse(f"{what} is needed, not {kind_of(node)}", node.span, help_for(node))
        elif not node.text.strip():
            self.refuse(f"{what} is needed, and nothing stands here", node.span)
        else:
            return node
        return None

    def items(self, node: Node, what: str) -> tuple[Node, ...]:
        """A list that is not empty, or one item alone."""
        if isinstance(node, Items) and not node.items:
            self.refuse(f"{what} is needed, and the list is empty", node.span)
        return node.items if isinstance(node, Items) else (node,)

    def device(self, entry: Field | None) -> Choice | None:
        found = self.text(entry.value, "the name of a device") if entry else None
        return Choice("device", (found.text,), found.span) if found else None

    def limits(self, fields: Mapping[str, Field], dimensions: Mapping[str, Dimension]) -> tuple[Limit, ...]:
        """A list under a quantity has several bounds, all of which are to hold."""
        found = []
        for name, entry in fields.items():
            if name not in dimensions:
                continue
            for node in self.items(entry.value, dimensions[name].value):
                text = self.text(node, dimensions[name].value)
                if text is None:
                    continue
                bound, why = parse_bound(text.text, dimensions[name])
                if bound:
                    found.append(Limit(name, bound, text.span))
                else:
                    self.refuse(f"{name}: {why}", text.span)
        return tuple(found)

    def patterns(self, node: Node) -> tuple[Pattern, ...]:
        texts = (self.text(item, "the name of a value") for item in self.items(node, "the name of a value"))
        return tuple(Pattern(t.text.removeprefix("%"), t.span) for t in texts if t)

    def groups(self, entry: Field | None, pairs: bool) -> tuple[Group, ...]:
        """A list of groups, each a pattern or a list of them; ``pairs``: one plain name is no group."""
        if entry is None:
            return ()
        if not isinstance(entry.value, Items):
            self.refuse(
                f"a list of groups is needed, not {kind_of(entry.value)}", entry.value.span, help="- [max, exp]"
            )
            return ()
        found = []
        for node in self.items(entry.value, "a group"):
            patterns = self.patterns(node)
            if pairs and len(patterns) == 1 and not {"*", "?", "["} & set(patterns[0].text):
                help = "give two, for example - [max, exp]"
                self.refuse(f"{patterns[0].text} alone cannot be apart", patterns[0].span, help)
            elif patterns:
                found.append(Group(patterns, node.span, not isinstance(node, Items)))
        return tuple(found)

    def kernels(self, entry: Field | None) -> tuple[KernelRule, ...]:
        rules = []
        for name, (key, value) in (self.fields(entry.value, (), "kernel") if entry else {}).items():
            fields = self.fields(value, (*KERNEL_METRICS, *KERNEL_WORDS), "a kernel")
            if isinstance(value, Entries) and not value.entries:
                self.refuse(f"nothing is expected of {clipped(name)}", key.span)
            limits = self.limits(fields, {name: metric.dimension for name, metric in KERNEL_METRICS.items()})
            choices = [self.choice(name, fields[name]) for name in fields if name in KERNEL_WORDS]
            rules.append(KernelRule(Pattern(name, key.span), limits, tuple(filter(None, choices))))
        return tuple(rules)

    def choice(self, name: str, entry: Field) -> Choice | None:
        known = KERNEL_WORDS[name].words
        words = []
        for node in self.items(entry.value, alternatives(known)):
            text = self.text(node, alternatives(known))
            if text and text.text not in known:
                help = did_you_mean(text.text, known)
                self.refuse(f"{name}: {clipped(text.text)!r} is not {alternatives(known)}", text.span, help)
            elif text:
                words.append(text.text)
        return Choice(name, tuple(words), entry.value.span) if words else None

    def decisions(self, entry: Field | None) -> tuple[Limit, ...]:
        known = tuple(code for code in CODES if code.startswith("FSN"))
        fields = self.fields(entry.value, known, "the list of decisions") if entry else {}
        return self.limits(fields, dict.fromkeys(known, Dimension.COUNT))
