"""Ops that make values: constant, iota and random bits.

Example: ``%n = constant {value = 1.5} : f32[]`` or ``{data = "weights.safetensors:encoder.w"}``. The
bytes behind ``data`` are read by :class:`fstc.ir.constants.ConstantStore`, not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fstc.ir.ops.numerics import cast
from fstc.ir.ops.opdef import AttrDef, Form, Infer, Kind, OpDef
from fstc.ir.ops.shapes import axis, declared, refuse
from fstc.ir.types import U64, DType, TensorType

Arrays = Sequence[Any]
FILE_SUFFIX = ".safetensors"
LARGEST = {"f64": 1.7976931348623157e308, "f32": 3.4028234663852886e38, "f16": 65504.0, "bf16": 3.3895313892515355e38,
           "f8e4m3fn": 448.0, "f8e5m2": 57344.0}  # fmt: skip


def split_data(data: str) -> tuple[str, str]:
    """``"file.safetensors:tensor"`` as (file, tensor); the tensor's name may hold colons."""
    at = data.find(FILE_SUFFIX + ":")
    if at <= 0 or at + len(FILE_SUFFIX) + 1 == len(data):
        refuse(f'`data` is "{data}", expected "file{FILE_SUFFIX}:tensor"', attr="data")
    return data[: at + len(FILE_SUFFIX)], data[at + len(FILE_SUFFIX) + 1 :]


def _constant_type(infer: Infer) -> tuple[TensorType, ...]:
    result = declared(infer)
    value, data = infer.attrs.get("value"), infer.attrs.get("data")
    if (value is None) == (data is None):
        found = "neither" if value is None else "both"
        refuse(f"a constant has `value` or `data`, {found} is given", attr=None if value is None else "data")
    if data is not None:
        split_data(data)
    elif not isinstance(value, tuple):
        _check_number(value, result.dtype)
    elif result.elements or value:
        _check_nest(value, result, result.shape)
    return (result,)


def _check_nest(value: Any, result: TensorType, shape: tuple[int, ...]) -> None:
    if isinstance(value, tuple) != bool(shape):
        refuse(f"`value` nests {'deeper' if not shape else 'less deep'} than {result}", attr="value")
    if not shape:
        _check_number(value, result.dtype)
        return
    if len(value) != shape[0]:
        refuse(f"`value` has a list of {len(value)} where {result} needs {shape[0]}", attr="value")
    for item in value:
        _check_nest(item, result, shape[1:])


def _check_number(value: Any, dtype: DType) -> None:
    if isinstance(value, str) or isinstance(value, bool) != (dtype.kind == "b"):
        wanted = "true or false" if dtype.kind == "b" else "a number"
        refuse(f"`value` is {_spelled(value)}, {dtype} needs {wanted}", attr="value")
    if dtype.kind == "b":
        return
    if dtype.is_integer:
        if not isinstance(value, int):
            refuse(f"`value` is {value}, {dtype} needs an integer", attr="value")
        bits = 8 * dtype.size - (dtype.kind == "i")
        low, high = (-(1 << bits) if dtype.kind == "i" else 0), (1 << bits) - 1
        if not low <= value <= high:
            refuse(f"`value` is {value}, {dtype} holds {low} to {high}", attr="value")
    elif abs(value) in (float("inf"), float("-inf")):
        if dtype.name == "f8e4m3fn":
            refuse("f8e4m3fn has no infinity", help="its largest value is 448", attr="value")
    elif abs(value) > LARGEST[dtype.name]:
        refuse(f"`value` is {value}, the largest {dtype} is {LARGEST[dtype.name]}", attr="value")


def _spelled(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


def _constant(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    value, result = infer.attrs.get("value"), infer.declared[0]
    assert value is not None, "constants in files are read by the evaluator's ConstantStore"
    if isinstance(value, tuple) and not result.elements:
        return (np.zeros(result.shape, result.dtype.numpy()),)
    raw = np.asarray(value, dtype=np.float64 if result.dtype.is_float else result.dtype.numpy())
    return (np.broadcast_to(cast(raw, result.dtype), result.shape).copy(),)


def _iota_type(infer: Infer) -> tuple[TensorType, ...]:
    result = declared(infer)
    if result.dtype.kind == "b":
        refuse(f"the result is {result}, expected a numeric type")
    axis(infer, "dimension", result.rank)
    return (result,)


def _iota(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    result, along = infer.declared[0], infer.attrs["dimension"]
    line = cast(np.arange(result.shape[along], dtype=np.int64), result.dtype)
    column = line.reshape([-1 if d == along else 1 for d in range(result.rank)])
    return (np.broadcast_to(column, result.shape).copy(),)


def _random_type(infer: Infer) -> tuple[TensorType, ...]:
    if infer.operands[0] != TensorType(U64, (2,)):
        refuse(f"the state is {infer.operands[0]}, expected u64[2] (key, counter)", operand=0)
    bits = declared(infer, 1)
    if bits.dtype.kind != "u":
        refuse(f"the bits are {bits}, expected an unsigned integer type")
    return infer.operands[0], bits


def _random(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    from fstc.ir.ops.philox import philox4x32

    state, bits = arrays[0], infer.declared[1]
    words = bits.elements * (2 if bits.dtype.size == 8 else 1)
    blocks = -(-words // 4)
    with np.errstate(over="ignore"):
        counters = state[1] + np.arange(blocks, dtype=np.uint64)
        after = np.array([state[0], state[1] + np.uint64(blocks)], dtype=np.uint64)
    flat = philox4x32(state[0], counters).reshape(-1)[:words]
    if bits.dtype.size == 8:
        flat = flat[0::2].astype(np.uint64) | flat[1::2].astype(np.uint64) << np.uint64(32)
    return after, flat.astype(bits.dtype.numpy()).reshape(bits.shape)


SOURCE: tuple[OpDef, ...] = (
    OpDef(
        "constant",
        Kind.SOURCE,
        Form.CONSTANT,
        "A value from the text, repeated when it is a single number and rounded once to a float type, or a tensor of a "
        "safetensors file beside it. A value that does not fit an integer type is refused.",
        (0, 0),
        _constant_type,
        _constant,
        (
            AttrDef("value", "value", required=False, doc="a number, true, false, or lists nested as the shape is"),
            AttrDef("data", "str", required=False, doc='"file.safetensors:tensor"'),
        ),
    ),
    OpDef(
        "iota",
        Kind.SOURCE,
        Form.IOTA,
        "Each element is its index along the dimension; integers wrap, floats are rounded.",
        (0, 0),
        _iota_type,
        _iota,
        (AttrDef("dimension", "int", doc="the dimension that is counted"),),
        dtypes="numeric",
    ),
    OpDef(
        "rng_bit_generator",
        Kind.SOURCE,
        Form.RNG,
        "Random bits from state (key, counter): element i is word i % 4 of Philox4x32-10 at counter + i / 4; u8 and "
        "u16 take its low bits, u64 takes two words, low one first. The new counter is past the last one used.",
        (1, 1),
        _random_type,
        _random,
        (AttrDef("algorithm", "str", required=False, default="philox", choices=("philox",), doc="the one there is"),),
        operands="state",
        results=2,
        dtypes="unsigned",
    ),
)
