"""codegen: from a plan to kernels as text and the steps that run them.

Example: ``codegen, sources = generate(graph, plan, device)``; ``sources["kernels/softmax_1f2e.cu"]`` is a readable
kernel. Kernels whose text without comments is equal are one kernel.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import fstc
from fstc.codegen.artefact import Codegen, KernelCode, Origin, Param, Scratch, Step, comment
from fstc.codegen.lower import lower_part
from fstc.codegen.program import Block, Line, flatten
from fstc.codegen.render import KernelView, ParamView, render
from fstc.device.device import Device
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import make_pattern
from fstc.ir.regions import Region, find_regions
from fstc.ir.rewrite import apply_rewrites
from fstc.ir.subgraph import extract
from fstc.plan.artefact import Kernel, Part, Plan

SYMBOL = "fst_kernel"


@dataclass(frozen=True)
class Lowered:
    """One kernel of a region: its text with the symbol still open, and its parameters as region values."""

    lines: tuple[Line | Block, ...]
    reads: tuple[int, ...]
    writes: tuple[int, ...]


def generate(graph: Graph, plan: Plan, device: Device) -> tuple[Codegen, dict[str, str]]:
    """The kernels and steps of a plan, and the text of each kernel's file. Deterministic."""
    regions = {r.hash: r for r in plan.regions}
    bodies: dict[tuple[int, int], tuple[str, Kernel, Lowered, Graph]] = {}
    first: dict[str, Region] = {}
    for region in find_regions(graph):
        first.setdefault(region.hash, region)
    order = [r.hash for r in plan.regions]
    for number, key in enumerate(order):
        planned = apply_rewrites(first[key].graph, [(w.value, w.dim, w.parts) for w in regions[key].rewrites])
        for k, kernel in enumerate(regions[key].kernels):
            lowered = lower_kernel(planned, kernel, plan.index_bits == 64)
            bodies[number, k] = (kernel.name, kernel, lowered, planned)
    kernels: list[KernelCode] = []
    sources: dict[str, str] = {}
    index: dict[tuple[int, int], int] = {}
    seen: dict[str, int] = {}
    for at, (name, kernel, lowered, planned) in bodies.items():
        view = view_of(kernel, lowered, planned, name)
        params = tuple(
            Param(mode=mode, dtype=planned.type(v).dtype.name, elements=planned.type(v).elements)
            for v, mode in (*((v, "read") for v in lowered.reads), *((v, written(planned, v)) for v in lowered.writes))
        )
        digest = _identity(view, kernel, params)
        if digest in seen:
            index[at] = seen[digest]
            continue
        symbol = f"{SYMBOL}_{digest[:12]}"
        text = render(view).replace(SYMBOL, symbol, 1)
        file = f"kernels/{_safe(name)}_{digest[:8]}.cu"
        seen[digest] = index[at] = len(kernels)
        sources[file] = text
        kernels.append(
            KernelCode(
                symbol=symbol,
                name=name,
                file=file,
                digest=hashlib.sha256(text.encode()).hexdigest(),
                grid=kernel.blocks,
                block=kernel.threads,
                shared=kernel.shared,
                min_blocks=kernel.min_blocks,
                params=params,
                origins=_origins(text),
            )
        )
    steps = tuple(_step(s, index) for s in plan.steps)
    scratch = tuple(Scratch(s.id, s.name, s.dtype, s.shape) for s in plan.scratch)
    return Codegen(device=plan.device, kernels=tuple(kernels), steps=steps, scratch=scratch), sources


def _identity(view: KernelView, kernel: Kernel, params: tuple[Param, ...]) -> str:
    """Digest of what a kernel is, whatever its values are called: its text without comments, and its launch."""
    code = [view.bounds, *(p.text for p in view.params), *(f"{t.indent} {t.text}" for t in view.lines)]
    launch = f"{kernel.threads}|{kernel.blocks}|{kernel.shared}|{params}"
    return hashlib.sha256("\n".join([*code, launch]).encode()).hexdigest()


