"""Inputs of a run: random ones within each input's domain, or those of a file.

Example: ``make_inputs(graph, seed=0)[graph.inputs[0]]``. An array depends on the seed and on the input's name,
type and domain only, so that adding an input does not change the others. Attributes of an input in the ``.fir``
come first: ``low``, ``high`` (integers: below ``high``), ``domain = "permutation" | "positive" | "probability"``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from difflib import get_close_matches
from math import ceil, inf
from pathlib import Path
from typing import Any, NoReturn
from zipfile import BadZipFile

from fstc.ir.graph import Graph, Value
from fstc.ir.safetensors import Refused, map_tensor, read_header
from fstc.ir.types import DType, TensorType
from fstc.runtime.domains import Domain
from fstc.runtime.tracing import traced
from fstc.support.diagnostics import Diagnostic, FstcError, Label

Array = Any  # numpy.ndarray; numpy is imported where it is used

CODE = "FST0603"
PERMUTATION = "permutation"
NAMED = {"positive": Domain(0.1, 2.0), "probability": Domain(0.0, 1.0)}
DEFAULT = {"f": Domain(-2.0, 2.0), "i": Domain(-8, 9), "u": Domain(0, 17)}
POINT_SHARE = 8  # one element in so many is a number that the graph asks about, such as a padding token
SPECIAL_SHARE = 1000  # one element in so many is a special value: a few rows are poisoned, not all


def make_inputs(graph: Graph, seed: int, specials: bool = False) -> dict[int, Array]:
    """Random inputs by value id. With ``specials``: NaN, Inf, -0.0, subnormals and extremes among them."""
    asked = traced(graph)
    return {i: _draw(graph.values[i], asked[i], seed, specials) for i in graph.inputs}


def _draw(value: Value, asked: Domain, seed: int, specials: bool) -> Array:
    import numpy as np

    dtype, stated, elements = value.type.dtype, _stated(value), value.type.elements
    rng = np.random.Generator(np.random.SFC64(_key(seed, value.name)))
    if asked.mask and not stated.bounded and not stated.distinct:
        return _mask(rng, value.type, asked.mask)
    if dtype.kind == "b":
        return np.asarray(rng.integers(0, 2, value.type.shape, np.uint8)).view(np.bool_)
    if stated.distinct or (asked.distinct and not stated.bounded and elements <= asked.high < inf):
        return _permutation(rng, value, int((stated if stated.distinct else asked).high))
    if dtype.is_float:
        bounds = _filled(stated, DEFAULT["f"]) if stated.bounded else _comfortable(asked)
        out = _floats(rng, value.type, bounds)
    else:
        bounds = stated if stated.bounded else _around(asked)
        out = _integers(rng, value.type, _filled(bounds, DEFAULT[dtype.kind]))
        if asked.points and not stated.bounded:
            _meet_points(rng, out.reshape(-1), asked)
    # an index or a length out of its range is no edge case of the arithmetic, so bounded integers stay
    if specials and (dtype.is_float or not (stated.bounded or asked.bounded)):
        _scatter_specials(rng, out.reshape(-1), dtype)
    return out


def _stated(value: Value) -> Domain:
    """What the input's own attributes say."""
    attrs = dict(value.attrs)
    word = attrs.get("domain", "")
    if word and word not in (*NAMED, PERMUTATION):
        _refuse(value, f"unknown domain `{word}`", f"known are {', '.join(sorted((*NAMED, PERMUTATION)))}")
    named = NAMED.get(word, Domain())
    low, high = attrs.get("low", named.low), attrs.get("high", named.high)
    if word == PERMUTATION:
        high = attrs.get("high", value.type.elements)
        if not value.type.dtype.is_integer:
            _refuse(value, f"a permutation of {value.type}", "a permutation holds integers")
        if high < value.type.elements:
            _refuse(value, f"{value.type.elements} distinct values below {high}", "raise `high`")
        return Domain(0, high, distinct=True)
    if high < low or (high == low and not value.type.dtype.is_float and value.type.elements):
        _refuse(value, f"no value lies between `low` = {low} and `high` = {high}", "integers stay below `high`")
    return Domain(low, high)


def _refuse(value: Value, message: str, help: str) -> NoReturn:
    label = Label(value.span) if value.span else None
    raise FstcError(Diagnostic("FST0305", f"input %{value.name}: {message}", label, help=help))


def _key(seed: int, name: str) -> list[int]:
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 32, 4)]


def _filled(wanted: Domain, default: Domain) -> Domain:
    """The wanted bounds; an open end lies as far away as the default domain is wide."""
    if not wanted.bounded:
        return default
    width = default.high - default.low
    low = wanted.low if wanted.low > -inf else wanted.high - width
    return Domain(low, wanted.high if wanted.high < inf else low + width)


def _comfortable(asked: Domain) -> Domain:
    """What ops ask for, cut to the default domain where both leave room: [1e-3, 1e3] is [1e-3, 2]."""
    default = DEFAULT["f"]
    if not asked.bounded:
        return Domain()
    low, high = max(asked.low, default.low), min(asked.high, default.high)
    return Domain(low, high) if low < high else _filled(asked, default)


def _around(asked: Domain) -> Domain:
    """Where nothing bounds an integer, the numbers that it is compared with are inside."""
    if asked.bounded or not asked.points:
        return asked
    default = DEFAULT["u"]
    return Domain(min(0, *asked.points), max(default.high, max(asked.points) + 2))


