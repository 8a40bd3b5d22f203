"""CHLO, the dialect above StableHLO: elementary functions, and element-wise ops that broadcast.

Example: ``chlo.erf_inv`` is a polynomial in ``-log(1 - x^2)``, improved by Halley's method for f64. In portable
artefacts these ops are composites of the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed import elementary
from fstc.frontends.composed.precision import rounded_once
from fstc.frontends.stablehlo.elementwise import compared, plain
from fstc.frontends.stablehlo.walk import Entry, Handler, Site, refuse
from fstc.ir.types import DTYPES, F64, TensorType

# M. Giles, "Approximating the erfinv function", GPU Computing Gems 2 (2011): single precision, highest power first.
CENTRE = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
    0.246640727, 1.50140941,
)  # fmt: skip
TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
    1.00167406, 2.83297682,
)  # fmt: skip
TWO_OVER_SQRT_PI = 1.1283791670955126

BROADCASTING = {
    "add": "add", "and": "and", "atan2": "atan2", "divide": "div", "maximum": "max", "minimum": "min",
    "multiply": "mul", "or": "or", "power": "pow", "remainder": "rem", "shift_left": "shift_left",
    "shift_right_arithmetic": "shift_right_arithmetic", "shift_right_logical": "shift_right_logical",
    "subtract": "sub", "xor": "xor",
}  # fmt: skip
SPECIAL = "no kernel for this special function"


def composed(function: Callable[[Builder, Val], Val]) -> Handler:
    """An expansion that all importers share."""
    return lambda s, x: function(s.b, x)


def erf_inv(s: Site, x: Val) -> Val:
    return rounded_once(s.b, lambda x: _erf_inv(s.b, x), x)


def _erf_inv(b: Builder, x: Val) -> Val:
    """Infinite at -1 and 1, NaN outside."""
    w = b.ew("neg", b.ew("log1p", b.ew("neg", b.ew("mul", x, x))))
    near, far = b.ew("sub", w, 2.5), b.ew("sub", b.ew("sqrt", w), 3.0)
    p = b.select(b.compare("LT", w, 5.0), _horner(b, CENTRE, near), _horner(b, TAIL, far))
    y = b.ew("mul", p, x)
    if x.dtype == F64:
        y = _halley(b, x, _halley(b, x, y))
    limit = b.ew("mul", x, float("inf"))
    return b.select(b.compare("EQ", b.ew("abs", x), 1.0), limit, y)


def _halley(b: Builder, x: Val, y: Val) -> Val:
    """Halley's step towards erf(y) = x, from the complement where erf is near 1."""
    a, sign = b.ew("abs", y), b.ew("sign", x)
    below = b.ew("sub", b.ew("sub", 1.0, b.ew("abs", x)), b.ew("erfc", a))
    near = b.ew("sub", b.ew("erf", a), b.ew("abs", x))
    error = b.select(b.compare("GT", a, 0.5), below, near)
    slope = b.ew("mul", b.ew("exp", b.ew("neg", b.ew("mul", a, a))), TWO_OVER_SQRT_PI)
    step = b.ew("div", error, slope)
    step = b.ew("div", step, b.ew("add", b.ew("mul", a, step), 1.0))
    return b.ew("mul", sign, b.ew("sub", a, step))


def _horner(b: Builder, coefficients: Sequence[float], x: Val) -> Val:
    found = b.full(coefficients[0], x.dtype, x.shape)
    for c in coefficients[1:]:
        found = b.ew("add", b.ew("mul", found, x), c)
    return found


def next_after(s: Site, x: Val, y: Val) -> Val:
    """The neighbour of x towards y: one more or less in its bits; from zero the smallest number of y's sign."""
    b = s.b
    signed = DTYPES[f"i{8 * x.dtype.size}"]

    def floats(bits: Val) -> Val:
        return b.op("bitcast_convert", [bits], x.type)[0]

    bits = b.op("bitcast_convert", [x], TensorType(signed, x.shape))[0]
    outwards = b.ew("xor", b.compare("GT", y, x), b.compare("LT", x, 0.0))
    moved = floats(b.ew("add", bits, b.select(outwards, b.full(1, signed, ()), b.full(-1, signed, ()))))
    least = b.full(1, signed, x.shape)
    lowest = b.full(1 - 2 ** (8 * signed.size - 1), signed, x.shape)
    near_zero = b.select(b.compare("GT", y, 0.0), floats(least), floats(lowest))
    found = b.select(b.compare("EQ", x, 0.0), near_zero, moved)
    found = b.select(b.compare("EQ", x, y), y, found)
    return b.select(b.ew("or", elementary.isnan(b, x), elementary.isnan(b, y)), float("nan"), found)


