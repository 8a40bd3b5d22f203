"""Complex numbers within a model, as pairs of real tensors: rotary positions, spectra.

Example: ``COMPLEX["aten.view_as_complex"](cx, x)`` is a :class:`Complex` of the halves of ``x``. The language has no
complex numbers, so that inputs and outputs are real. A Fourier transform is a product with sines and cosines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.composed import products
from fstc.frontends.composed.products import Factor
from fstc.frontends.torch.context import Context, Handler, aten, each
from fstc.frontends.torch.tensors import array_of
from fstc.ir.types import F32, F64, DType

LONGEST = 4096  # of a dimension that is transformed: the product has its square


@dataclass(frozen=True, eq=False)
class Complex:
    """Both parts, of one type."""

    re: Val
    im: Val


Number = Complex | Val | complex | float | int


def real_dtype(dtype: Any) -> DType | None:
    """Of the parts of a complex type of torch; none for another."""
    return {"torch.complex64": F32, "torch.complex128": F64}.get(str(dtype))


def constant(cx: Context, tensor: Any, name: str) -> Val | Complex:
    """A tensor of the program; the parts of a complex one under names of their own."""
    if real_dtype(tensor.dtype) is None:
        return cx.b.constant(array_of(tensor), name)
    plain = tensor.detach().resolve_conj()
    both = (array_of(part.contiguous()) for part in (plain.real, plain.imag))
    return Complex(*(cx.b.constant(part, f"{name}.{i}") for part, i in zip(both, ("re", "im"), strict=True)))


def parts(x: Number) -> tuple[Any, Any]:
    """Real and imaginary part; a plain 0 stands for none."""
    if isinstance(x, Complex):
        return x.re, x.im
    return (x.real, x.imag) if isinstance(x, complex) else (x, 0)


def _known_zero(x: Any) -> bool:
    return not isinstance(x, Val) and x == 0


def _binary(cx: Context, op: str, x: Any, y: Any) -> Any:
    """``op`` of parts, without the zeros that real operands have for an imaginary part."""
    if op == "mul" and (_known_zero(x) or _known_zero(y)):
        return 0
    if op in ("add", "sub") and _known_zero(y):
        return x
    if op == "add" and _known_zero(x):
        return y
    return cx.pointwise(lambda b, x, y: b.ew(op, x, y), x, y)


def _made(cx: Context, re: Any, im: Any) -> Complex:
    """Both parts as tensors of the result's shape."""
    b = cx.b
    return Complex(*(b.broadcast(cx.val(v, cx.dtype), cx.shape) for v in (re, im)))


def multiply(cx: Context, x: Number, y: Number) -> Complex:
    (a, b), (c, d) = parts(x), parts(y)

    def times(p: Any, q: Any) -> Any:
        return _binary(cx, "mul", p, q)

    re = _binary(cx, "sub", times(a, c), times(b, d))
    return _made(cx, re, _binary(cx, "add", times(a, d), times(b, c)))


def divide(cx: Context, x: Number, y: Number) -> Complex:
    c, d = parts(y)
    if _known_zero(d):
        return _made(cx, *(0 if _known_zero(p) else _binary(cx, "div", p, c) for p in parts(x)))
    size = _binary(cx, "add", _binary(cx, "mul", c, c), _binary(cx, "mul", d, d))
    product = multiply(cx, x, Complex(cx.val(c, cx.dtype), cx.b.ew("neg", cx.val(d, cx.dtype))))
    return _made(cx, _binary(cx, "div", product.re, size), _binary(cx, "div", product.im, size))


def added(op: str) -> Handler:
    def handler(cx: Context, x: Number, y: Number, alpha: float = 1) -> Complex:
        if alpha != 1:
            y = multiply(cx, y, alpha)
        (a, b), (c, d) = parts(x), parts(y)
        return _made(cx, _binary(cx, op, a, c), _binary(cx, op, b, d))

    return handler


def magnitude(cx: Context, x: Complex) -> Val:
    """Scaled by the larger part, so that no square overflows."""
    b = cx.b
    a, c = b.ew("abs", x.re), b.ew("abs", x.im)
    high, low = b.ew("max", a, c), b.ew("min", a, c)
    ratio = b.ew("div", low, b.select(b.compare("EQ", high, 0.0), 1.0, high))
    return b.ew("mul", high, b.ew("sqrt", b.ew("add", b.ew("mul", ratio, ratio), 1.0)))


