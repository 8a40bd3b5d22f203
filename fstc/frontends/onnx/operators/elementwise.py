"""Element-wise operators: arithmetic, comparisons, logic, conversions.

Example: ``Mod`` with floats is the remainder with the divisor's sign, an expansion of four ops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed import elementary
from fstc.frontends.composed.precision import rounded_once
from fstc.frontends.onnx.node import Absent, Handler, Items, Node, Result
from fstc.frontends.onnx.problems import wrong
from fstc.ir.types import BOOL, F32, F64, DType

FINITE = {"f8e4m3fn": 448.0, "f8e5m2": 57344.0}  # what saturating conversions stop at


def unary(op: str) -> Handler:
    """An op of the table; integers stay as they are where the op is about fractions."""
    return lambda n: n.b.ew(op, n[0])


def fractional(op: str) -> Handler:
    return lambda n: n.b.ew(op, n[0]) if n[0].dtype.is_float else n[0]


def binary(op: str) -> Handler:
    return lambda n: n.b.ew(op, *same_types(n, 2))


def composed(f: Callable[[Builder, Val], Val]) -> Handler:
    return lambda n: f(n.b, n[0])


def comparison(direction: str) -> Handler:
    def handler(n: Node) -> Val:
        x, y = same_types(n, 2)
        return n.b.compare(direction, x, y)

    return handler


def variadic(op: str) -> Handler:
    def handler(n: Node) -> Val:
        values = same_types(n, len(n.inputs))
        found = values[0]
        for other in values[1:]:
            found = n.b.ew(op, found, other)
        return found

    return handler


def same_types(n: Node, count: int) -> list[Val]:
    """The inputs, which must have one element type."""
    found = [n[i] for i in range(count)]
    for i, v in enumerate(found):
        if v.dtype != found[0].dtype:
            raise wrong(f"input 0 is {found[0].type}, input {i} is {v.type}: the element types differ")
    return found


def mean(n: Node) -> Val:
    values = same_types(n, len(n.inputs))

    def of(*values: Val) -> Val:
        found = values[0]
        for other in values[1:]:
            found = n.b.ew("add", found, other)
        return n.b.ew("div", found, float(len(values)))

    return rounded_once(n.b, of, *values)


def absolute(n: Node) -> Val:
    return n[0] if n[0].dtype.kind == "u" else n.b.ew("abs", n[0])


def mod(n: Node) -> Val:
    x, y = same_types(n, 2)
    if n.integer("fmod", 0):
        return n.b.ew("rem", x, y)
    return elementary.floor_mod(n.b, x, y)


def power(n: Node) -> Val:
    """The result has the base's type; the exponent may have another."""
    b, x, y = n.b, n[0], n[1]
    if y.known is not None and y.type.elements == 1 and y.rank <= x.rank and x.dtype.is_float:
        exponent = float(y.known.reshape(-1)[0])
        if exponent == 2.0:
            return b.ew("mul", x, x)
        if exponent == 1.0:
            return x
    if x.dtype == y.dtype:
        return b.ew("pow", x, y)
    if x.dtype.is_integer and y.dtype.is_float:
        return b.convert(b.ew("pow", b.convert(x, F64), b.convert(y, F64)), x.dtype)
    if x.dtype.is_float and x.dtype.size < 4:
        return b.convert(b.ew("pow", b.convert(x, F32), b.convert(y, F32)), x.dtype)
    return b.ew("pow", x, b.convert(y, x.dtype))


def bit_shift(n: Node) -> Val:
    direction = n.choice("direction", "", ("LEFT", "RIGHT"))
    x, y = same_types(n, 2)
    right = "shift_right_arithmetic" if x.dtype.kind == "i" else "shift_right_logical"
    return n.b.ew("shift_left" if direction == "LEFT" else right, x, y)


def logical(op: str) -> Handler:
    def handler(n: Node) -> Val:
        x, y = same_types(n, 2)
        if x.dtype != BOOL:
            raise wrong(f"input 0 is {x.type}, expected bool")
        return n.b.ew(op, x, y)

    return handler


def is_inf(n: Node) -> Val:
    b, x = n.b, n[0]
    if not x.dtype.is_float or x.dtype.name == "f8e4m3fn":
        return b.full(False, BOOL, x.shape)
    positive, negative = n.integer("detect_positive", 1), n.integer("detect_negative", 1)
    if positive and negative:
        return elementary.isinf(b, x)
    if not positive and not negative:
        return b.full(False, BOOL, x.shape)
    return b.compare("EQ", x, float("inf") if positive else float("-inf"))


