"""The walk over a model's nodes: each becomes ops, or is noted as refused.

Example: ``Importer(model, options).run("model.safetensors")``. Subgraphs and functions are walked where they are used,
so that what is known there (a trip count, a shape) is known inside. A node that cannot be mapped becomes a
``custom_call`` when its type is known from the model; else what depends on it is left out, and the import ends with
the list of what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from fstc.frontends.artefact import Coverage, Imported, ImportOptions, Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.emitter import LimitError
from fstc.frontends.onnx.declared import Declared
from fstc.frontends.onnx.model import Extents, Model, opsets_of
from fstc.frontends.onnx.node import Absent, AsFunction, Entry, Items, Missing, Node, Result
from fstc.frontends.onnx.operators import OPERATORS
from fstc.frontends.onnx.problems import Beyond, DataDependent, Wrong, mistaken, short, too_large, wrong
from fstc.frontends.onnx.schemas import Schema, check, function_of, schema_of
from fstc.frontends.onnx.scope import Scope, operator_of, title
from fstc.frontends.onnx.tensors import TensorReader
from fstc.ir.ops.opdef import Kind, OpError
from fstc.support.diagnostics import Diagnostic, FstcError

Proto = Any
DEEPEST = 64  # functions and subgraphs inside each other
MOST_NODES = 250_000  # some ten seconds
LONGEST_NAME = 256


class Importer:
    def __init__(self, model: Model, options: ImportOptions) -> None:
        self.model, self.binds = model, options.binds
        self.path = model.path
        self.b = Builder("main")
        self.coverage = Coverage()
        self.tensors = TensorReader(model.path)
        self.extents = Extents(model.path, options.binds)
        self.declared = Declared(model, self.extents)
        self.nodes = 0
        self.silent = 0  # inside an operator that is a function: its nodes are not the model's
        self.only_data = True  # is all that was refused refused for depending on data?

    def run(self, file: str) -> Imported:
        graph = self.model.proto.graph
        scope = Scope(graph.node, self.model.opsets)
        self._store(graph, scope)
        self._inputs(graph, scope)
        self._walk(scope)
        if not graph.output:
            raise mistaken(self.path, f"graph {graph.name!r}", "has no output")
        found = [(o.name, self._read(o.name, scope, None, f"output {o.name!r}")) for o in graph.output]
        if any(isinstance(entry, Missing) for _, entry in found):
            self._stop()
        for name, entry in found:
            if not isinstance(entry, Val):
                self._cannot(f"output {name!r} is no tensor")
            self.declared.compare(name, entry, f"output {name!r}")
            self.b.output(_name(name), entry)
        built = self.b.finish(file)
        return Imported(built.graph, built.tensors, file, self.coverage, "onnx", self.path)

    def subgraph(self, graph: Proto, arguments: Sequence[Entry], scope: Scope) -> list[Entry]:
        """The outputs of a subgraph of a node in ``scope``."""
        if len(arguments) != len(graph.input):
            raise wrong(f"a subgraph has {len(graph.input)} inputs, {len(arguments)} are given")
        inner = scope.inside(graph.node, scope.label)
        self._store(graph, inner)
        for value, entry in zip(graph.input, arguments, strict=True):
            inner.stored.pop(value.name, None)
            inner.values[value.name] = entry
        self._walk(inner)
        return [self._read(o.name, inner, None, f"subgraph {graph.name!r}") for o in graph.output]

    # -- graphs ------------------------------------------------------------------------------------------------------

    def _store(self, graph: Proto, scope: Scope) -> None:
        for tensor in graph.initializer:
            if tensor.name in scope.stored:
                raise mistaken(self.path, f"initializer {tensor.name!r}", "is there twice")
            scope.stored[tensor.name] = tensor
        for sparse in graph.sparse_initializer:
            scope.stored[sparse.values.name] = sparse

    def _inputs(self, graph: Proto, scope: Scope) -> None:
        seen: set[str] = set()
        for value in graph.input:
            if value.name in seen:
                raise mistaken(self.path, f"input {value.name!r}", "is there twice")
            seen.add(value.name)
            if value.name in scope.stored:  # a default, which older models have for every weight
                continue
            try:
                scope.values[value.name] = self.b.input(_name(value.name), self.extents.type_of(value))
            except OpError as error:
                raise mistaken(self.path, f"input {value.name!r}", error.message) from None
            except LimitError as error:
                raise too_large(self.path, f"input {short(value.name)!r}: {error}") from None
            except Unsupported as error:
                self._cannot(f"input {value.name!r}: {error}")
            except Wrong as error:
                raise mistaken(self.path, f"input {value.name!r}", str(error)) from None
        self.extents.check()

    def _walk(self, scope: Scope) -> None:
        if scope.depth > DEEPEST:
            raise too_large(
                self.path, f"{scope.label or 'a subgraph'}: functions and subgraphs nest deeper than {DEEPEST}"
            )
        for node in scope.nodes:
            self.nodes += 1
            if self.nodes > MOST_NODES:
                raise too_large(
                    self.path, f"{title(node)}: more than {MOST_NODES:,} nodes after unrolling and inlining"
                )
            self._node(node, scope)

    def _read(self, name: str, scope: Scope, reader: Proto | None, where: str = "") -> Entry:
        for place in scope.chain():
            if name in place.values:
                return place.values[name]
            if name in place.stored:
                return self._load(name, place)
        raise mistaken(self.path, where or title(reader), scope.why_not(name, reader))

    def _load(self, name: str, scope: Scope) -> Entry:
        stored = scope.stored.pop(name)
        try:
            sparse = stored.DESCRIPTOR.name == "SparseTensorProto"
            array = self.tensors.sparse(stored) if sparse else self.tensors.array(stored)
            scope.values[name] = self.b.constant(array, _name(name))
        except Unsupported as error:
            self.coverage.refuse("Initializer", str(error), short(name))
            self.only_data = False
            scope.values[name] = Missing(name)
        except Wrong as error:
            raise mistaken(self.path, f"initializer {name!r}", str(error)) from None
        except Beyond as error:
            raise too_large(self.path, f"initializer {short(name)!r}: {error}") from None
        return scope.values[name]

    # -- nodes -------------------------------------------------------------------------------------------------------

    def _node(self, node: Proto, scope: Scope) -> None:
        where = f"{scope.label}{title(node)}"
        try:
            with self.b.at(_name(_first(node.output) or node.op_type), _name(node.name or _first(node.output))):
                self._map(node, scope, where)
        except FstcError:
            raise
        except Wrong as error:
            raise mistaken(self.path, where, str(error)) from None
        except OpError as error:
            raise mistaken(self.path, where, error.message, error.help) from None
        except (LimitError, Beyond) as error:
            raise too_large(self.path, f"{where}: {error}") from None
        except (MemoryError, OverflowError) as error:
            raise too_large(self.path, f"{where}: {error or 'out of memory'}") from None

    def _map(self, node: Proto, scope: Scope, where: str) -> None:
        entries: list[Entry] = [self._read(name, scope, node) if name else None for name in node.input]
        if any(isinstance(e, Missing) for e in entries):
            self._set(node, scope, [Missing(node.name)] * len(node.output), where)
            return
        domain = "" if node.domain in ("", "ai.onnx") else node.domain
        attributes = self._attributes(node, scope)
        function = self.model.functions.get((node.domain, node.op_type, getattr(node, "overload", "")))
        if function is not None:
            self._set(node, scope, self._call(function, entries, attributes, node, scope, where), where)
            return
        mark, operator = self.b.mark(), operator_of(node)
        try:
            version = scope.opsets.get(domain)
            if version is None:
                raise wrong(f"domain {short(domain)!r} has no version: the model does not import it")
            results = self._results(node, scope, entries, attributes, domain, version, where)
        except Unsupported as error:
            self._refuse(node, scope, entries, error, where)
            return
        self._set(node, scope, results, where)
        if not self.silent:
            ops = self.b.since(mark)
            self.coverage.mapped(operator, [op.name for op in ops], library=any(op.kind is Kind.LIBRARY for op in ops))

    def _results(
        self, node: Proto, scope: Scope, entries: list[Entry], attributes: Mapping[str, Proto], domain: str,
        version: int, where: str,
    ) -> list[Entry]:  # fmt: skip
        operator = operator_of(node)
        schema = schema_of(node.op_type, domain, version)
        if schema is not None:
            check(node, schema)
        handler = OPERATORS.get(operator)
        if handler is None:
            return self._function(schema, node, scope, entries, attributes, version, where)
        if schema is not None and schema.deprecated:
            raise wrong(f"{operator} does not exist in opset {version}: it is deprecated")
        seen = Node(self.b, operator, version, entries, node.output, attributes, self.tensors, self, scope, self.binds)
        try:
            return _listed(handler(seen))
        except AsFunction:
            return self._function(schema, node, scope, entries, attributes, version, where)

    def _function(
        self, schema: Schema | None, node: Proto, scope: Scope, entries: list[Entry], attributes: Mapping[str, Proto],
        version: int, where: str,
    ) -> list[Entry]:  # fmt: skip
        """The results of an operator that ONNX defines as a function."""
        types = [e.type if isinstance(e, Val) else None for e in entries]
        function = None if schema is None else function_of(schema, _resolved(node, attributes), version, types)
        if function is None:
            known = "fstc has no mapping of it" if schema is not None else "onnx does not know it either"
            raise Unsupported(f"no operator of fstc: {known}")
        self.silent += 1
        try:
            return self._call(function, entries, attributes, node, scope, where)
        finally:
            self.silent -= 1

    def _call(
        self, function: Proto, entries: list[Entry], attributes: Mapping[str, Proto], node: Proto, scope: Scope,
        where: str,
    ) -> list[Entry]:  # fmt: skip
        """The results of a function, walked with these inputs."""
        if len(entries) > len(function.input) or len(node.output) > len(function.output):
            raise wrong(f"the function has {len(function.input)} inputs and {len(function.output)} outputs")
        given = {a.name: a for a in function.attribute_proto} | dict(attributes)
        opsets = {**scope.opsets, **opsets_of(self.path, function.opset_import)}
        inner = Scope(function.node, opsets, None, given, f"{where}: ", depth=scope.depth + 1)
        filled = entries + [None] * (len(function.input) - len(entries))
        inner.values.update(zip(function.input, filled, strict=True))
        self._walk(inner)
        wanted = [bool(name) for name in node.output] + [False] * (len(function.output) - len(node.output))
        return [self._read(o, inner, None, where) if w else None for o, w in zip(function.output, wanted, strict=True)]

    def _attributes(self, node: Proto, scope: Scope) -> dict[str, Proto]:
        """By name; those that name an attribute of the function around are that one, or are left out."""
        found: dict[str, Proto] = {}
        for attribute in node.attribute:
            if not attribute.ref_attr_name:
                found[attribute.name] = attribute
            elif attribute.ref_attr_name in scope.attributes:
                found[attribute.name] = scope.attributes[attribute.ref_attr_name]
        return found

    def _set(self, node: Proto, scope: Scope, results: Sequence[Entry], where: str) -> None:
        for index, name in enumerate(node.output):
            if not name:
                continue
            if name in scope:
                raise wrong(f"makes {short(name)!r}, which is there already")
            entry = results[index] if index < len(results) else None
            if entry is None and index >= len(results):
                raise wrong(f"output {index} {short(name)!r} does not exist")
            scope.values[name] = entry
            if isinstance(entry, Val):
                if scope.depth == 0:
                    self.declared.compare(name, entry, where)
                if not self.b.is_input(entry):
                    self.b.call(_name(name), entry)

    def _refuse(self, node: Proto, scope: Scope, entries: list[Entry], error: Unsupported, where: str) -> None:
        """Note it; the results are those of a call of that name where their types are known."""
        self.only_data = self.only_data and isinstance(error, DataDependent)
        self.coverage.refuse(operator_of(node), str(error), where if scope.label else short(node.name) or where)
        found = [self.declared.type_of(name) if scope.depth == 0 else None for name in node.output]
        if not all(t or not name for t, name in zip(found, node.output, strict=True)):
            found = self.declared.inferred(_resolved(node, self._attributes(node, scope)), entries, scope.opsets)
        types = [t for t, name in zip(found, node.output, strict=True) if t and name]
        if len(types) < sum(map(bool, node.output)):
            self._set(node, scope, [Missing(node.name)] * len(node.output), where)
            return
        inputs = [e for e in entries if isinstance(e, Val)]
        called = self.b.op("custom_call", inputs, *types, call_target_name=f"onnx.{operator_of(node)}")
        results = iter(called)
        self._set(node, scope, [next(results) if name else None for name in node.output], where)

    def _stop(self) -> NoReturn:
        """Something is refused, and what follows from it has no type."""
        reasons = [
            f"{row.operator}: {reason} (at {places[0]}{f' and {len(places) - 1} more' if len(places) > 1 else ''})"
            for row in self.coverage.refused
            for reason, places in row.refused.items()
        ]
        self._cannot("; ".join(reasons[:10]), "FST0806" if self.only_data else "FST0803")

    def _cannot(self, why: str, code: str = "FST0803") -> NoReturn:
        help = "--bind, or constants instead of inputs, may make it known" if code == "FST0806" else ""
        raise FstcError(Diagnostic(code, f"cannot be imported: {why}", file=str(self.path), help=help))


def _listed(made: Result) -> list[Entry]:
    if made is None or isinstance(made, Val | Items | Absent | Missing):
        return [made]
    return list(made)


def _resolved(node: Proto, attributes: Mapping[str, Proto]) -> Proto:
    """The node with the attributes that it has in this call."""
    if not any(a.ref_attr_name for a in node.attribute):
        return node
    import onnx

    found = onnx.NodeProto()
    found.CopyFrom(node)
    del found.attribute[:]
    for name, attribute in attributes.items():
        kept = found.attribute.add()
        kept.CopyFrom(attribute)
        kept.name = name
    return found


def _first(names: Sequence[str]) -> str:
    return next((n for n in names if n), "")


def _name(name: str) -> str:
    """A name as the language takes it: printable, not too long."""
    shown = name if name.isprintable() else "".join(c if c.isprintable() else "_" for c in name)
    return shown[:LONGEST_NAME]
