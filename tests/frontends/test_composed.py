"""The shared expansions against NumPy and torch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fstc.frontends.builder import Builder
from fstc.frontends.composed import activations, elementary, products
from fstc.frontends.composed.products import Factor
from fstc.ir.reference import evaluate
from fstc.ir.types import F32, TensorType


def run(f, *arrays, names=None):
    """``f(b, *vals)`` evaluated by the reference, and the ops that it became."""
    b = Builder()
    vals = [b.input(f"x{i}", TensorType(F32, a.shape)) for i, a in enumerate(arrays)]
    b.output("y", f(b, *vals))
    graph = b.finish("").graph
    found = evaluate(graph, dict(zip(graph.inputs, arrays, strict=True)))[graph.outputs[0]]
    return found, [n.op.name for n in graph.nodes]


def draw(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("left", "right", "most"),
    [
        ((3,), (3,), 1),
        ((2, 3), (3,), 1),
        ((3,), (3, 4), 1),
        ((2, 3), (3, 4), 1),
        ((5, 2, 3), (3, 4), 1),
        ((5, 2, 3), (5, 3, 4), 1),
        ((2, 3), (5, 3, 4), 2),
        ((5, 1, 2, 3), (6, 3, 4), 3),
        ((1, 2, 3), (5, 3, 4), 3),
        ((5, 2, 3), (3,), 1),
        ((3,), (7, 5, 3, 4), 1),
        ((7, 1, 2, 3), (1, 5, 3, 4), 5),
        ((0, 2, 3), (3, 4), 1),
        ((2, 0), (0, 4), 1),
    ],
)
def test_matmul_is_one_call(left, right, most):
    x, y = draw(*left), draw(*right)
    found, ops = run(products.matmul, x, y)
    np.testing.assert_allclose(found, np.matmul(x, y), rtol=1e-5, atol=1e-5)
    assert found.shape == np.matmul(x, y).shape
    assert ops.count("dot_general") == 1 and len(ops) <= most and "broadcast_in_dim" not in ops


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_matmul_reads_through_transposes(order):
    x, y = draw(5, 6, 2, 3), draw(5, 6, 3, 4)
    stored = np.ascontiguousarray(y.transpose(np.argsort(order)))
    found, ops = run(lambda b, x, y: products.matmul(b, x, Factor(y, order)), x, stored)
    np.testing.assert_allclose(found, np.matmul(x, y), rtol=1e-5, atol=1e-5)
    assert ops == ["dot_general"]


def test_transposed_convolution_matches_torch():
    torch = pytest.importorskip("torch")
    x, w = draw(2, 4, 5, 6), draw(4, 3, 3, 2)
    for groups, stride, pad, out, dilation in itertools.product((1, 2), (1, 2), (0, 1), (0, 1), (1, 2)):
        if out >= max(stride, dilation):
            continue
        want = torch.conv_transpose2d(
            torch.tensor(x), torch.tensor(w), None, stride, pad, out, groups, dilation
        ).numpy()
        found, _ = run(
            lambda b, x, w, s=stride, p=pad, o=out, d=dilation, g=groups: products.convolution_transposed(
                b, x, w, None, (s, s), [(p, p)] * 2, (o, o), (d, d), g
            ),
            x,
            w,
        )
        np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-4)


EDGES = np.array(
    [-np.inf, -1e30, -20000.0, -3.5, -2.5, -1.0, -0.75, -1e-6, -0.0, 0.0, 1e-30, 1e-6, 0.5, 1.0, 1.5, 88.0, 2e4, 1e30,
     np.inf, np.nan], np.float32,
)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "asin",
        "acos",
        "atan",
        "asinh",
        "acosh",
        "atanh",
        "log2",
        "log10",
        "exp2",
        "trunc",
        "isnan",
        "isinf",
        "sign",
        "reciprocal",
        "sinc",
    ],
)
def test_elementary_functions(name):
    torch = pytest.importorskip("torch")
    found, _ = run(getattr(elementary, name), EDGES)
    want = getattr(torch, name)(torch.tensor(EDGES)).numpy()
    if name == "sign":  # ours keeps NaN unless told
        found, want = found[:-1], want[:-1]
    np.testing.assert_allclose(found, want, rtol=2e-6 if name != "sinc" else 1e-5, atol=1e-6 if name == "sinc" else 0)
    if name not in ("isnan", "isinf", "acos", "sinc", "sign"):
        zeros = (found == 0) & (want == 0)
        assert (np.signbit(found) == np.signbit(want))[zeros].all()


@pytest.mark.parametrize("name", ["floor_divide", "floor_mod", "hypot", "logaddexp", "xlogy", "copysign"])
def test_binary_elementary_functions(name):
    torch = pytest.importorskip("torch")
    theirs = {"floor_mod": "remainder"}.get(name, name)
    values = np.array([-7.5, -3, -0.5, -0.0, 0.0, 0.3, 1, 2.5, 9, np.inf, -np.inf], np.float32)
    x, y = (np.ascontiguousarray(a.reshape(-1)) for a in np.meshgrid(values, values))
    if name == "floor_mod":  # an infinite divisor: torch keeps or flips the dividend by sign, which floor_mod also does
        x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    found, _ = run(getattr(elementary, name), x, y)
    want = getattr(torch, theirs)(torch.tensor(x), torch.tensor(y)).numpy()
    np.testing.assert_allclose(found, want, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("relu", "relu"), ("gelu", "gelu"), ("silu", "silu"), ("softplus", "softplus"), ("log_sigmoid", "logsigmoid"),
        ("mish", "mish"), ("softsign", "softsign"), ("hard_sigmoid", "hardsigmoid"), ("hard_swish", "hardswish"),
        ("hard_shrink", "hardshrink"), ("soft_shrink", "softshrink"), ("tanh_shrink", "tanhshrink"), ("elu", "elu"),
        ("celu", "celu"), ("selu", "selu"), ("leaky_relu", "leaky_relu"), ("hard_tanh", "hardtanh"),
    ],
)  # fmt: skip
def test_activations(ours, theirs):
    torch = pytest.importorskip("torch")
    x = np.concatenate([np.linspace(-9, 9, 61, dtype=np.float32), [-100, 100, np.nan]]).astype(np.float32)
    found, _ = run(getattr(activations, ours), x)
    want = getattr(torch.nn.functional, theirs)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=2e-6)
