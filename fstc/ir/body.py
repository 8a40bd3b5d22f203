"""Statements of a function or region -> values and nodes, with every check that the op table asks for.

Example: ``%y = exp %x : f32[4]`` looks up ``%x``, finds the entry of ``exp``, lets its rule infer ``f32[4]`` and
compares that with what is declared. A name whose statement failed keeps its declared type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lark import Token

from fstc.ir.attributes import INPUT_ATTRS, Attrs, as_floats, attribute_span, checked, unquoted
from fstc.ir.constants import ConstantStore
from fstc.ir.extents import Extents, Lost
from fstc.ir.graph import Attr, Graph, Node, Region, Value
from fstc.ir.literals import value_name
from fstc.ir.ops.composed import hint
from fstc.ir.ops.opdef import Form, Infer, OpDef, OpError
from fstc.ir.syntax import Attribute, File, Param, RegionText, Return, Statement, Text, spelled
from fstc.ir.types import F32, TensorType
from fstc.support.diagnostics import Diagnostic, FstcError, Label, Note
from fstc.support.source import Span
from fstc.support.suggest import clipped, did_you_mean

UNKNOWN = TensorType(F32, (-1,))  # stands in, by identity, for a type that another error accounts for
IN_REGIONS = (Form.ELEMENTWISE, Form.CONSTANT)


@dataclass
class Body:
    """One scope while it grows."""

    values: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    later: dict[str, Token] = field(default_factory=dict)  # every definition of the scope, also those to come
    outer: Body | None = None  # of a region: only for messages


class BodyBuilder:
    """Builds the bodies of one file and collects what is wrong with them."""

    def __init__(
        self, extents: Extents, lost: frozenset[str], ops: Mapping[str, OpDef], files: ConstantStore | None
    ) -> None:
        self.extents, self.ops, self.files = extents, ops, files
        self.lost = {spelled(name) for name in lost if name.startswith("%")}
        self.errors: list[Diagnostic] = []

    def function(self, file: File) -> Body:
        """The function's body; its results are checked against the signature."""
        types = [self._type(param.type) for param in file.params]
        signature = [self._type(token) for token in file.results]
        body = self._open(file.params, file.body, None)
        for param, type in zip(file.params, types, strict=True):
            self._define(body, param.name, type, attrs=self._input_attrs(param, type, signature))
        self._statements(body, file.body, file.result)
        self._check_results(body, file, signature)
        return body

    def _region(self, text: RegionText, outer: Body) -> Region | None:
        """A region; None when something in it is wrong."""
        before = len(self.errors)
        body = self._open(text.params, text.body, outer)
        for param in text.params:
            if param.attrs:
                self._error("FST0212", "a region's parameter has no attributes", self._span(param.name))
            self._define(body, param.name, self._scalar(param.type))
        for statement in text.body:
            for token in statement.types:
                self._scalar(token)
        self._statements(body, text.body, text.result)
        if len(self.errors) > before or any(v.type is UNKNOWN for v in body.values):
            return None
        inputs = tuple(range(len(text.params)))
        return Region(Graph("", tuple(body.values), tuple(body.nodes), inputs, tuple(body.outputs)))

    def _open(self, params: list[Param], statements: list[Statement], outer: Body | None) -> Body:
        body = Body(outer=outer)
        for token in [p.name for p in params] + [r for s in statements for r in s.results]:
            body.later.setdefault(_name(token), token)
        return body

    def _statements(self, body: Body, statements: list[Statement], result: Return) -> None:
        for statement in statements:
            self._statement(body, statement)
        for token in result.values:
            found = self._use(body, token)
            body.outputs.append(-1 if found is None else found)

    def _statement(self, body: Body, s: Statement) -> None:
        inputs = [self._use(body, token) for token in s.operands]
        declared = [self._type(token) for token in s.types]
        regions = [self._region(text, body) for text in s.regions]
        node = self._node(body, s, inputs, declared, regions)
        first = len(body.values)
        if len(s.results) != len(declared):
            self._error(
                "FST0206",
                f"{len(s.results)} names for {len(declared)} types",
                Span(self.extents.source, s.results[0].start_pos or 0, s.results[-1].end_pos or 0),
                help="each result has a name and a type",
            )
            declared += [UNKNOWN] * (len(s.results) - len(declared))
        for index, token in enumerate(s.results):
            self._define(body, token, declared[index], node=len(body.nodes), index=index)
        if node:
            outputs = tuple(range(first, first + len(s.results)))
            body.nodes.append(Node(len(body.nodes), node.op, node.inputs, outputs, node.attrs, node.regions,
                                   self._loc(s.loc), _place(s, self.extents)))  # fmt: skip

    def _node(
        self,
        body: Body,
        s: Statement,
        inputs: list[int | None],
        declared: list[TensorType],
        regions: list[Region | None],
    ) -> _Sound | None:
        """The statement's op, operands, attributes and regions, when they are sound as far as can be seen."""
        place, before = _place(s, self.extents), len(self.errors)
        op = self.ops.get(str(s.op))
        if op is None:
            help = hint(str(s.op), self.ops) or did_you_mean(str(s.op), self.ops) or "`fstc ops` lists the ops"
            self._error("FST0201", f"unknown op `{clipped(s.op)}`", self._span(s.op), help=help)
            return None
        if body.outer and op.form not in IN_REGIONS:
            self._error("FST0213", f"{op.name} may not stand in a region", self._span(s.op),
                        help="a region works on scalars: element-wise ops and constants")  # fmt: skip
        self._check_counts(op, s, place)
        attrs, wrong, complete = checked(s.attrs, op.attrs, self.extents, op.name, self._span(s.op))
        self.errors += wrong
        sound_inputs = tuple(i for i in inputs if i is not None)
        sound_regions = tuple(r for r in regions if r is not None)
        unknown = (
            len(sound_inputs) < len(inputs)
            or len(sound_regions) < len(regions)
            or any(body.values[i].type is UNKNOWN for i in sound_inputs)
            or any(t is UNKNOWN for t in declared)
        )
        if unknown or not complete or len(self.errors) > before:
            return None
        if declared[0].dtype.is_float:
            attrs |= {a.name: as_floats(attrs[a.name]) for a in op.attrs if a.type == "value" and a.name in attrs}
        infer = Infer(tuple(body.values[i].type for i in sound_inputs), attrs, sound_regions, tuple(declared))
        self._check_types(body, op, s, infer, declared, place)
        if op.form is Form.CONSTANT and attrs.get("data") and self.files and len(self.errors) == before:
            self._check_file(self.files, s, str(attrs["data"]), declared[0])
        return _Sound(op, sound_inputs, tuple(sorted(attrs.items())), sound_regions)

    def _check_counts(self, op: OpDef, s: Statement, place: Span) -> None:
        least, most = op.arity
        found = len(s.operands)
        if found < least or (most is not None and found > most):
            wanted = f"{least}" if least == most else f"at least {least}" if most is None else f"{least} to {most}"
            self._error("FST0205", f"{op.name} takes {wanted} operand{_s(wanted)}, {found} given", place)
        if len(s.regions) != op.regions and not (op.regions_optional and not s.regions):
            wanted = str(op.regions) if op.regions else "no"
            help = "write (%a: f32[], %b: f32[]) { ... return %c } before the colon" if op.regions else ""
            self._error("FST0207", f"{op.name} takes {wanted} region{_s(wanted)}, {len(s.regions)} given", place, help)

    def _check_types(
        self, body: Body, op: OpDef, s: Statement, infer: Infer, declared: list[TensorType], place: Span
    ) -> None:
        """Let the table's rule infer the result types; one that is declared otherwise becomes unknown."""
        try:
            inferred = op.infer(infer)
        except OpError as error:
            self.errors.append(self._op_error(body, op, s, error, place))
            return
        if len(inferred) != len(s.types):
            wanted = str(len(inferred))
            help = f"its types are {', '.join(map(str, inferred))}"
            self._error("FST0206", f"{op.name} has {wanted} result{_s(wanted)}, {len(s.types)} declared", place, help)
            return
        for index, (token, right) in enumerate(zip(s.types, inferred, strict=True)):
            if declared[index] != right:
                message = f"the result is {right}, declared is {declared[index]}"
                self._error("FST0210", message, self._span(token), help=f"write {right}")
                declared[index] = UNKNOWN

    def _op_error(self, body: Body, op: OpDef, s: Statement, error: OpError, place: Span) -> Diagnostic:
        """The rule's refusal with its place; the notes show where the other operands get their types."""
        message = f"{op.name}: {error.message}"
        if error.attr is not None:
            definition = op.attr(error.attr)
            code = "FST0306" if definition and definition.type == "value" else "FST0305"
            given = next((a for a in s.attrs if a.name == error.attr), None)
            span = attribute_span(given, self.extents) if given else self._span(s.op)
            return Diagnostic(code, message, Label(span), help=error.help)
        culprit = s.operands[error.operand] if error.operand is not None else None
        if error.against is None:
            others = dict.fromkeys(t for t in s.operands if t != culprit)
        else:
            others = dict.fromkeys(s.operands[i] for i in error.against)
        notes = tuple(self._typed_here(body, token) for token in others)
        label = Label(self._span(culprit), str(self._value(body, culprit).type)) if culprit else Label(place)
        return Diagnostic("FST0209", message, label, notes, error.help)

    def _check_file(self, files: ConstantStore, s: Statement, data: str, type: TensorType) -> None:
        given: Attribute = next(a for a in s.attrs if a.name == "data")
        try:
            files.check(data, type, attribute_span(given, self.extents))
        except FstcError as error:
            self.errors += error.diagnostics

    def _check_results(self, body: Body, file: File, signature: list[TensorType]) -> None:
        found = file.result.values
        if len(found) != len(signature):
            note = Note("the function is declared here", self._span(file.func))
            message = f"{len(found)} value{_s(str(len(found)))} returned, {len(signature)} declared"
            self._error("FST0211", message, self._span(file.result.keyword), notes=(note,))
            return
        for token, value, type, declared in zip(found, body.outputs, signature, file.results, strict=True):
            known = body.values[value].type if value >= 0 else UNKNOWN
            if known != type and known is not UNKNOWN and type is not UNKNOWN:
                note = Note("declared here", self._span(declared))
                self._error(
                    "FST0211", f"{clipped(token)} is {known}, declared is {type}", self._span(token), notes=(note,)
                )

    def _input_attrs(self, param: Param, type: TensorType, signature: list[TensorType]) -> Attrs:
        values, wrong, _ = checked(param.attrs, INPUT_ATTRS, self.extents, "an input", self._span(param.name))
        self.errors += wrong
        alias = values.get("alias")
        if alias is not None:
            item = next(a for a in param.attrs if a.name == "alias")
            if not 0 <= alias < len(signature):
                message = f"there is no output {alias}: the function has {len(signature)}"
                self._error("FST0305", message, attribute_span(item, self.extents))
            elif type != signature[alias] and type is not UNKNOWN and signature[alias] is not UNKNOWN:
                message = (
                    f"{clipped(param.name)} is {type}, output {alias} is {signature[alias]}: they cannot share memory"
                )
                self._error("FST0305", message, attribute_span(item, self.extents))
        return tuple(sorted(values.items()))

    def _use(self, body: Body, token: Token) -> int | None:
        """The id behind a name; None after an error, or where one was already reported."""
        name = _name(token)
        if name in body.ids:
            return body.ids[name]
        if name in self.lost and name not in body.later:
            return None
        later = body.later.get(name)
        if later is not None:
            note = Note("defined here", self._span(later))
            self._error("FST0204", f"{clipped(token)} is used before its definition", self._span(token), notes=(note,))
        elif body.outer and name in body.outer.later:
            note = Note("defined here", self._span(body.outer.later[name]))
            message = f"{clipped(token)} is outside the region, which sees its parameters only"
            self._error("FST0212", message, self._span(token), notes=(note,))
        else:
            help = did_you_mean(name, body.ids, value_name)
            self._error("FST0202", f"unknown name {clipped(token)}", self._span(token), help=help)
            self.lost.add(name)
        return None

    def _define(
        self, body: Body, token: Token, type: TensorType, node: int = -1, index: int = 0, attrs: Attrs = ()
    ) -> None:
        name, id = _name(token), len(body.values)
        if name in body.ids:
            note = Note("first defined here", body.values[body.ids[name]].span)
            self._error("FST0203", f"{clipped(token)} is defined twice", self._span(token), notes=(note,))
        else:
            body.ids[name] = id
        body.values.append(Value(id, name, type, node, index, attrs, self._span(token)))

    def _type(self, token: Token) -> TensorType:
        try:
            return self.extents.type(token)
        except FstcError as error:
            self.errors += error.diagnostics
        except Lost:
            pass
        return UNKNOWN

    def _scalar(self, token: Token) -> TensorType:
        type = self._type(token)
        if type is not UNKNOWN and type.shape:
            self._error("FST0212", f"{type} in a region, which works on scalars", self._span(token),
                        help=f"write {type.dtype}[]")  # fmt: skip
            return UNKNOWN
        return type

    def _loc(self, token: Token | None) -> str:
        if token is None:
            return ""
        try:
            return unquoted(Text(token), self.extents)
        except FstcError as error:
            self.errors += error.diagnostics
            return ""

    def _value(self, body: Body, token: Token) -> Value:
        return body.values[body.ids[_name(token)]]

    def _typed_here(self, body: Body, token: Token) -> Note:
        value = self._value(body, token)
        return Note(f"{clipped(token)} is {value.type}", value.span)

    def _span(self, token: Token) -> Span:
        return self.extents.span(token)

    def _error(self, code: str, message: str, span: Span, help: str = "", notes: tuple[Note, ...] = ()) -> None:
        self.errors.append(Diagnostic(code, message, Label(span), notes, help))


@dataclass(frozen=True, slots=True)
class _Sound:
    """A statement that may become a node."""

    op: OpDef
    inputs: tuple[int, ...]
    attrs: tuple[tuple[str, Attr], ...]
    regions: tuple[Region, ...]


def _name(token: Token) -> str:
    return spelled(token) if token[1] == '"' else str(token[1:])


def _place(s: Statement, extents: Extents) -> Span:
    """The op and its operands."""
    end = (s.operands[-1] if s.operands else s.op).end_pos
    return Span(extents.source, s.op.start_pos or 0, end or 0)


def _s(count: str) -> str:
    return "" if count == "1" else "s"