def _step(step: object, index: dict[tuple[int, int], int]) -> Step:
    kind, region, kernel = step.kind, step.region, step.kernel  # type: ignore[attr-defined]
    return Step(
        kind=kind,
        kernel=index[region, kernel] if kind == "kernel" else -1,
        node=step.node,  # type: ignore[attr-defined]
        reads=step.reads,  # type: ignore[attr-defined]
        writes=step.writes,  # type: ignore[attr-defined]
    )


def written(region: Graph, value: int) -> str:
    """How a result comes to be: a scatter updates a copy of its operand."""
    producer = region.values[value].node
    return "update" if producer >= 0 and region.nodes[producer].op.form is Form.SCATTER else "write"


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c == "_" else "_" for c in name)[:40]


def _origins(text: str) -> tuple[Origin, ...]:
    """Lines with a trailing comment of the form ``// %name ...``."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        _, mark, origin = line.rpartition("  // %")
        if mark:
            found.append(Origin(line=number, op=f"%{origin}"))
    return tuple(found)


def lower_kernel(region: Graph, kernel: Kernel, wide: bool) -> Lowered:
    """All parts of one launch; parameters are the union of theirs, inputs first."""
    reads = tuple(dict.fromkeys(v for p in kernel.parts for v in p.inputs))
    writes = tuple(dict.fromkeys(v for p in kernel.parts for v in p.outputs))
    pointer = {v: f"p{n}" for n, v in enumerate(reads)} | {v: f"q{n}" for n, v in enumerate(writes)}
    items: list[Line | Block] = []
    start = 0
    packed = len(kernel.parts) > 1
    index_type = "fst::i64" if wide else "int"
    for number, part in enumerate(kernel.parts):
        body = _part(region, part, pointer, kernel.threads // 32, wide)
        at = f"blockIdx.x - {start}" if start else "blockIdx.x"
        head: list[Line | Block] = [Line(f"const {index_type} block = {at};")] if part.blocks > 1 else []
        if packed:
            start += part.blocks
            last = number == len(kernel.parts) - 1
            test = f"{'else ' if number else ''}{'' if last else f'if (blockIdx.x < {start}) '}{{"
            items.append(Block(test, head + body))
        else:
            items += head + body
    return Lowered(tuple(items), reads, writes)


def _part(region: Graph, part: Part, pointer: dict[int, str], warps: int, wide: bool) -> list[Line | Block]:
    graph, origin = extract(region, part.nodes, keep=frozenset(part.outputs))
    local = {g: n for n, g in enumerate(origin)}
    rank = {n: i for i, n in enumerate(sorted(part.nodes))}
    import msgspec

    def moved(ids: tuple[int, ...], table: dict[int, int]) -> tuple[int, ...]:
        return tuple(table[i] for i in ids)

    return lower_part(
        make_pattern(graph),
        part.placement,
        tuple(
            msgspec.structs.replace(n, reduces=moved(n.reduces, rank), stores=moved(n.stores, local))
            for n in part.nests
        ),
        tuple(msgspec.structs.replace(h, value=local[h.value]) for h in part.holds),
        tuple(msgspec.structs.replace(e, node=rank[e.node]) for e in part.exchanges),
        params={local[v]: name for v, name in pointer.items() if v in local},
        warps=warps,
        wide=wide,
    )


def view_of(kernel: Kernel, lowered: Lowered, region: Graph, name: str) -> KernelView:
    params = []
    for values, mark in ((lowered.reads, "p"), (lowered.writes, "q")):
        for n, v in enumerate(values):
            ttype = region.type(v)
            const = "const " if mark == "p" else ""
            text = f"{const}{ttype.dtype.storage}* __restrict__ {mark}{n}"
            params.append(ParamView(text, comment(f"%{region.values[v].name} {ttype}")))
    lines = tuple(
        type(t)(t.indent, t.text, comment(t.origin) if t.origin else "") for t in flatten(list(lowered.lines))
    )
    return KernelView(
        symbol=SYMBOL,
        banner=comment(f"fstc {fstc.__version__}: {name}, {kernel.blocks} blocks of {kernel.threads} threads"),
        bounds=f"{kernel.threads}, {kernel.min_blocks}" if kernel.min_blocks > 1 else str(kernel.threads),
        params=tuple(params),
        arena=kernel.shared > 0,
        lines=lines,
    )
