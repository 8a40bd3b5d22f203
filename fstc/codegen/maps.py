"""The map of a kernel: from every statement of its text to the op that it computes.

Example: ``kernel_maps(graph, codegen, sources)["kernels/k0_y_1f2e.map.json"]`` holds
``{"line": 39, "kind": "op", "op": "%y = mul", "loc": "bert.py:12"}``. A line that names its op in a comment counts as
it says. Any other belongs to the first variable on it that such a line declared: a vector load to the
parameter that it reads, a shuffle to its reduction. What is left computes no value: indices, barriers, loops
and guards, each told by its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from fstc.codegen.artefact import Codegen, KernelCode, KernelMap, Statement, comment
from fstc.ir.graph import Graph
from fstc.support.artefact import encode

MARK = "  // %"
WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
VARIABLE = re.compile(r"[\w:<>,*& ]*[\w>&] [*&]?(?:__restrict__ )?([A-Za-z_]\w*)(?:\[[^\]]*\])?[;,)]?")
BARRIER = re.compile(r"\b__sync\w+\(")
LOOP = re.compile(r"(?:for|while|if|else|} else)\b")


def map_file(kernel: KernelCode) -> str:
    """The map's name beside the kernel's."""
    return f"{kernel.file.removesuffix('.cu')}.map.json"


def kernel_maps(graph: Graph, codegen: Codegen, sources: Mapping[str, str]) -> dict[str, str]:
    """The content of every map, by file name."""
    locations = _locations(graph)
    return {map_file(k): _encoded(k, sources[k.file], locations) for k in codegen.kernels}


def _encoded(kernel: KernelCode, text: str, locations: Mapping[str, str]) -> str:
    statements = tuple(_statements(text, locations))
    made = KernelMap(
        kernel=kernel.name, symbol=kernel.symbol, file=kernel.file, digest=kernel.digest, statements=statements
    )
    return encode(made).decode()


def _locations(graph: Graph) -> dict[str, str]:
    """Where each op says that it comes from, by the name that comments give its results.

    Not its line in the .fir: a graph file may lie away from it, and maps are the same everywhere.
    """
    found: dict[str, str] = {}
    for node in graph.nodes:
        for value in node.outputs if node.loc else ():
            found.setdefault(comment(f"%{graph.values[value].name}"), node.loc)
    return found


def _statements(text: str, locations: Mapping[str, str]) -> Iterator[Statement]:
    owner: dict[str, str] = {}  # variable -> op
    for number, line in enumerate(text.split("\n"), 1):
        code, mark, origin = line.rpartition(MARK)
        if not mark:
            code, origin = line.partition("  //")[0], ""
        code = code.strip()
        if not code or code.startswith(("#", "//", "extern ")) or not code.strip("{} "):
            continue
        made = _declared(code)
        op = f"%{origin}" if origin else _borrowed(code.partition(" = ")[2] if made else code, owner)
        if op and made:
            owner[made] = op  # the parts of a packed launch use the same names
        loc = locations.get(re.split(r"[ ,]", op, maxsplit=1)[0], "") if op else ""
        yield Statement(line=number, kind=_kind(code, op), op=op, loc=loc)


def _declared(code: str) -> str:
    """The variable that a statement declares, or nothing."""
    found = VARIABLE.fullmatch(code.partition(" = ")[0])
    return found[1] if found else ""


def _borrowed(code: str, owner: Mapping[str, str]) -> str:
    if LOOP.match(code):
        return ""
    return next((owner[word] for word in WORD.findall(code) if word in owner), "")


def _kind(code: str, op: str) -> str:
    if BARRIER.search(code):
        return "barrier"
    if LOOP.match(code):
        return "control"
    return "op" if op else "index"
