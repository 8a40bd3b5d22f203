"""Read ``--pins FILE``: the kernels of a plan as they shall be, from YAML or from a plan that was made before.

Example::

    kernels:
      - [max, shifted, exp]          # computed in one kernel, and nothing else with them
      - [[p_next, m_next], [scale]]  # two independent parts of one launch

``read_pins(path, graph)`` is what :class:`fstc.plan.options.PlanOptions` takes: ``("%max,%shifted,%exp",
"%p_next,%m_next|%scale")``. Of a ``.plan.json`` every kernel becomes a pin. What no pin names stays free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from fstc.ir.graph import Graph
from fstc.ir.literals import value_name
from fstc.ir.ops.opdef import Form
from fstc.plan.artefact import Plan, RegionPlan
from fstc.plan.wishes import MADE
from fstc.report.diff.outline import Outline
from fstc.support.artefact import decode
from fstc.support.diagnostics import Diagnostic, FstcError, Label
from fstc.support.files import read_bytes
from fstc.support.suggest import clipped, did_you_mean
from fstc.support.yaml_events import Items, Node, Scalar, decode_text, help_for, kind_of, read_fields, read_yaml
from fstc.support.yaml_events import Mapping as Entries

CODE = "FST0421"
FILE_LIMIT = 1 << 26  # bytes; a plan of 10,000 ops has some megabytes
MOST_PROBLEMS = 100
EXAMPLE = "kernels: [[max, exp], [out]]"

Pin = tuple[tuple[str, ...], ...]
"""Names of the values of each part of one launch."""


def read_pins(path: str, graph: Graph) -> tuple[str, ...]:
    """Raises FstcError: the file cannot be read or understood (FST0421), or names what the model does not have."""
    data = read_bytes(Path(path), FILE_LIMIT)
    pins = _of_plan(data, path, graph) if data.lstrip()[:1] == b"{" else _of_yaml(data, path, graph)
    return tuple("|".join(",".join(map(value_name, part)) for part in pin) for pin in pins)


# -- from a plan --------------------------------------------------------------------------------------------------


def _of_plan(data: bytes, path: str, graph: Graph) -> list[Pin]:
    plan = decode(data, Plan, path)
    names = {v.name: v.node for v in graph.values}
    pins = []
    for region in plan.regions:
        for parts in _computed(region):
            wanted = tuple(tuple(n for n in part if _counts(graph, names, n, path)) for part in parts)
            if any(wanted):
                pins.append(tuple(part for part in wanted if part))
    if not pins:
        raise FstcError(Diagnostic(CODE, f"{path} has no kernel", file=path, help=f"for example {EXAMPLE}"))
    return pins


def _computed(region: RegionPlan) -> Iterable[Pin]:
    """Names of what each kernel's parts compute, by kernel."""
    outline = Outline(region.text)
    for kernel in region.kernels:
        yield tuple(tuple(map(_plain, outline.results(part.nodes))) for part in kernel.parts)


def _counts(graph: Graph, names: Mapping[str, int], name: str, path: str) -> bool:
    """Whether a pin can name the value: constants belong to no kernel."""
    node = names.get(name)
    if node is not None:
        return node >= 0 and graph.nodes[node].op.form is not Form.CONSTANT
    base, _, made = name.rpartition(".")
    if made in MADE and base in names:
        return made != "neutral"
    help = did_you_mean(name, names, value_name) or "pins are of the plan of the same model"
    message = f"{path} computes {value_name(name)}, which the model does not have"
    raise FstcError(Diagnostic(CODE, message, file=path, help=help))


def _plain(name: str) -> str:
    """A name as the graph has it, without ``%`` and quotes."""
    import json

    text = name.removeprefix("%")
    return str(json.loads(text)) if text.startswith('"') else text


# -- from YAML ----------------------------------------------------------------------------------------------------


def _of_yaml(data: bytes, path: str, graph: Graph) -> list[Pin]:
    root = read_yaml(decode_text(data, path, CODE), CODE)
    if not isinstance(root, Entries):
        what = "nothing" if root is None else kind_of(root)
        label = Label(root.span) if root is not None else None
        message = f"a mapping with the key `kernels` is needed, not {what}"
        raise FstcError(Diagnostic(CODE, message, label, file=path, help=f"for example {EXAMPLE}"))
    fields, problems = read_fields(root, ("kernels",), "a file of pins", CODE)
    reader = _Reader(frozenset(v.name for v in graph.values), problems)
    pins = reader.kernels(fields["kernels"].value) if "kernels" in fields else []
    if not pins and not reader.problems:
        reader.refuse("there is no kernel", root)
    if reader.problems:
        ordered = sorted(reader.problems, key=lambda d: d.label.span.start if d.label else 0)
        raise FstcError(*ordered[:MOST_PROBLEMS])
    return pins


class _Reader:
    """Names from nodes; what is wrong is collected."""

    def __init__(self, known: frozenset[str], problems: list[Diagnostic]) -> None:
        self.known, self.problems = known, problems

    def refuse(self, message: str, node: Node, help: str = "") -> None:
        self.problems.append(Diagnostic(CODE, message, Label(node.span), help=help or help_for(node)))

    def kernels(self, node: Node) -> list[Pin]:
        if not isinstance(node, Items):
            self.refuse(f"a list of kernels is needed, not {kind_of(node)}", node, f"for example {EXAMPLE}")
            return []
        return [pin for item in node.items if (pin := self.kernel(item))]

    def kernel(self, node: Node) -> Pin:
        """A list of names, or of such lists: a launch of several parts."""
        if not isinstance(node, Items) or not node.items:
            what = "an empty list" if isinstance(node, Items) else kind_of(node)
            self.refuse(f"a kernel is a list of names, not {what}", node, f"for example {EXAMPLE}")
            return ()
        packed = [isinstance(item, Items) for item in node.items]
        if any(packed) and not all(packed):
            self.refuse("names and lists in one kernel", node, "a packed launch is a list of lists: [[a, b], [c]]")
            return ()
        parts = [item.items for item in node.items if isinstance(item, Items)] if packed[0] else [node.items]
        return tuple(tuple(n for item in part if (n := self.name(item))) for part in parts)

    def name(self, node: Node) -> str:
        if not isinstance(node, Scalar):
            self.refuse(f"the name of a value is needed, not {kind_of(node)}", node)
            return ""
        name = node.text.strip().removeprefix("%")
        base, _, made = name.rpartition(".")
        if name in self.known or (made in MADE and base in self.known):
            return name
        help = did_you_mean(name, self.known, value_name) or "names are those of the .fir"
        self.refuse(f"there is no value called %{clipped(name)}", node, help)
        return ""
