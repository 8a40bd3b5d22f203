"""What random graphs are judged by: the strict reference, and how far rounding may move each element of it.

Policy ``strict`` leaves a kernel almost no freedom: every op is rounded once, so all but two kinds of ops give the
reference's very bits. The exceptions are transcendental functions (a few units in the last place) and float sums and
products (any order, accumulated in f32). ``judge`` therefore evaluates the reference again with the results of these
ops moved by their bounds, up, down and at random. An element that this does not move must be equal; others may err by
a small multiple of what was seen. A branch, a rounding or an argmax that hangs on such an op is found so too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fstc.ir.graph import Graph, Node
from fstc.ir.ops.evaluate import run_op
from fstc.ir.ops.opdef import Form, Kind
from fstc.ir.types import DType
from fstc.runtime.compare import EPS, SMALLEST

Array = Any
EXACT = ("div", "rem", "sqrt")  # EXPENSIVE, but IEEE operations that round once
FUNCTION_ULPS = 6.0
MARGIN = 3.0  # over the movement seen
DRAWS = 12  # the first two move everything up, everything down; then whole bounds and parts of bounds take turns


def loose(node: Node, graph: Graph) -> str:
    """How a node's float result may differ from the reference: not at all, "function", "sum" or "product"."""
    if not node.outputs or not graph.type(node.outputs[0]).dtype.is_float:
        return ""
    if node.op.form is Form.ELEMENTWISE:
        return "function" if node.op.kind is Kind.EXPENSIVE and node.op.name not in EXACT else ""
    if node.op.form in (Form.REDUCE, Form.REDUCE_WINDOW, Form.SCAN, Form.SCATTER):
        monoid = node.op.monoid
        if monoid is None and node.regions:
            names = [n.op.name for n in node.regions[0].graph.nodes]
            monoid = names[0] if len(names) == 1 else None
        return {"add": "sum", "mul": "product"}.get(monoid or "", "")
    return "sum" if node.op.form is Form.LIBRARY and node.op.library is not None else ""


def bound(graph: Graph, node: Node, operands: list[Array], result: Array, dtype: DType) -> Array:
    """How far one result may lie from the reference's; infinite where an intermediate result may overflow."""
    kind = loose(node, graph)
    size = np.abs(result.astype(np.float64))
    unit = EPS["f64"] if dtype.name == "f64" else EPS["f32"]
    narrow = EPS[dtype.name] * size if dtype.size < 4 else 0.0  # a tie may fall on the other side
    if kind == "function":
        return FUNCTION_ULPS * unit * size + narrow + 4 * SMALLEST[dtype.name]
    terms = max(1.0, max((x.size for x in operands), default=1) / max(1, result.size))
    if node.op.form is Form.SCAN:  # the last element of a running sum has seen them all
        terms = float(max(1, result.shape[node.attr("axis")]))
    growth = unit * (4 + 2 * np.sqrt(terms))
    floats = [x if x.dtype.kind in "iub" else np.abs(x) for x in operands]
    if kind == "sum":
        (total, *_) = run_op(graph, node, floats)
        total = np.where(np.isfinite(result.astype(np.float64)) & ~np.isfinite(total.astype(np.float64)), np.inf, total)
        return growth * total.astype(np.float64) + narrow + 4 * SMALLEST[dtype.name]
    (grown, *_) = run_op(graph, node, [np.maximum(x, np.ones_like(x)) for x in floats])
    small = [np.minimum(np.where(x == 0, np.ones_like(x), x), np.ones_like(x)) for x in floats]
    (shrunk, *_) = run_op(graph, node, small)
    tiny = float(np.finfo(np.float32).tiny) if dtype.name != "f64" else float(np.finfo(np.float64).tiny)
    wild = ~np.isfinite(grown.astype(np.float64)) | (shrunk.astype(np.float64) <= tiny)
    return np.where(wild, np.inf, growth * size + narrow + 4 * SMALLEST[dtype.name])