def _meet_points(rng: Any, flat: Array, asked: Domain) -> None:
    """One element in so many equals a number that it is compared with, in place."""
    import numpy as np

    limits = np.iinfo(flat.dtype)
    inside = [p for p in asked.points if max(asked.low, limits.min) <= p < min(asked.high, limits.max)]
    count = flat.size // POINT_SHARE
    if inside and count:
        places = rng.choice(flat.size, count, replace=False)
        flat[places] = np.resize(np.asarray(inside).astype(flat.dtype), count)


def _mask(rng: Any, type: TensorType, sign: int) -> Array:
    """Rows that begin with what counts and may end with padding; at least half of each row counts."""
    import numpy as np

    wide = [d for d, n in enumerate(type.shape) if n > 1]
    axis = wide[-1] if wide else 0
    extent = type.shape[axis] if wide else 1
    counts = rng.integers(-(-extent // 2), extent + 1, [1 if d == axis else n for d, n in enumerate(type.shape)])
    places = np.arange(extent).reshape([extent if d == axis else 1 for d in range(type.rank)])
    inside = np.broadcast_to(places < counts, type.shape)
    return (inside if sign > 0 else ~inside).astype(type.dtype.numpy())


def _floats(rng: Any, type: TensorType, bounds: Domain) -> Array:
    import numpy as np

    dtype = np.float64 if type.dtype.size == 8 else np.float32
    out = rng.random(type.shape, dtype=dtype)
    if bounds.bounded:
        out = out * np.asarray(bounds.high - bounds.low, dtype) + np.asarray(bounds.low, dtype)
    else:  # a triangle over [-2, 2]: near to normal, without its tails
        out = (out + rng.random(type.shape, dtype=dtype)) * np.asarray(2, dtype) - np.asarray(2, dtype)
    return np.asarray(out).astype(type.dtype.numpy(), copy=False)


def _integers(rng: Any, type: TensorType, bounds: Domain) -> Array:
    import numpy as np

    limits = np.iinfo(type.dtype.numpy())
    low = min(max(ceil(bounds.low), int(limits.min)), int(limits.max))
    high = max(min(ceil(bounds.high), int(limits.max) + 1), low + 1)
    return np.asarray(rng.integers(low, high, type.shape, type.dtype.numpy()))


def _permutation(rng: Any, value: Value, high: int) -> Array:
    import numpy as np

    elements = value.type.elements
    drawn = rng.permutation(high)[:elements] if high <= 4 * elements else rng.choice(high, elements, replace=False)
    return np.asarray(drawn).reshape(value.type.shape).astype(value.type.dtype.numpy())


def _scatter_specials(rng: Any, flat: Array, dtype: DType) -> None:
    """Put special values at random places, in place."""
    import numpy as np

    if not flat.size:
        return
    values = _specials(dtype)
    count = max(1, flat.size // SPECIAL_SHARE)
    places = rng.choice(flat.size, count, replace=False) if flat.size < 10**6 else rng.integers(0, flat.size, count)
    flat[places] = np.resize(rng.permutation(values), count)


def _specials(dtype: DType) -> Array:
    import numpy as np

    if dtype.is_integer:
        limits = np.iinfo(dtype.numpy())
        return np.array([limits.min, limits.max, 0, 1], dtype.numpy())
    import ml_dtypes

    facts: Any = ml_dtypes.finfo  # also knows NumPy's own floats
    about = facts(dtype.numpy())
    subnormal, normal, largest = float(about.smallest_subnormal), float(about.smallest_normal), float(about.max)
    values = [float("nan"), -0.0, 0.0, subnormal, -subnormal, normal - subnormal, normal, largest, -largest]
    if dtype.name != "f8e4m3fn":  # it has no infinity
        values += [float("inf"), float("-inf")]
    return np.array(values).astype(dtype.numpy())


def load_inputs(path: Path, graph: Graph) -> dict[int, Array]:
    """The inputs of a graph by value id, from a ``.npz`` or ``.safetensors`` file that holds them by name."""
    found = _read_npz(path) if path.suffix == ".npz" else _read_safetensors(path)
    names = {graph.values[i].name: i for i in graph.inputs}
    problems = [
        Diagnostic(
            CODE, f"{path.name} has {name!r}, which is no input", file=str(path), help=_did_you_mean(name, names)
        )
        for name in found
        if name not in names
    ]
    feeds = {}
    for name, i in names.items():
        wanted = graph.type(i)
        if name not in found:
            message = f"{path.name} lacks the input {name!r}, {wanted}"
            problems.append(Diagnostic(CODE, message, file=str(path), help=_did_you_mean(name, found)))
            continue
        array = _as_stored(found[name], wanted.dtype)
        if array.shape != wanted.shape or array.dtype != wanted.dtype.numpy():
            has = f"{array.dtype}{list(array.shape)}"
            problems.append(Diagnostic(CODE, f"{name!r} in {path.name} is {has}, expected {wanted}", file=str(path)))
        feeds[i] = array
    if problems:
        raise FstcError(*problems)
    return feeds


def _as_stored(array: Array, dtype: DType) -> Array:
    """NumPy's own files know bf16 and the 8-bit floats as raw bytes only."""
    raw = array.dtype.kind == "V" and array.dtype.names is None and array.dtype.itemsize == dtype.size
    return array.view(dtype.numpy()) if raw else array


def _did_you_mean(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def _read_npz(path: Path) -> dict[str, Array]:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, BadZipFile, AttributeError, TypeError) as error:
        raise FstcError(Diagnostic(CODE, f"cannot read {path.name}: {error}", file=str(path))) from None


def _read_safetensors(path: Path) -> dict[str, Array]:
    try:
        return {name: map_tensor(path, stored) for name, stored in read_header(path).items()}
    except Refused as error:
        raise FstcError(Diagnostic(CODE, str(error), file=str(path))) from None