def where(n: Node) -> Val:
    x, y = n[1], n[2]
    if x.dtype != y.dtype:
        raise wrong(f"input 1 is {x.type}, input 2 is {y.type}: the element types differ")
    if n[0].dtype != BOOL:
        raise wrong(f"input 0 is {n[0].type}, expected bool")
    return n.b.select(n[0], x, y)


def clip(n: Node) -> Val:
    x = n[0]
    low, high = n.get(1), n.get(2)
    for bound in (low, high):
        if bound is not None and (bound.type.elements != 1 or bound.dtype != x.dtype):
            raise wrong(f"a bound is {bound.type}, expected one element of {x.dtype}")
    if low is not None:
        x = n.b.ew("max", x, n.b.reshape(low, ()))
    return x if high is None else n.b.ew("min", x, n.b.reshape(high, ()))


def cast(n: Node) -> Val:
    return converted(n, n[0], n.dtype("to"))


def cast_like(n: Node) -> Val:
    return converted(n, n[0], n[1].dtype)


def converted(n: Node, x: Val, dtype: DType) -> Val:
    """Conversions to 8-bit floats saturate unless the node says otherwise."""
    limit = FINITE.get(dtype.name)
    if limit is None or not n.integer("saturate", 1) or x.dtype.name == dtype.name:
        return n.b.convert(x, dtype)
    wide = x if x.dtype.is_float and x.dtype.size >= 2 else n.b.convert(x, F32)
    return n.b.convert(n.b.ew("max", n.b.ew("min", wide, limit), -limit), dtype)


def bit_cast(n: Node) -> Val:
    from fstc.ir.types import TensorType

    dtype = n.dtype("to")
    if dtype.size != n[0].dtype.size:
        raise wrong(f"{n[0].dtype} and {dtype} have different widths")
    if BOOL in (dtype, n[0].dtype):  # a bool is 0 or 1; what another byte would be as one is not defined
        return n.b.convert(n[0], dtype)
    return n.b.op("bitcast_convert", [n[0]], TensorType(dtype, n[0].shape))[0]


def reciprocal(n: Node) -> Val:
    return n.b.ew("div", 1.0, n[0])


def negate(n: Node) -> Val:
    return n.b.ew("neg", n[0])


def identity(n: Node) -> Result:
    found = n.inputs[0]
    return found if isinstance(found, Items | Absent) else n[0]


def dropout(n: Node) -> list[Val]:
    """The input itself, but for training, whose mask is random."""
    ratio = n.scalar(1, "ratio", 0.5)
    training = n.scalar(2, "training_mode", False)
    if training and float(ratio) != 0.0:
        raise Unsupported("dropout in training mode: its mask is random")
    return [n[0], n.b.full(True, BOOL, n[0].shape)]


ELEMENTWISE: Mapping[str, Handler] = {
    **{name: unary(op) for name, op in {
        "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Sinh": "sinh",
        "Cosh": "cosh", "Tanh": "tanh", "Erf": "erf", "Sigmoid": "logistic", "BitwiseNot": "not",
    }.items()},
    **{name: fractional(op) for name, op in {
        "Floor": "floor", "Ceil": "ceil", "Round": "round_nearest_even",
    }.items()},
    **{name: binary(op) for name, op in {
        "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div",
        "BitwiseAnd": "and", "BitwiseOr": "or", "BitwiseXor": "xor",
    }.items()},
    **{name: comparison(direction) for name, direction in {
        "Equal": "EQ", "Less": "LT", "LessOrEqual": "LE", "Greater": "GT", "GreaterOrEqual": "GE",
    }.items()},
    **{name: logical(op) for name, op in {"And": "and", "Or": "or", "Xor": "xor"}.items()},
    **{name: variadic(op) for name, op in {"Max": "max", "Min": "min", "Sum": "add"}.items()},
    **{name: composed(f) for name, f in {
        "Acos": elementary.acos, "Acosh": elementary.acosh, "Asin": elementary.asin, "Asinh": elementary.asinh,
        "Atan": elementary.atan, "Atanh": elementary.atanh, "IsNaN": elementary.isnan, "Sign": elementary.sign,
    }.items()},
    "Not": unary("not"), "Neg": negate, "Abs": absolute, "Mean": mean, "Mod": mod, "Pow": power,
    "BitShift": bit_shift, "IsInf": is_inf, "Where": where, "Clip": clip, "Cast": cast, "CastLike": cast_like,
    "BitCast": bit_cast, "Reciprocal": reciprocal, "Identity": identity, "Dropout": dropout,
}  # fmt: skip
