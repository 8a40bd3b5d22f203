"""A .pt2 file, checked before torch reads it.

Example: ``with checked(Path("model.pt2")) as safe: program = load(safe)``. torch.export.load unpickles what it finds,
evaluates expressions, and loads native code: a model from elsewhere must not do any of it. So the archive is written
anew from members that were checked, without what has no use here (sample inputs, guards, extra files):

- members are stored uncompressed, as torch writes them, so that the file's size bounds what it expands to;
- tensors are raw bytes of the size that they claim; a pickled one is refused unless torch's restricted unpickler,
  which runs no code, takes it;
- no compiled code, no script objects; names of operators, expressions of extents and descriptions of inputs and
  outputs keep to what torch.export writes.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

MOST_JSON = 1 << 30
MOST_REPEATED = 1 << 31  # bytes of a tensor whose strides repeat its memory
_MAGIC = re.compile(r"\.?data/version|byteorder|archive_format|archive_version|\.data/serialization_id|version")
_TARGET = re.compile(r"torch\.ops(\.\w+){2,3}|_operator\.\w+|math\.\w+|torch\._?sym_\w+")
_OPERATORS = re.compile(
    r"_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem|pow)"
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_SYMBOLS = re.compile(r"(zu|z|s|u|zf|f)\d+")
_NAMES = (
    "Symbol Integer Rational Float positive integer nonnegative real nonzero finite True False Add Mul Pow Mod Max "
    "Min FloorDiv ModularIndexing PythonMod Where CleanDiv CeilToInt FloorToInt CeilDiv LShift RShift PowByNatural "
    "FloatPow FloatTrueDiv IntTrueDiv TruncToFloat TruncToInt RoundToInt RoundDecimal ToFloat Identity Abs floor "
    "ceiling Eq Ne Lt Le Gt Ge Equality Unequality StrictLessThan LessThan StrictGreaterThan GreaterThan And Or Not "
    "Piecewise ExprCondPair BooleanTrue BooleanFalse true false Zero One NegativeOne precision "
    "IsNonOverlappingAndDenseIndicator int_oo oo"
)
_FUNCTIONS = frozenset(_NAMES.split())
_PLAIN = re.compile(r"[\w\s()+\-*/,.<>='&|~]*")
# bytes by torch.export's number of an element type
_WIDTHS = dict(enumerate((0, 1, 1, 2, 4, 8, 2, 4, 8, 4, 8, 16, 1, 2))) | {28: 2}


class Refused(Exception):
    """The file is damaged, or holds what is never loaded."""


@contextmanager
def checked(path: Path) -> Iterator[Path]:
    """The path of a copy that holds checked members only; Refused with the reason."""
    with tempfile.TemporaryDirectory(prefix="fstc-") as folder:
        copy = Path(folder) / "model.pt2"
        try:
            with zipfile.ZipFile(path) as archive:
                _copy(archive, copy)
        except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError) as error:
            raise Refused(f"it is no archive of torch.export: {error}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise Refused(f"its description cannot be read: {type(error).__name__}") from None
        yield copy


def _copy(archive: zipfile.ZipFile, copy: Path) -> None:
    members = _members(archive)
    names = {name.partition("/")[2]: info for name, info in members.items()}
    root = next(iter(members)).partition("/")[0] if members else ""
    if "archive_version" not in names or "models/model.json" not in names:
        raise Refused("it is no archive that torch.export.save of torch 2.9 or later writes")
    weights = _payloads(archive, names, "data/weights/")
    constants = _payloads(archive, names, "data/constants/")
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED, allowZip64=True) as out:
        for name, info in names.items():
            target = f"{root}/{name}"
            if name == "models/model.json":
                out.writestr(target, json.dumps(_program(_json(archive, info))))
            elif name == "data/sample_inputs/model.pt":
                out.writestr(target, b"")
            elif name in weights or name in constants or name.endswith("_config.json") or _MAGIC.fullmatch(name):
                with archive.open(info) as source, out.open(target, "w", force_zip64=True) as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise Refused(f"its member {info.filename} is compressed")
        if info.filename in found:
            raise Refused(f"it has two members {info.filename}")
        if "/data/aotinductor/" in f"/{info.filename}":
            raise Refused("it holds compiled code, which is never loaded")
        found[info.filename] = info
    roots = {name.partition("/")[0] for name in found}
    if len(roots) != 1:
        raise Refused("it is no archive of torch.export: it has no one folder")
    return found


def _json(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    if info.file_size > MOST_JSON:
        raise Refused(f"{info.filename} has more than {MOST_JSON >> 20} MiB")
    return json.loads(archive.read(info))


# -- tensors -----------------------------------------------------------------------------------------------------------


def _payloads(archive: zipfile.ZipFile, names: Mapping[str, zipfile.ZipInfo], folder: str) -> set[str]:
    """The members that the folder's list names."""
    kind = folder.split("/")[1]
    info = names.get(f"{folder}model_{kind}_config.json")
    if info is None:
        raise Refused(f"{folder}model_{kind}_config.json is missing")
    found = set()
    for name, entry in _json(archive, info)["config"].items():
        file = entry["path_name"]
        member = names.get(f"{folder}{file}")
        if not re.fullmatch(r"(weight|tensor)_\w+", file):
            raise Refused(f"{name} is an object, not a tensor: objects are never loaded")
        if member is None:
            raise Refused(f"the elements of {name} are missing")
        if entry["use_pickle"]:
            _unpickled(archive, member, name)
        else:
            _sized(name, entry["tensor_meta"], member.file_size)
        found.add(f"{folder}{file}")
    return found


