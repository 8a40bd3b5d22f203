"""What the page of a plan holds as data: each region's plan once, names for each place, texts of kernels.

Example: ``details(launches, code, texts)["regions"][0]["kernels"][0]["parts"][0]["groups"]``. Records of which there
are many are lists; :data:`RECORDS` names their fields. A value is its number in its region; a list of texts and numbers
(``["", 4, " = add ", 2]``) is a text with values in it, written with the names of the place that is looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from fstc.codegen.artefact import Codegen, KernelMap, comment
from fstc.ir.graph import Graph
from fstc.ir.literals import value_name
from fstc.ir.printer import print_node
from fstc.plan.artefact import Decision, Kernel, Part
from fstc.report.launches import Launches
from fstc.support.artefact import decode
from fstc.support.codes import CODES

CODE_BUDGET = 2_000_000  # characters of kernel texts in a page; what is beyond is in the files of ``fstc codegen``
VALUE = re.compile(r'%(?:[A-Za-z0-9_.\-]+|"(?:[^"\\]|\\.)*")')

Mixed = list[str | int]
Origins = dict[int, int]  # line of a kernel's text -> value

RECORDS: Mapping[str, tuple[str, ...]] = {
    "tensors": ("name", "type", "bytes", "source", "result"),
    "axes": ("axis", "extent", "vector", "lanes", "lane stride", "warps", "warp stride", "serial", "grid"),
    "groups": ("root", "kind", "phase", "ops"),
    "edges": ("value", "user", "scheme", "carrier", "bytes", "why"),
    "holds": ("value", "axes", "carrier", "elements"),
    "accesses": ("value", "mode", "vector", "run", "bytes", "l2"),
    "decisions": ("code", "joined", "left", "right", "gain", "reason", "terms", "limits", "path"),
}


def details(launches: Launches, code: Codegen, texts: Mapping[str, str]) -> dict[str, Any]:
    """JSON-able; ``texts`` are the kernels and their maps, by file name."""
    sources = Sources(launches, code, texts)
    keys = {key: n for n, key in enumerate(launches.tensors)}
    planned = _planned(launches)
    return {
        "records": {name: list(fields) for name, fields in RECORDS.items()},
        "tensors": [[t.name, str(t.type), t.type.nbytes, t.source, t.result] for t in launches.tensors.values()],
        "steps": [
            {"name": s.name, "reads": [keys[k] for k in s.reads], "writes": [keys[k] for k in s.writes]}
            | ({"place": s.place, "kernel": s.number} if s.kernel else {})
            | ({"text": print_node(launches.graph, s.call)} if s.call else {})
            for s in launches.steps
        ],
        "places": [{"region": p.region, "names": [v.name for v in p.graph.values]} for p in launches.places],
        "regions": [
            _region(planned.get(n), region.hash, region.kernels, region.decisions, sources, n)
            for n, region in enumerate(launches.plan.regions)
        ],
        "sources": sources.shown,
        "codes": _codes(d for r in launches.plan.regions for d in r.decisions),
    }


def as_script(data: Any) -> str:
    """JSON that is safe inside a script element, whatever the names in it: no markup can start or end there."""
    text = json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _planned(launches: Launches) -> dict[int, Graph]:
    """The graph of each region with the names that its plan uses: those of its first place."""
    found: dict[int, Graph] = {}
    for place in launches.places:
        found.setdefault(place.region, place.graph)
    return found


def _codes(decisions: Iterable[Decision]) -> dict[str, list[str]]:
    known = sorted({d.code for d in decisions} & CODES.keys())
    return {code: [CODES[code].meaning, _flowing(CODES[code].text)] for code in known}


def _flowing(text: str) -> str:
    """A text without its line breaks; those of indented examples and between paragraphs stay."""
    return re.sub(r"(?<=\S)\n(?=\S)", " ", text)


def _region(
    graph: Graph | None, hash: str, kernels: Iterable[Kernel], decisions: Iterable[Decision], sources: Sources, n: int
) -> dict[str, Any]:
    names = _names(graph) if graph else {}
    return {
        "hash": hash,
        "types": [str(v.type) for v in graph.values] if graph else [],
        "ops": [_op(graph, n, names) for n in range(len(graph.nodes))] if graph else [],
        "kernels": [_kernel(kernel, graph, sources, (n, k)) for k, kernel in enumerate(kernels) if graph],
        "decisions": [_decision(d, names) for d in decisions],
    }


def _names(graph: Graph) -> dict[str, int]:
    """How values are written, in statements and in decisions."""
    bare = {f"%{v.name}": v.id for v in graph.values}
    return bare | {value_name(v.name): v.id for v in graph.values}


def mixed(text: str, names: Mapping[str, int]) -> Mixed:
    """A text in which values are numbers."""
    if text in names:  # a name may hold blanks
        return [names[text]]
    found: Mixed = []
    end = 0
    for match in VALUE.finditer(text):
        if match[0] in names:
            found += [text[end : match.start()]] if match.start() > end else []
            found.append(names[match[0]])
            end = match.end()
    return [*found, text[end:]] if end < len(text) else found


def _op(graph: Graph, node: int, names: Mapping[str, int]) -> dict[str, Any]:
    """A statement; the names within a body are its own."""
    op = graph.nodes[node]
    text = print_node(graph, op)
    body = text.find(" (%") if op.regions else -1
    head, tail = (text[:body], text[body:]) if body >= 0 else (text, "")
    return {"name": op.op.name, "outputs": list(op.outputs), "text": mixed(head, names) + ([tail] if tail else [])}


def _kernel(kernel: Kernel, graph: Graph, sources: Sources, at: tuple[int, int]) -> dict[str, Any]:
    source, lines = sources.of(kernel, graph, at)
    return {
        "name": kernel.name,
        "hash": kernel.hash,
        "scheme": kernel.scheme,
        "blocks": kernel.blocks,
        "threads": kernel.threads,
        "shared": kernel.shared,
        "registers": kernel.registers,
        "occupancy": kernel.occupancy,
        "blocks_per_sm": kernel.blocks_per_sm,
        "min_blocks": kernel.min_blocks,
        "bytes": kernel.bytes,
        "bytes_min": kernel.bytes_min,
        "l2_bytes": kernel.l2_bytes,
        "us": kernel.predicted_us,
        "bound": kernel.bound,
        "terms": kernel.terms,
        "parts": [_part(part) for part in kernel.parts],
        "source": source,
        "lines": lines,
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "words": part.words,
        "blocks": part.blocks,
        "nodes": part.nodes,
        "inputs": part.inputs,
        "outputs": part.outputs,
        "axes": [
            [p.axis, p.extent, p.vector, p.lanes, p.lane_stride, p.warps, p.warp_stride, p.serial, p.grid]
            for p in part.placement
        ],
        "groups": [[g.root, g.kind, g.phase, g.ops] for g in part.groups],
        "edges": [[e.value, e.user, e.scheme, e.carrier, e.bytes, e.why] for e in part.edges],
        "holds": [[h.value, ", ".join(h.axes), h.carrier, h.elements] for h in part.holds],
        "accesses": [[a.value, a.mode, a.vector, a.run, a.bytes, a.l2_bytes] for a in part.accesses],
    }


def _decision(d: Decision, names: Mapping[str, int]) -> list[Any]:
    sides = [mixed(d.left, names), mixed(d.right, names)]
    path = [mixed(value, names) for value in d.path]
    return [d.code, d.accepted, *sides, d.gain_us, mixed(d.reason, names), d.terms, d.limits, path]


class Sources:
    """Texts of kernels, each once, and which value each line computes, loads or keeps."""

    def __init__(self, launches: Launches, code: Codegen, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.code = code
        self.shown: list[dict[str, Any]] = []
        self._kernel = {  # of the code, by region and number
            (mine.region, mine.kernel): theirs.kernel
            for mine, theirs in zip(launches.plan.steps, code.steps, strict=True)
            if mine.region >= 0
        }
        self._number: dict[int, int] = {}
        self._first: dict[int, tuple[Origins, list[int], list[str]]] = {}
        self._room = CODE_BUDGET

    def of(self, kernel: Kernel, graph: Graph, at: tuple[int, int]) -> tuple[int, list[int]]:
        """The text's number in ``shown`` and a value, or -1, for each of its lines."""
        which = self._kernel[at]
        values, ops = _sequence(kernel, graph)
        if which not in self._number:
            self._number[which] = self._show(which)
            self._first[which] = (self._origins(which, graph, values), values, ops)
        number = self._number[which]
        if number < 0:
            return -1, []
        origins, first, theirs = self._first[which]
        moved = dict(zip(first, values, strict=True)) if ops == theirs else {}
        count = len(self.shown[number]["lines"])
        return number, [moved.get(origins.get(line, -1), -1) for line in range(1, count + 1)]

    def _show(self, which: int) -> int:
        """Comments go: the page marks what a line belongs to, with the names of the place."""
        kernel = self.code.kernels[which]
        text = self.texts[kernel.file]
        self._room -= len(text)
        if self._room < 0:
            return -1
        lines = [line.partition("  // %")[0] for line in text.rstrip("\n").split("\n")]
        self.shown.append({"file": kernel.file, "symbol": kernel.symbol, "lines": lines})
        return len(self.shown) - 1

    def _origins(self, which: int, graph: Graph, values: list[int]) -> Origins:
        """Maps speak in names as comments show them; two values that look alike there count for none."""
        file = f"{self.code.kernels[which].file.removesuffix('.cu')}.map.json"
        found: dict[str, int] = {}
        for v in values:
            for text in _written(graph, v):
                found[text] = v if found.get(text, v) == v else -1
        statements = decode(self.texts[file].encode(), KernelMap, file).statements
        return {s.line: found.get(s.op, -1) for s in statements if s.op}


def _sequence(kernel: Kernel, graph: Graph) -> tuple[list[int], list[str]]:
    """The values of a kernel in an order that equal kernels share, and what is computed."""
    nodes = [graph.nodes[n] for part in kernel.parts for n in part.nodes]
    values = [v for part in kernel.parts for v in part.inputs] + [v for node in nodes for v in node.outputs]
    return values, [node.op.name for node in nodes] + [str(len(part.inputs)) for part in kernel.parts]


def _written(graph: Graph, value: int) -> list[str]:
    """What maps may call a value: alone, with its type, with its carrier, or with its op."""
    name, node = f"%{graph.values[value].name}", graph.values[value].node
    texts = [name, f"{name} {graph.type(value)}", *(f"{name}, kept in {carrier}" for carrier in ("register", "shared"))]
    if node >= 0:
        texts.append(f"{name} = {graph.nodes[node].op.name}")
    return [comment(text) for text in texts]