def evaluate_moved(
    graph: Graph, feeds: Mapping[int, Array], wanted: list[int], rng: Any, direction: int
) -> list[Array]:
    """The reference with every loose result moved by its bound: up (1), down (-1), either way (2) or by a part (0)."""
    values = dict(feeds)
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if all(o in values for o in node.outputs):
                continue
            operands = [values[i] for i in node.inputs]
            found = list(run_op(graph, node, operands))
            if rng is not None and loose(node, graph):
                dtype = graph.type(node.outputs[0]).dtype
                by = bound(graph, node, operands, found[0], dtype)
                sign = rng.uniform(-1.0, 1.0, found[0].shape)
                sign = np.sign(sign) if direction == 2 else direction if direction else sign
                exact = found[0].astype(np.float64)
                moved = (exact + sign * by).astype(dtype.numpy())
                moved = np.where(np.isfinite(by), moved, np.where(rng.random(by.shape) < 0.5, np.nan, found[0]))
                found[0] = np.asarray(np.where(np.isnan(exact), found[0], moved)).astype(dtype.numpy())
            for o, x in zip(node.outputs, found, strict=True):
                values.setdefault(o, x)
    return [values[v] for v in wanted]


def judge(graph: Graph, feeds: Mapping[int, Array], got: Mapping[int, Array], seed: int = 0) -> list[str]:
    """What is wrong with the computed values, one line a value; empty when all is well."""
    wanted = sorted(got)
    rng = np.random.default_rng(seed)
    base = evaluate_moved(graph, feeds, wanted, None, 0)
    moved: list[list[Array]] = []
    if any(loose(n, graph) for n in graph.nodes):
        moved = [evaluate_moved(graph, feeds, wanted, rng, (1, -1)[k] if k < 2 else 2 * (k % 2)) for k in range(DRAWS)]
    problems = []
    for n, v in enumerate(wanted):
        text = _differs(got[v], base[n], [m[n] for m in moved], graph.type(v).dtype)
        if text:
            problems.append(f"%{graph.values[v].name} {graph.type(v)}: {text}")
    return problems


def _differs(got: Array, want: Array, moved: list[Array], dtype: DType) -> str:
    if got.shape != want.shape:
        return f"shape {got.shape}, expected {want.shape}"
    if got.dtype == np.bool_:
        got = got.view(np.uint8)
        want, moved = want.astype(np.uint8), [m.astype(np.uint8) for m in moved]
    with np.errstate(all="ignore"):
        a, b = (x.astype(np.float64) if dtype.is_float else x for x in (got, want))
        same = (a == b) | (_nan(a) & _nan(b))
        if dtype.is_float:
            same &= ~((a == 0) & (b == 0)) | (np.signbit(a) == np.signbit(b))
        allowed = np.zeros(b.shape)
        for m in moved:
            c = m.astype(np.float64) if dtype.is_float else m
            step = np.abs(c.astype(np.float64) - b.astype(np.float64))
            unlike = _nan(b) != _nan(c) if dtype.is_float else c != b
            if dtype.is_float:
                unlike |= np.isinf(b) != np.isinf(c)
                step = np.where((c == b) & (np.signbit(c) != np.signbit(b)), SMALLEST[dtype.name], step)
            allowed = np.fmax(allowed, np.where(unlike, np.inf, np.where(c == b, np.fmax(step, 0.0), step)))
        error = np.abs(a.astype(np.float64) - b.astype(np.float64))
        wrong = ~same & ~(np.isinf(allowed) | (error <= MARGIN * allowed))
    count = int(np.count_nonzero(wrong))
    if not count:
        return ""
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    free = float(allowed[where])
    return f"{count} of {want.size} wrong, first {list(where)}: {a[where]!r}, expected {b[where]!r} within {free:.3g}"


def _nan(x: Array) -> Array:
    return np.isnan(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool)