def _unpickled(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> None:
    import torch

    try:
        torch.load(io.BytesIO(archive.read(member)), weights_only=True)
    except Exception:
        raise Refused(f"{name} is a pickle of more than a tensor: pickles are never loaded") from None


def _sized(name: str, meta: Mapping[str, Any], held: int) -> None:
    """Do the elements that the description reaches lie in the member?"""
    sizes = [s["as_int"] for s in meta["sizes"]]
    strides = [s["as_int"] for s in meta["strides"]]
    offset, width = meta["storage_offset"]["as_int"], _WIDTHS.get(meta["dtype"], 1)
    if min([offset, *sizes, *strides]) < 0 or len(sizes) != len(strides):
        raise Refused(f"the shape of {name} is impossible")
    count = prod(sizes)
    reach = offset + 1 + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True)) if count else 0
    if reach * width > held:
        raise Refused(f"{name} takes {reach * width:,} bytes, the file has {held:,}")
    if count * width > max(held, MOST_REPEATED):
        raise Refused(f"{name} repeats its elements to {count * width:,} bytes")


# -- the program -------------------------------------------------------------------------------------------------------


def _program(document: dict[str, Any]) -> dict[str, Any]:
    """The description, checked, without code."""
    if "guards_code" in document:
        document["guards_code"] = []
    stack: list[Any] = [document]
    while stack:
        here = stack.pop()
        if isinstance(here, list):
            stack += here
        if not isinstance(here, dict):
            continue
        for key, value in here.items():
            if isinstance(value, str):
                _text(key, value)
            else:
                stack.append(value)
    return document


def _text(key: str, value: str) -> None:
    if key == "expr_str":
        _expression(value)
    elif key in ("in_spec", "out_spec"):
        if "__enum__" in value or "default_factory" in value or "\\u" in value:
            raise Refused("its inputs or outputs have types that only Python code can make")
    elif key == "target" and "." in value and value.startswith(("torch", "_operator", "math", "#")):
        known = _TARGET.fullmatch(value) and (not value.startswith("_operator") or _OPERATORS.fullmatch(value))
        if not known:
            raise Refused(f"it calls {value}, which is no operator")


def _expression(text: str) -> None:
    """An extent as torch writes it: sums and products of symbols."""
    words = _WORD.findall(text)
    unknown = next((w for w in words if w not in _FUNCTIONS and not _SYMBOLS.fullmatch(w)), None)
    if unknown or not _PLAIN.fullmatch(text) or "." in re.sub(r"\d\.\d", "", text) or text.count("**") > 1:
        raise Refused(f"an extent is {text[:60]!r}")
    if len(text) > 10_000 or re.search(r"\d{20}", text) or re.search(r"(\*\*|Pow).*\d{3}", text):
        raise Refused(f"an extent is {text[:60]!r}")