def polar(cx: Context, size: Val, angle: Val) -> Complex:
    return _made(cx, *(cx.b.ew("mul", size, cx.b.ew(turn, angle)) for turn in ("cos", "sin")))


def exponential(cx: Context, x: Complex) -> Complex:
    return polar(cx, cx.b.ew("exp", x.re), x.im)


def view_as_complex(cx: Context, x: Val) -> Complex:
    b, last = cx.b, x.rank - 1
    return Complex(*(b.squeeze(b.slice_axis(x, last, i, i + 1), [last]) for i in (0, 1)))


def view_as_real(cx: Context, x: Complex) -> Val:
    rank = x.re.rank
    return cx.b.concat([cx.b.expand(x.re, [rank]), cx.b.expand(x.im, [rank])], rank)


def to_complex(cx: Context, x: Number, *rest: object) -> Complex:
    return _made(cx, *parts(x))


def product(real: Handler) -> Handler:
    """Of matrices: two or four real products of the parts."""

    def handler(cx: Context, x: Number, y: Number) -> Complex:
        (a, b), (c, d) = parts(x), parts(y)

        def times(p: Any, q: Any) -> Any:
            return 0 if _known_zero(p) or _known_zero(q) else real(cx, p, q)

        re = _binary(cx, "sub", times(a, c), times(b, d))
        return _made(cx, re, _binary(cx, "add", times(a, d), times(b, c)))

    return handler


def both(real: Handler) -> Callable[..., Any]:
    """What moves elements, or is linear, treats the parts alike."""

    def handler(cx: Context, *args: Any) -> Any:
        re, im = (real(cx, *(_part(a, i) for a in args)) for i in (0, 1))
        if isinstance(re, list | tuple):
            return [Complex(p, q) for p, q in zip(re, im, strict=True)]
        return Complex(re, im)

    return handler


def constant_of(real: Handler) -> Handler:
    """One number everywhere."""

    def handler(cx: Context, *args: Any) -> Complex:
        re = real(cx, *(_part(a, 0) for a in args))
        im = [a.imag for a in args if isinstance(a, complex)]
        return Complex(re, cx.b.full(im[0] if im else 0.0, re.dtype, re.shape))

    return handler


def _part(x: Any, index: int) -> Any:
    if isinstance(x, list | tuple):
        return [_part(v, index) for v in x]
    return parts(x)[index] if isinstance(x, Complex | complex) else x


# -- Fourier transforms ------------------------------------------------------------------------------------------------


def _turned(cx: Context, x: Complex | Val, dim: int, count: int, sign: int, scale: Any) -> Complex:
    """One dimension transformed: ``count`` frequencies, ``scale`` of each place in it."""
    import numpy as np

    b, (re, im) = cx.b, parts(x)
    extent = re.shape[dim]
    if max(extent, count) > LONGEST:
        raise Unsupported(f"a Fourier transform of {max(extent, count)} elements, more than {LONGEST}")
    longest = extent if sign < 0 else max(extent, count)
    angle = sign * 2 * math.pi * (np.outer(np.arange(extent), np.arange(count)) % longest) / longest
    order = [*range(dim), re.rank - 1, *range(dim, re.rank - 1)]

    def times(v: Any, weights: Any) -> Any:
        if _known_zero(v):
            return 0
        known = b.constant((weights * np.reshape(scale, (-1, 1))).astype(v.dtype.numpy()))
        found = products.dot(b, Factor(v), Factor(known), contract=[(dim, 0)])
        return b.transpose(found, order)

    def joined(op: str, p: Any, q: Any) -> Val:
        found: Val = p if _known_zero(q) else b.ew(op, p, q)
        return found

    # the zeros of a quarter turn are exact, so that what is real stays so
    cos, sin = (np.where(np.abs(v) < 1e-15, 0.0, v) for v in (np.cos(angle), np.sin(angle)))
    return Complex(joined("sub", times(re, cos), times(im, sin)), joined("add", times(re, sin), times(im, cos)))


def _scale(mode: int, extent: int) -> float:
    """Torch's normalisation: none, by the root, by the extent."""
    return (1.0, 1 / math.sqrt(extent), 1 / extent)[mode]


