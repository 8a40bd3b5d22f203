"""A plan as a Graphviz graph: kernels are clusters of their ops, library calls stand alone, edges are tensors.

Example: ``plan_dot("softmax_mask", launches_of(graph, plan))`` is the text of a ``.dot`` file; ``dot -Tsvg`` draws it.
A model of more than :data:`EXPANDED` ops shows each kernel as one box, for Graphviz needs minutes for thousands.
"""

from __future__ import annotations

from collections.abc import Iterator

from fstc.plan.artefact import Kernel
from fstc.report.launches import OUTSIDE, Launch, Launches, is_constant
from fstc.support.sizes import decimal

EXPANDED = 400  # ops drawn one by one at most, counting an op once a kernel that computes it
GREY = 'style="rounded,filled", fillcolor=lightgrey'


def plan_dot(name: str, launches: Launches, limit: int = EXPANDED) -> str:
    """The file's text; deterministic."""
    ops = sum(len(step.nodes) for step in launches.steps)
    summary = launches.plan.summary
    title = f"{name}: {summary.ops} ops, {summary.kernels} kernels, {summary.library_calls} library calls"
    lines = [
        "digraph plan {",
        f"  graph [label={quoted(title)}, labelloc=t, fontname=Helvetica, ranksep=0.4];",
        "  node [shape=box, style=filled, fillcolor=white, fontname=Helvetica, fontsize=10];",
        "  edge [fontname=Helvetica, fontsize=9];",
        *_outside(launches),
        *(_expanded(launches) if ops <= limit else _collapsed(launches)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def quoted(*lines: str) -> str:
    """A quoted string of one or more lines; names may hold anything."""
    return '"' + "\\n".join(map(_escaped, lines)) + '"'


def _escaped(line: str) -> str:
    """Backslashes start escapes in a label and ampersands start entities; control characters have no form."""
    text = line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if c.isprintable() else "?" for c in text)


def _outside(launches: Launches) -> Iterator[str]:
    for key in launches.outside:
        shape = "note" if is_constant(launches, key) else "ellipse"
        tensor = launches.tensors[key]
        yield f"  t{key} [shape={shape}, label={quoted(f'%{tensor.name}', str(tensor.type))}];"


def _collapsed(launches: Launches) -> Iterator[str]:
    for step in launches.steps:
        yield f"  {_call(launches, step) if step.kernel is None else _box(step, step.kernel)};"
    yield from _results(launches, {key: f"s{launches.tensors[key].source}" for key in launches.tensors})
    for key, tensor in launches.tensors.items():
        source = f"t{key}" if tensor.source == OUTSIDE else f"s{tensor.source}"
        for user in tensor.users:
            yield f"  {source} -> s{user} [label={_label(launches, key)}];"


def _expanded(launches: Launches) -> Iterator[str]:
    maker: dict[int, str] = {}  # tensor -> the node that draws what makes it
    for step in launches.steps:
        if step.kernel is None:
            yield f"  {_call(launches, step)};"
            maker |= dict.fromkeys(step.writes, f"s{step.step}")
            continue
        graph = launches.places[step.place].graph
        yield f"  subgraph cluster_{step.step} {{"
        yield f"    graph [{GREY}, label={quoted(*_words(step, step.kernel))}];"
        for n in step.nodes:
            value = graph.values[graph.nodes[n].outputs[0]]
            yield f"    {_op(step, n)} [label={quoted(f'%{value.name} = {graph.nodes[n].op.name}')}];"
        yield "  }"
        maker |= {
            key: _op(step, graph.values[v].node)
            for v, key in step.tensors.items()
            if graph.values[v].node in step.nodes and launches.tensors[key].source == step.step
        }
    yield from _results(launches, maker)
    for step in launches.steps:
        if step.kernel is None:
            for key in dict.fromkeys(step.reads):
                yield f"  {maker.get(key, f't{key}')} -> s{step.step} [label={_label(launches, key)}];"
        else:
            yield from _edges(launches, step, maker)


def _edges(launches: Launches, step: Launch, maker: dict[int, str]) -> Iterator[str]:
    """What the ops of a kernel read: from each other, and from outside the kernel."""
    graph = launches.places[step.place].graph
    inside = frozenset(step.nodes)
    for n in step.nodes:
        for v in dict.fromkeys(graph.nodes[n].inputs):
            if graph.values[v].node in inside:
                ttype = graph.type(v)
                label = quoted(f"%{graph.values[v].name} {ttype}", decimal(ttype.nbytes))
                yield f"  {_op(step, graph.values[v].node)} -> {_op(step, n)} [style=dashed, label={label}];"
            elif v in step.tensors:
                key = step.tensors[v]
                yield f"  {maker.get(key, f't{key}')} -> {_op(step, n)} [label={_label(launches, key)}];"


def _results(launches: Launches, maker: dict[int, str]) -> Iterator[str]:
    for key, tensor in launches.tensors.items():
        if tensor.result and tensor.source != OUTSIDE:
            yield f"  r{key} [shape=ellipse, peripheries=2, label={quoted(f'%{tensor.name}')}];"
            yield f"  {maker[key]} -> r{key} [label={_label(launches, key)}];"


def _op(step: Launch, node: int) -> str:
    return f"s{step.step}_n{node}"


def _call(launches: Launches, step: Launch) -> str:
    made = launches.tensors[step.writes[0]].name if step.writes else ""
    return f"s{step.step} [shape=component, fillcolor=lightyellow, label={quoted(step.name, f'%{made}')}]"


def _box(step: Launch, kernel: Kernel) -> str:
    return f"s{step.step} [{GREY}, label={quoted(*_words(step, kernel))}]"


def _words(step: Launch, kernel: Kernel) -> tuple[str, str]:
    time = f"{kernel.predicted_us:.4g} us ({kernel.bound})"
    return step.name, f"{len(step.nodes)} ops, {kernel.scheme}, {time}, {decimal(kernel.bytes)}"


def _label(launches: Launches, key: int) -> str:
    tensor = launches.tensors[key]
    return quoted(f"%{tensor.name} {tensor.type}", decimal(tensor.type.nbytes))
