"""Small JAX functions over most of jax.lax and jax.numpy, each with the arguments that it is tried on.

Example: ``CASES[0].arguments()``. Arguments are written ``"f32[3,4]"``, with bounds where the function needs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax import lax, nn
from jax import scipy as jsp

DTYPES: dict[str, Any] = {
    "f32": np.float32,
    "f64": np.float64,
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "u8": np.uint8,
    "u32": np.uint32,
    "bool": np.bool_,
    "f8": ml_dtypes.float8_e4m3fn,
}
Bounds = tuple[float, float]


@dataclass(frozen=True)
class Case:
    name: str
    function: Callable[..., Any]
    args: tuple[str, ...]
    bounds: tuple[Bounds, ...] = ()
    grad: bool = False
    factor: float = 64.0
    static: tuple[Any, ...] = field(default=())

    def arguments(self) -> tuple[Any, ...]:
        rng = np.random.default_rng(sum(map(ord, self.name)))
        bounds = self.bounds or ((-2.0, 2.0),) * len(self.args)
        return tuple(_drawn(rng, spec, *b) for spec, b in zip(self.args, bounds, strict=True))

    @property
    def wide(self) -> bool:
        return any(a.startswith(("f64", "i64")) for a in self.args)


def _drawn(rng: Any, spec: str, low: float, high: float) -> Any:
    name, _, extents = spec.rstrip("]").partition("[")
    shape = tuple(int(n) for n in re.findall(r"\d+", extents))
    dtype = DTYPES[name]
    if name == "bool":
        return rng.random(shape) < 0.5
    if name[0] in "iu":
        low = max(low, 0) if name[0] == "u" else low
        return np.asarray(rng.integers(int(low), int(high) + (high == 2.0) * 98, shape), dtype)
    return np.asarray(rng.uniform(low, high, shape)).astype(dtype)


def _each(functions: dict[str, Callable[..., Any]], *args: str, bounds: tuple[Bounds, ...] = (), grad: bool = False,
          factor: float = 64.0) -> list[Case]:  # fmt: skip
    suffix = args[0].partition("[")[0]
    return [Case(f"{n}-{suffix}", f, args, bounds, grad, factor) for n, f in functions.items()]


UNARY = {
    "abs": jnp.abs,
    "neg": jnp.negative,
    "exp": jnp.exp,
    "expm1": jnp.expm1,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "tanh": jnp.tanh,
    "asinh": jnp.arcsinh,
    "atan": jnp.arctan,
    "erf": lax.erf,
    "erfc": lax.erfc,
    "sigmoid": nn.sigmoid,
    "cbrt": jnp.cbrt,
    "square": jnp.square,
    "integer_pow": lambda x: x**5,
    "relu": nn.relu,
    "gelu": nn.gelu,
    "gelu-exact": lambda x: nn.gelu(x, approximate=False),
    "silu": nn.silu,
    "softplus": nn.softplus,
    "elu": nn.elu,
    "selu": nn.selu,
    "mish": nn.mish,
    "leaky": nn.leaky_relu,
    "logsigmoid": nn.log_sigmoid,
    "softmax": nn.softmax,
    "log_softmax": nn.log_softmax,
    "logsumexp": jsp.special.logsumexp,
    "standardize": nn.standardize,
    "norm": jnp.linalg.norm,
    "mean": jnp.mean,
    "var": jnp.var,
    "sum": jnp.sum,
    "cumsum": lambda x: jnp.cumsum(x, 1),
    "cumsum-back": lambda x: lax.cumsum(x, 0, reverse=True),
    "cumprod": lambda x: jnp.cumprod(x, 0),
    "cummax": lambda x: lax.cummax(x, 1),
    "cummin": lambda x: lax.cummin(x, 0),
    "cumlogsumexp": lambda x: lax.cumlogsumexp(x, 1),
    "max": lambda x: jnp.max(x, 1),
    "min": lambda x: jnp.min(x, 0),
    "sort": lambda x: jnp.sort(x, 1),
    "prod": lambda x: jnp.prod(x, 1),
    "hard_swish": nn.hard_swish,
    "glu": lambda x: nn.glu(x[:, :4]),
    "diff": lambda x: jnp.diff(x, axis=1),
    "roll": lambda x: jnp.roll(x, 2, 1),
    "pad-edge": lambda x: jnp.pad(x, ((1, 2), (0, 1)), "edge"),
    "tile": lambda x: jnp.tile(x, (2, 1)),
    "pad-reflect": lambda x: jnp.pad(x, 1, "reflect"),
    "repeat": lambda x: jnp.repeat(x, 3, 1),
    "flip": lambda x: jnp.flip(x, 1),
    "transpose": lambda x: x.T,
    "trace": jnp.trace,
    "tril": jnp.tril,
    "diag": lambda x: jnp.diag(x[:, 0]),
    "median": lambda x: jnp.median(x, 1),
    "std": lambda x: jnp.std(x, 0),
    "associative_scan": lambda x: lax.associative_scan(jnp.add, x, axis=1),
    "kron": lambda x: jnp.kron(x, x),
    "outer": lambda x: jnp.outer(x[0], x[1]),
    "logcumsum": lambda x: jnp.log(jnp.cumsum(jnp.exp(x), 1)),
}
POSITIVE = {
    "sinc": jnp.sinc,  # its gradient cancels near 0
    "log": jnp.log,
    "log1p": jnp.log1p,
    "sqrt": jnp.sqrt,
    "rsqrt": lax.rsqrt,
    "log2": jnp.log2,
    "log10": jnp.log10,
    "reciprocal": lambda x: 1 / x,
    "pow-half": lambda x: x**2.5,
    "xlogx": lambda x: jsp.special.entr(x),
    "geomean": lambda x: jnp.exp(jnp.mean(jnp.log(x), 1)),
    "acosh": lambda x: jnp.arccosh(x + 1),
}
INSIDE = {
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "atanh": jnp.arctanh,
    "erf_inv": lax.erf_inv,
    "logit": lambda x: jsp.special.logit((x + 1) / 2),
    "ndtri": lambda x: jsp.special.ndtri((x + 1) / 2),
}
FLAT = {
    "floor": jnp.floor,
    "ceil": jnp.ceil,
    "round": jnp.round,
    "rint": jnp.rint,
    "trunc": jnp.trunc,
    "sign": jnp.sign,
    "round-away": lambda x: lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO),
    "isfinite": jnp.isfinite,
    "isnan": jnp.isnan,
    "isinf": jnp.isinf,
    "argmax": lambda x: jnp.argmax(x, 1),
    "argmin": lambda x: jnp.argmin(x, 0),
    "argsort": lambda x: jnp.argsort(x, 1),
    "argsort-down": lambda x: jnp.argsort(x, 1, descending=True),
    "sort-down": lambda x: jnp.sort(x, 1, descending=True),
    "top_k": lambda x: lax.top_k(x, 3),
    "to-i32": lambda x: x.astype(jnp.int32),
    "to-bool": lambda x: x.astype(bool),
    "one_hot": lambda x: nn.one_hot(jnp.argmax(x, 1), 5),
    "signbit": jnp.signbit,
    "nan_to_num": jnp.nan_to_num,
    "reduce_precision": lambda x: lax.reduce_precision(x, 5, 4),
    "any": lambda x: jnp.any(x > 1, 1),
    "all": lambda x: jnp.all(x > -1, 0),
    "count": lambda x: jnp.sum(x > 0, 1),
    "argmax-all": jnp.argmax,
    "lexsort": lambda x: jnp.lexsort((x[0], x[1])),
    "digitize": lambda x: jnp.digitize(x[0], jnp.array([-1.0, 0.0, 1.0])),
    "searchsorted": lambda x: jnp.searchsorted(jnp.array([-1.0, 0.0, 1.0]), x[0], method="compare_all"),
    "histogram-free": lambda x: jnp.bincount(jnp.abs(x[0]).astype(jnp.int32), length=4),
    "clip": lambda x: jnp.clip(x, -1, 1),
    "unwrap-free": lambda x: jnp.where(x > 0, x, -x),
    "percentile": lambda x: jnp.percentile(x, 30, axis=1),
    "modf": jnp.modf,
    "frexp-free": lambda x: lax.sort_key_val(x[0], jnp.arange(5)),
    "heaviside": lambda x: jnp.heaviside(x, 0.5),
}
BINARY = {
    "add": jnp.add,
    "sub": jnp.subtract,
    "mul": jnp.multiply,
    "div": lambda x, y: x / (y * y + 1),
    "max": jnp.maximum,
    "min": jnp.minimum,
    "atan2": jnp.arctan2,
    "hypot": jnp.hypot,
    "logaddexp": jnp.logaddexp,
    "where": lambda x, y: jnp.where(x > y, x, y),
    "concat": lambda x, y: jnp.concatenate([x, y], 1),
    "stack": lambda x, y: jnp.stack([x, y], 1),
    "dot": lambda x, y: x @ y.T,
    "einsum": lambda x, y: jnp.einsum("ij,ik->kj", x, y),
    "einsum-all": lambda x, y: jnp.einsum("ij,ij->", x, y),
    "pow": lambda x, y: jnp.abs(x) ** y,
    "copysign": jnp.copysign,
    "tensordot": lambda x, y: jnp.tensordot(x, y, ((0, 1), (0, 1))),
    "cosine": lambda x, y: jnp.sum(x * y, 1) / jnp.linalg.norm(x, axis=1),
    "vmap-dot": lambda x, y: jax.vmap(jnp.dot)(x, y),
    "cross_entropy": lambda x, y: -jnp.sum(nn.softmax(y) * nn.log_softmax(x), 1),
    "pad-value": lambda x, y: lax.pad(x, y[0, 0], ((1, -1, 1), (0, 2, 0))),
    "interp": lambda x, y: jnp.interp(x[0], jnp.arange(5.0), y[0]),
}
BINARY_FLAT = {
    "rem": lambda x, y: lax.rem(x, y + 3),
    "mod": lambda x, y: jnp.mod(x, y + 3),
    "floor_divide": lambda x, y: x // (y + 3),
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "ge": lambda x, y: x >= y,
    "logical_and": lambda x, y: jnp.logical_and(x > 0, y > 0),
    "isclose": jnp.isclose,
    "sort-two": lambda x, y: lax.sort((x, y), dimension=1, num_keys=2),
    "fmin": jnp.fmin,
    "clamp": lambda x, y: lax.clamp(-1.0, x, jnp.abs(y)[0, 0]),
    "logical_xor": lambda x, y: jnp.logical_xor(x > 0, y > 0),
}
INTEGER = {
    "add": jnp.add,
    "sub": jnp.subtract,
    "mul": jnp.multiply,
    "div": lax.div,
    "rem": lax.rem,
    "floor_divide": jnp.floor_divide,
    "mod": jnp.mod,
    "and": jnp.bitwise_and,
    "or": jnp.bitwise_or,
    "xor": jnp.bitwise_xor,
    "shl": lambda x, y: lax.shift_left(x, y & 7),
    "shr": lambda x, y: lax.shift_right_arithmetic(x, y & 7),
    "shrl": lambda x, y: lax.shift_right_logical(x, y & 7),
    "max": jnp.maximum,
    "min": jnp.minimum,
    "not": lambda x, y: ~x + y,
    "popcount": lambda x, y: lax.population_count(x) + y,
    "clz": lambda x, y: lax.clz(x) + y,
    "sum": lambda x, y: jnp.sum(x * y, 1),
    "dot": lambda x, y: x @ y.T,
    "to-f32": lambda x, y: (x + y).astype(jnp.float32),
    "argmax": lambda x, y: jnp.argmax(x + y, 1),
    "cumsum": lambda x, y: jnp.cumsum(x + y, 1),
    "sort": lambda x, y: jnp.sort(x + y, 1),
    "gcd-free": lambda x, y: x**3 + y,
    "compare": lambda x, y: (x < y, x == y),
    "reduce_and": lambda x, y: lax.reduce_and(x | y, (1,)),
    "reduce_xor": lambda x, y: lax.reduce_xor(x ^ y, (1,)),
    "top_k": lambda x, y: lax.top_k(x + y, 2),
    "bits": lambda x, y: lax.bitcast_convert_type(x + y, jnp.float32),
    "narrow": lambda x, y: lax.bitcast_convert_type(x + y, jnp.int8),
    "sign": lambda x, y: jnp.sign(x) + y,
}
BOOLEAN = {
    "and": jnp.logical_and,
    "or": jnp.logical_or,
    "xor": jnp.logical_xor,
    "not": lambda x, y: ~x & y,
    "any": lambda x, y: jnp.any(x & y, 1),
    "all": lambda x, y: jnp.all(x | y, 0),
    "count": lambda x, y: jnp.sum(x ^ y),
    "to-f32": lambda x, y: (x & y).astype(jnp.float32),
    "eq": lambda x, y: x == y,
    "select": lambda x, y: jnp.where(x, y, ~y),
    "max": lambda x, y: jnp.maximum(x, y),
    "argmax": lambda x, y: jnp.argmax(x & y, 1),
    "dot": lambda x, y: jnp.dot(x, y.T),
    "cumsum": lambda x, y: jnp.cumsum(x & y, 1),
}


def _conv(x: Any, w: Any, **more: Any) -> Any:
    return lax.conv_general_dilated(x, w, **{"window_strides": (1, 1), "padding": "SAME", **more})


def _maxpool(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 3, 3), (1, 1, 2, 2), "SAME")


WINDOWS = {
    "max-pool": _maxpool,
    "min-pool": lambda x: lax.reduce_window(x, jnp.inf, lax.min, (1, 1, 2, 2), (1, 1, 2, 2), "VALID"),
    "avg-pool": lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 1, 2, 2), (1, 1, 2, 2), "VALID") / 4,
    "resize": lambda x: jax.image.resize(x, (2, 4, 9, 9), "nearest"),
    "resize-linear": lambda x: jax.image.resize(x, (2, 4, 9, 9), "linear"),
    "batch-norm": lambda x: (x - x.mean((0, 2, 3), keepdims=True)) * lax.rsqrt(x.var((0, 2, 3), keepdims=True) + 1e-5),
    "space-to-depth": lambda x: x.reshape(2, 4, 3, 2, 3, 2).transpose(0, 1, 3, 5, 2, 4).reshape(2, 16, 3, 3),
}
CONVOLUTIONS = {
    "same": _conv,
    "valid-stride": lambda x, w: _conv(x, w, padding="VALID", window_strides=(2, 1)),
    "dilated": lambda x, w: _conv(x, w, rhs_dilation=(2, 2)),
    "lhs-dilated": lambda x, w: _conv(x, w, lhs_dilation=(2, 2), padding=((1, 1), (2, 0))),
    "transpose": lambda x, w: lax.conv_transpose(x, w, (2, 2), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW")),
    "transpose-kernel": lambda x, w: lax.conv_transpose(
        x, w, (2, 2), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"), transpose_kernel=True
    ),
    "nhwc": lambda x, w: _conv(
        x.transpose(0, 2, 3, 1), w.transpose(2, 3, 1, 0), dimension_numbers=("NHWC", "HWIO", "NHWC")
    ),
    "grouped": lambda x, w: _conv(x, w[:, :2], feature_group_count=2),
    "batch-grouped": lambda x, w: _conv(x, w, batch_group_count=2),
}
INDEXED = {
    "take": lambda x, i: x[i],
    "take-axis": lambda x, i: jnp.take(x, i, axis=1),
    "take_along": lambda x, i: jnp.take_along_axis(x, i[:, None], 1),
    "set": lambda x, i: x.at[i].set(1.0),
    "at-add": lambda x, i: x.at[i].add(x * 2),
    "at-mul": lambda x, i: x.at[i, i].mul(3.0),
    "at-max": lambda x, i: x.at[:, i].max(0.5),
    "at-min": lambda x, i: x.at[i].min(x[0]),
    "get-fill": lambda x, i: x.at[i * 3].get(mode="fill", fill_value=7.0),
    "clip-mode": lambda x, i: jnp.take(x, i * 3, axis=0, mode="clip"),
    "dynamic_slice": lambda x, i: lax.dynamic_slice(x, (i[0], i[1]), (2, 2)),
    "dynamic_update": lambda x, i: lax.dynamic_update_slice(x, x[:2, :2] * 2, (i[0], i[1])),
    "segment_sum": lambda x, i: jax.ops.segment_sum(x, i, 4),
    "diagonal-set": lambda x, i: jnp.fill_diagonal(x, 9.0, inplace=False) + i[0],
    "negative": lambda x, i: x[-i],
    "where-index": lambda x, i: x[jnp.where(i > 1, i, 0)],
    "embedding-grad": lambda x, i: jax.grad(lambda t: jnp.sum(t[i] ** 2))(x),
    "dynamic_index": lambda x, i: lax.dynamic_index_in_dim(x, i[0], 0),
    "batched-gather": lambda x, i: jax.vmap(lambda r, k: r[k])(x, i),
    "batched-scatter": lambda x, i: jax.vmap(lambda r, k: r.at[k].set(0.0))(x, i),
    "apply": lambda x, i: x.at[i].apply(jnp.sin),
    "permute": lambda x, i: x[jnp.argsort(i)],
    "two-axes": lambda x, i: x[i[:, None], i[None, :]],
}


def _gru_cell(h: Any, x: Any) -> tuple[Any, Any]:
    h = jnp.tanh(x + h)
    return h, h * 2


CONTROL = {
    "scan": lambda x: lax.scan(_gru_cell, x[0], x),
    "scan-reverse": lambda x: lax.scan(_gru_cell, x[0], x, reverse=True),
    "fori": lambda x: lax.fori_loop(0, 3, lambda i, y: y * 0.5 + i, x),
    "fori-slice": lambda x: lax.fori_loop(0, 4, lambda i, y: y.at[i].add(1.0), x),
    "while": lambda x: lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * 2), (0, x))[1],
    "cond-static": lambda x: lax.cond(True, jnp.sin, jnp.cos, x),
    "switch-static": lambda x: lax.switch(1, [jnp.sin, jnp.cos], x),
    "map": lambda x: lax.map(jnp.sum, x),
    "remat": lambda x: jax.checkpoint(lambda y: jnp.sin(jnp.cos(y)))(x),
    "scan-nested": lambda x: lax.scan(lambda c, r: (lax.scan(lambda d, e: (d * 0.5 + e, d), c, r)[0], c), 0.0, x),
    "custom_jvp": lambda x: nn.relu(x) + nn.silu(x),
    "unroll": lambda x: lax.scan(_gru_cell, x[0], x, unroll=2),
    "barrier": lambda x: lax.optimization_barrier(x * 2) + 1,
    "vmap-scan": lambda x: jax.vmap(lambda r: lax.scan(lambda c, e: (c + e, c), 0.0, r)[1])(x),
    "random-normal": lambda x: x + jax.random.normal(jax.random.key(3), x.shape),
    "dropout": lambda x: jnp.where(jax.random.bernoulli(jax.random.key(1), 0.5, x.shape), x, 0.0),
    "random-uniform": lambda x: x + jax.random.uniform(jax.random.key(7), x.shape),
    "permutation": lambda x: jax.random.permutation(jax.random.key(5), x),
    "categorical": lambda x: jax.random.categorical(jax.random.key(2), x),
}

MIXED = [
    Case("dot-preferred", lambda x, y: lax.dot(x, y, preferred_element_type=jnp.float32), ("bf16[3,4]", "bf16[4,5]")),
    Case("dot-i8", lambda x, y: lax.dot(x, y, preferred_element_type=jnp.int32), ("i8[3,4]", "i8[4,5]")),
    Case("dot-mixed", lambda x, y: lax.dot_general(x, y, (((1,), (0,)), ((), ()))), ("f32[3,4]", "f32[4,5]")),
    Case("to-f8", lambda x: x.astype(jnp.float8_e4m3fn).astype(jnp.float32), ("f32[3,5]",)),
    Case("from-f8", lambda x: x.astype(jnp.float32) * 2, ("f8[3,5]",)),
    Case("to-f8-e5m2", lambda x: x.astype(jnp.float8_e5m2).astype(jnp.float32), ("f32[3,5]",)),
    Case("to-u8", lambda x: x.astype(jnp.uint8), ("f32[3,5]",), ((0.0, 200.0),)),
    Case("bits-f32", lambda x: lax.bitcast_convert_type(x, jnp.int32), ("f32[3,5]",)),
    Case("bits-bf16", lambda x: lax.bitcast_convert_type(x, jnp.uint16), ("bf16[3,5]",)),
    Case("bits-wider", lambda x: lax.bitcast_convert_type(x, jnp.uint32), ("i8[3,4]",)),
    Case(
        "mixed-precision",
        lambda x, w: nn.softmax((x @ w).astype(jnp.float32)).astype(x.dtype),
        ("bf16[3,4]", "bf16[4,5]"),
    ),
    Case("linspace", lambda x: x + jnp.linspace(0, 1, 5), ("f32[3,5]",)),
    Case("constant-array", lambda x: x + np.arange(40, dtype=np.float32).reshape(8, 5), ("f32[8,5]",)),
    Case("constant-bf16", lambda x: x + jnp.asarray(np.arange(5) / 3, jnp.bfloat16), ("bf16[3,5]",)),
    Case("large-bf16", lambda x: x + jnp.asarray(np.arange(1500) / 7, jnp.bfloat16), ("bf16[2,1500]",)),
    Case("large-bool", lambda x: jnp.where(np.arange(1500) % 3 == 0, x, 0), ("f32[2,1500]",)),
    Case("infinite-bf16", lambda x: x + jnp.asarray([jnp.inf, -0.0, 1.0], jnp.bfloat16), ("bf16[2,3]",)),
    Case("large-f8", lambda x: x * jnp.asarray(np.arange(300) - 150, jnp.float8_e4m3fn).astype(x.dtype), ("f32[300]",)),
    Case("nextafter", lambda x: jnp.nextafter(jnp.round(x), jnp.float32(0.5)), ("f32[3,5]",), factor=0.0),
    Case("nextafter-bf16", lambda x: jnp.nextafter(x, jnp.bfloat16(1)), ("bf16[3,5]",), factor=0.0),
    Case("empty", lambda x: jnp.concatenate([x, x[:0]]), ("f32[3,5]",)),
    Case("argmax-empty-free", lambda x: (jnp.argmax(x), jnp.argmax(x, 0)), ("f32[1,5]",)),
    Case("scalar", lambda x: jnp.sin(x) * 2, ("f32[]",), grad=True),
    Case("bitonic", lambda x: jnp.sort(x.reshape(-1)), ("f32[3,5]",)),
]

CASES: list[Case] = [
    *_each(UNARY, "f32[3,5]", grad=True),
    *_each(
        {
            n: UNARY[n]
            for n in (
                "exp",
                "tanh",
                "sigmoid",
                "softmax",
                "gelu",
                "mean",
                "var",
                "sum",
                "cumsum",
                "asinh",
                "sort",
                "max",
                "erf",
                "logsumexp",
            )
        },
        "bf16[3,5]",
        factor=4.0,
    ),
    *_each(
        {n: UNARY[n] for n in ("exp", "tanh", "softmax", "sum", "cumsum", "atan", "erf", "sinh")}, "f64[3,5]", grad=True
    ),
    *_each(POSITIVE, "f32[3,5]", bounds=((0.1, 3.0),), grad=True),
    *_each(INSIDE, "f32[3,5]", bounds=((-0.95, 0.95),), grad=True),
    *_each(INSIDE, "f64[3,5]", bounds=((-0.99, 0.99),)),
    *_each(FLAT, "f32[3,5]"),
    *_each({n: FLAT[n] for n in ("floor", "sign", "argmax", "argsort", "top_k", "to-i32")}, "bf16[3,5]"),
    *_each(BINARY, "f32[3,5]", "f32[3,5]", grad=True),
    *_each(BINARY_FLAT, "f32[3,5]", "f32[3,5]"),
    *_each(INTEGER, "i32[3,5]", "i32[3,5]", bounds=((-100, 100), (1, 50))),
    *_each({n: f for n, f in INTEGER.items() if n != "bits"}, "u32[3,5]", "u32[3,5]", bounds=((0, 100), (1, 50))),
    *_each(
        {n: INTEGER[n] for n in ("add", "div", "argmax", "sort", "cumsum")},
        "i64[3,5]",
        "i64[3,5]",
        bounds=((-100, 100), (1, 50)),
    ),
    *_each(BOOLEAN, "bool[3,5]", "bool[3,5]"),
    *_each(WINDOWS, "f32[2,4,6,6]", grad=True),
    *_each(CONVOLUTIONS, "f32[2,4,6,6]", "f32[4,4,3,3]", grad=True, factor=512.0),
    *_each(INDEXED, "f32[5,5]", "i32[5]", bounds=((-2.0, 2.0), (0, 5))),
    *_each(CONTROL, "f32[4,5]"),
    *_each(
        {n: CONTROL[n] for n in ("scan", "scan-reverse", "map", "remat", "fori", "scan-nested")}, "f64[4,5]", grad=True
    ),
    *MIXED,
]