def fft(cx: Context, x: Complex | Val, dims: Sequence[int], mode: int, forward: bool) -> Complex:
    """All dimensions, of complex or of real numbers."""
    found = x
    for d in dims:
        first = parts(found)[0]
        at = d % first.rank
        found = _turned(cx, found, at, first.shape[at], -1 if forward else 1, _scale(mode, first.shape[at]))
    assert isinstance(found, Complex), "a transform of no dimension"
    return found


def fft_of_real(cx: Context, x: Val, dims: Sequence[int], mode: int, onesided: bool) -> Complex:
    """The last dimension first, whose upper half of frequencies mirrors the lower."""
    last = dims[-1] % x.rank
    extent = x.shape[last]
    found = _turned(cx, x, last, extent // 2 + 1 if onesided else extent, -1, _scale(mode, extent))
    return fft(cx, found, dims[:-1], mode, True) if len(dims) > 1 else found


def fft_to_real(cx: Context, x: Complex, dims: Sequence[int], mode: int, extent: int) -> Val:
    """Each frequency of the lower half stands for two, but the first and, of an even extent, the last."""
    import numpy as np

    found = fft(cx, x, dims[:-1], mode, False) if len(dims) > 1 else x
    last = dims[-1] % x.re.rank
    kept = extent // 2 + 1
    found = Complex(*(cx.b.slice_axis(p, last, 0, kept) for p in (found.re, found.im)))
    twice = np.full(kept, 2.0)
    twice[0] = 1.0
    if extent % 2 == 0:
        twice[-1] = 1.0
    return _turned(cx, found, last, extent, 1, twice * _scale(mode, extent)).re


def angle_of_real(cx: Context, x: Val) -> Val:
    b, x = cx.b, cx.val(x, cx.dtype)
    half = b.select(b.compare("LT", x, 0.0), b.full(math.pi, x.dtype, x.shape), 0.0)
    return b.select(b.compare("NE", x, x), x, half)


REAL: dict[str, Handler] = aten({
    "angle": angle_of_real, **each("conj_physical _conj_physical", lambda cx, x: x),
})  # fmt: skip
"""Operators about complex numbers that real ones are given to."""


def complex_table(real: dict[str, Handler]) -> dict[str, Handler]:
    """Operators on complex numbers; ``real``: those on real ones, which treat both parts where they only move them."""
    moved = (
        "view reshape _unsafe_view expand permute transpose.int t unsqueeze squeeze.default squeeze.dim squeeze.dims "
        "slice.Tensor select.int cat stack clone alias contiguous split.Tensor split_with_sizes unbind.int flip roll "
        "neg sum.default sum.dim_IntList mean.default mean.dim index.Tensor index_select detach lift_fresh_copy "
        "_reshape_alias flatten.using_ints unflatten.int movedim expand_as constant_pad_nd tril triu slice_scatter "
        "select_scatter copy repeat gather where.self index_put.default"
    )
    filled = "zeros zeros_like new_zeros ones ones_like new_ones full full_like new_full"
    found: dict[str, Handler] = {f"aten.{name}": constant_of(real[f"aten.{name}"]) for name in filled.split()}
    found |= {f"aten.{name}": both(real[key]) for name in moved.split() if (key := _key(real, name))}
    return found | aten({
        "complex": lambda cx, re, im: _made(cx, re, im), "polar": polar,
        "view_as_complex": view_as_complex, "view_as_real": view_as_real,
        "real": lambda cx, x: parts(x)[0], "imag": lambda cx, x: x.im,
        **each("mul.Tensor mul.Scalar", multiply), **each("div.Tensor div.Scalar", divide),
        **each("add.Tensor add.Scalar", added("add")), **each("sub.Tensor sub.Scalar", added("sub")),
        **each("_conj _conj_physical conj_physical conj", lambda cx, x: Complex(x.re, cx.b.ew("neg", x.im))),
        **each("resolve_conj resolve_neg", lambda cx, x: x), "abs": magnitude, "exp": exponential,
        "angle": lambda cx, x: cx.b.ew("atan2", x.im, x.re), **each("_to_copy to.dtype", to_complex),
        **{name: product(real[f"aten.{name}"]) for name in ("mm", "bmm", "matmul", "mv", "dot")},
        "_fft_c2c": fft, "_fft_r2c": fft_of_real, "_fft_c2r": fft_to_real,
    })  # fmt: skip


def _key(real: dict[str, Handler], name: str) -> str | None:
    return next((k for k in (f"aten.{name}", f"aten.{name.partition('.')[0]}") if k in real), None)