def infinite(sign: str) -> Handler:
    """is_inf, is_pos_inf, is_neg_inf."""

    def handler(s: Site, x: Val) -> Val:
        if sign == "":
            return elementary.isinf(s.b, x)
        return s.b.compare("EQ", x, float(f"{sign}inf"))

    return handler


def mulhi(s: Site, x: Val, y: Val) -> Val:
    """The high half of the product of integers, through integers twice as wide."""
    bits = 8 * x.dtype.size
    wide = DTYPES.get(f"{x.dtype.kind}{2 * bits}")
    if wide is None:
        raise Unsupported("the product of 64-bit integers needs 128 bits")
    b = s.b
    product = b.ew("mul", b.convert(x, wide), b.convert(y, wide))
    shift = "shift_right_arithmetic" if x.dtype.kind == "i" else "shift_right_logical"
    return b.convert(b.ew(shift, product, bits), x.dtype)


def constant_like(s: Site, x: Val) -> Val:
    return s.b.full(s.attr("value"), x.dtype, x.shape)


def broadcasting(name: str) -> Handler:
    return lambda s, x, y: s.b.ew(name, *_aligned(s, x, y))


def broadcast_compare(s: Site, x: Val, y: Val) -> Val:
    return compared(s.b, s.attr("comparison_direction"), s.attr("compare_type"), *_aligned(s, x, y))


def broadcast_select(s: Site, p: Val, x: Val, y: Val) -> Val:
    return s.b.select(p, x, y)


def _aligned(s: Site, x: Val, y: Val) -> tuple[Val, Val]:
    """``broadcast_dimensions``: where the dimensions of the operand of lower rank are in the other."""
    dims = s.ints("broadcast_dimensions")
    if not dims or x.rank == y.rank:
        return x, y
    low, rank = (x, y.rank) if x.rank < y.rank else (y, x.rank)
    shape = [1] * rank
    for d, extent in zip(dims, low.shape, strict=True):
        shape[d] = extent
    placed = s.b.reshape(low, shape)
    return (placed, y) if low is x else (x, placed)


CHLO: Mapping[str, Entry] = {
    **{f"chlo.{n}": Entry(plain(n), f"`{n}`") for n in ("cosh", "erf", "erfc", "sinh", "tan")},
    **{
        f"chlo.{n}": Entry(composed(getattr(elementary, n)), "an expansion")
        for n in ("acos", "acosh", "asin", "asinh", "atan", "atanh", "square")
    },
    **{f"chlo.broadcast_{n}": Entry(broadcasting(op), f"`{op}` of operands that broadcast")
       for n, op in BROADCASTING.items()},
    "chlo.broadcast_compare": Entry(broadcast_compare, "`compare` of operands that broadcast"),
    "chlo.broadcast_select": Entry(broadcast_select, "`select` of operands that broadcast"),
    "chlo.constant_like": Entry(constant_like, "`constant`"),
    "chlo.erf_inv": Entry(erf_inv, "a polynomial; f64: and two steps of Halley's method"),
    "chlo.is_inf": Entry(infinite(""), "`compare` of the magnitude"),
    "chlo.is_neg_inf": Entry(infinite("-"), "`compare`"),
    "chlo.is_pos_inf": Entry(infinite("+"), "`compare`"),
    "chlo.next_after": Entry(next_after, "`bitcast_convert`, one more or less in the bits"),
    "chlo.mulhi": Entry(mulhi, "`mul` of integers twice as wide, where there are any"),
    **{f"chlo.{n}": refuse(SPECIAL) for n in (
        "bessel_i1e", "broadcast_polygamma", "broadcast_zeta", "digamma", "lgamma", "polygamma", "zeta")},
    "chlo.broadcast_next_after": refuse("JAX and TensorFlow write next_after"),
    "chlo.ragged_dot": refuse("groups of rows of lengths that depend on data"),
    "chlo.scan": refuse("a scan with a body of its own; jax.export writes loops and windows instead"),
    **{f"chlo.{n}": refuse("complex numbers: fstc has none") for n in (
        "_asin_acos_kernel", "broadcast_complex", "conj")},
}  # fmt: skip
