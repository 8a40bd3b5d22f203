"""C++ text of element-wise ops and of literals, in the words of the device prelude (``templates/lib``).

Example: ``cuda_expr(OPS["add"], (F32, F32), F32, {}, ("v1", "v2"))`` is ``"v1 + v2"`` and
``literal(F32, 0.5)`` is ``"0.5f"``. The text has the result's *compute* type; rounding to a
storage type (``fst::round``) is codegen's statement, not part of the expression.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from fstc.ir.ops.opdef import Attrs, OpDef
from fstc.ir.types import DType


def cuda_expr(
    op: OpDef, operand_dtypes: Sequence[DType], result_dtype: DType, attrs: Attrs, args: Sequence[str]
) -> str:
    """The expression that computes ``op``; ``args`` are identifiers or literals of the operands' compute types.

    ``op.cuda`` is a template, a mapping from the kind of the last operand ("f", "i", "u", "b") to a
    template, or a function of (operand dtypes, result dtype, attrs) that returns a template. In a
    template ``{0}``, ``{1}`` are the operands and ``{R}`` is the result's compute type.
    """
    template = op.cuda(tuple(operand_dtypes), result_dtype, attrs) if callable(op.cuda) else op.cuda
    if isinstance(template, Mapping):
        template = template[operand_dtypes[-1].kind]
    assert isinstance(template, str), f"{op.name} has no device expression"
    # `- -1.0f` without its space would be a decrement, so negative literals come in parentheses
    safe = [f"({a})" if a.startswith("-") else a for a in args]
    return template.format(*safe, R=result_dtype.compute)


def literal(dtype: DType, value: Any) -> str:
    """``value``, rounded to ``dtype``, as a C++ literal of the compute type.

    Decimal where that is exact and short, a hexadecimal float otherwise.
    """
    if dtype.kind == "b":
        return "true" if value else "false"
    if dtype.kind == "f":
        return _float_literal(dtype, value)
    number = int(value)
    bits = 8 * dtype.size
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype.kind == "i" else (0, (1 << bits) - 1)
    assert low <= number <= high, f"{number} is not a value of {dtype}"
    if dtype.size < 4:
        return f"{dtype.compute}({number})"
    suffix = ("u" if dtype.kind == "u" else "") + ("ll" if dtype.size == 8 else "")
    if dtype.kind == "i" and number == low:
        return f"({number + 1}{suffix} - 1)"  # the positive half does not fit, so the minimum has no literal
    return f"{number}{suffix}"


def _float_literal(dtype: DType, value: Any) -> str:
    number = _rounded(dtype, value)
    if math.isnan(number):
        return f"fst::nan<{dtype.compute}>()"
    if math.isinf(number):
        return f"{'-' if number < 0 else ''}fst::inf<{dtype.compute}>()"
    suffix = "" if dtype.compute == "double" else "f"
    text = repr(number)
    if len(text) <= 12 and Fraction(text) == Fraction(number):
        return text + ("" if "." in text or "e" in text else ".0") + suffix
    return _hex(number) + suffix


def _hex(number: float) -> str:
    """float.hex without trailing zeros: ``0x1.8p+0``."""
    mantissa, exponent = number.hex().split("p")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}p{exponent}"


def _rounded(dtype: DType, value: Any) -> float:
    """To nearest even; without NumPy where that is possible, since importing it costs more than a small build."""
    number = float(value)
    if dtype.size == 8 or number in (0.0, 1.0, -1.0) or math.isnan(number):
        return number
    if dtype.name in ("f32", "f16"):
        return _packed(dtype.name, number)
    if dtype.name == "bf16" and _packed("f32", number) == number and struct.pack("<f", number)[:2] == b"\0\0":
        return number
    import numpy as np

    from fstc.ir.ops.numerics import cast

    return float(cast(np.asarray(value), dtype).astype(np.float64))


def _packed(name: str, number: float) -> float:
    form = "<f" if name == "f32" else "<e"
    try:
        return float(struct.unpack(form, struct.pack(form, number))[0])
    except OverflowError:
        return math.copysign(math.inf, number)
