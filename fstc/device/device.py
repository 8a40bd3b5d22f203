"""A device as the planner and the builder see it: limits, rates and overheads.

Example: ``load_device("h200").sms == 132``; ``load_device("boards/mine.yaml")`` reads a file of the same
form. The five files beside this module are the reference for their keys; each figure carries its source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from fstc.support.diagnostics import Diagnostic, FstcError, Label
from fstc.support.files import read_bytes
from fstc.support.yaml_events import Items, Mapping, Node, Scalar, decode_text, kind_of, read_fields, read_yaml

FOLDER = Path(__file__).parent
FILE_LIMIT = 1 << 16  # bytes; a description has about 2,500
CODE = "FST0010"


@dataclass(frozen=True, kw_only=True)
class Device:
    """One accelerator. Sizes are bytes, times microseconds, rates GB/s or results a clock and SM.

    :func:`figures` lists every number by name.
    """

    name: str
    title: str  # as the driver calls it
    arch: str  # "sm_90"
    sms: int
    clock_ghz: float
    warp_size: int
    schedulers: int  # a SM; also the partitions of its register file
    max_threads_per_sm: int
    max_threads_per_block: int
    max_blocks_per_sm: int
    max_cluster_blocks: int  # 1: no clusters
    registers_per_sm: int
    registers_per_block: int
    registers_per_thread_max: int
    register_alloc_unit: int
    shared_per_sm: int
    shared_per_block_max: int
    shared_reserved: int
    shared_alloc_unit: int
    shared_bytes_per_clock: int
    dram_bytes: int
    dram_gbps: float  # what a copy reaches, bytes read and written
    dram_latency_us: float
    l2_bytes: int
    l2_gbps: float
    fp32_per_clock: int
    fp64_per_clock: int
    int32_per_clock: int
    sfu_per_clock: int
    convert_per_clock: int
    convert64_per_clock: int
    shuffle_per_clock: int
    launch_us: float
    barrier_us: float
    grid_barrier_us: float

    # The model: what the paper leaves open, and what was fitted (docs/planning.md, "How good the model is")
    row_threads: tuple[int, ...]  # launch candidates: threads along a row that is reduced
    block_warps: tuple[int, ...]  # warps a block, otherwise
    column_lanes: tuple[int, ...]  # lanes along the kept axis of a column reduction
    column_warps: tuple[int, ...]  # warps down its reduced axis
    flat_serial: tuple[int, ...]  # serial steps of a kernel without reductions
    issue_light: float  # issue slots an element, by cost class of the op table
    issue_expensive: float
    issue_reduce: float
    issue_move: float
    issue_address: float  # of a load
    in_flight_bytes: int  # an SM must have outstanding for the full rate
    exposed_share: float  # of its time that a short phase leaves the memory idle at 16 resident warps an SM
    registers_base: float  # of a thread, whatever it does
    registers_tensor: float  # for each access in the widest nest: its address
    registers_loaded: float  # for each register of loaded vectors
    registers_alive: float  # for each register of values that are alive at a time
    registers_partial: float  # for each register of a partial result
    delta_registers: int  # a thread, as the delta-evaluator assumes
    delta_call_us: float  # saved for each launch less
    delta_register_us_per_mb: float  # saved for each MB that stays in registers
    delta_shared_us_per_mb: float  # saved for each MB that stays in shared memory

    @property
    def warps_per_sm(self) -> int:
        return self.max_threads_per_sm // self.warp_size

    @property
    def compute_capability(self) -> tuple[int, int]:
        number = int(self.arch.removeprefix("sm_"))
        return number // 10, number % 10


ZERO_ALLOWED = frozenset({"shared_reserved"})
LIST = "tuple[int, ...]"
MOST_LISTED = 16


def figures(device: Device) -> dict[str, float]:
    """Every number of a description by its key, those of a list by ``key[0]``, ``key[1]``, ..."""
    found: dict[str, float] = {}
    for field in fields(Device):
        value = getattr(device, field.name)
        if field.type == LIST:
            found |= {f"{field.name}[{n}]": float(item) for n, item in enumerate(value)}
        elif field.type in ("int", "float"):
            found[field.name] = float(value)
    return found


def device_names() -> tuple[str, ...]:
    """The devices that ship with fstc."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load_device(name: str | Path) -> Device:
    """A shipped device by name, or a description by path (anything with a separator or ``.yaml``)."""
    text = str(name)
    if isinstance(name, Path) or "/" in text or text.endswith((".yaml", ".yml")):
        return parse_device(read_bytes(Path(text), FILE_LIMIT), text)
    return _shipped(text)


@cache
def _shipped(name: str) -> Device:
    known = device_names()
    if name not in known:
        message = f"there is no device called {name!r}"
        help = f"known: {', '.join(known)}; or give the path of a .yaml description"
        raise FstcError(Diagnostic("FST0011", message, help=help))
    path = FOLDER / f"{name}.yaml"
    return parse_device(path.read_bytes(), path.name)


def parse_device(data: bytes, file: str) -> Device:
    """A checked device; every problem of the file is reported in one run, each at its place."""
    source = decode_text(data, file, CODE)
    types = {f.name: str(f.type) for f in fields(Device)}
    root = read_yaml(source, CODE)
    if not isinstance(root, Mapping) or not root.entries:
        raise FstcError(Diagnostic(CODE, f"{file} is no mapping of keys to figures", file=file))
    given, problems = read_fields(root, types, "a device", CODE)
    values: dict[str, Any] = {}
    for key, entry in given.items():
        values[key], why = _typed(key, entry.value, types[key])
        if why:
            problems.append(Diagnostic(CODE, f"{key}: {why}", Label(entry.value.span)))
    missing = [key for key in types if key not in values]
    if missing:
        problems.append(Diagnostic(CODE, f"{file} lacks {', '.join(missing)}", file=file))
    if problems:
        raise FstcError(*problems)
    return Device(**values)


def _typed(key: str, value: Node, kind: str) -> tuple[Any, str]:
    """The value, and what is wrong with it if anything is."""
    if kind == LIST:
        if not isinstance(value, Items) or not 0 < len(value.items) <= MOST_LISTED:
            return None, f"a list of 1 to {MOST_LISTED} whole numbers is needed, for example [1, 2, 4]"
        typed = [_typed(key, item, "int") for item in value.items]
        return tuple(item for item, _ in typed), next((why for _, why in typed if why), "")
    if not isinstance(value, Scalar):
        return None, f"one value is needed, not {kind_of(value)}"
    text = value.text
    if kind == "str":
        if key == "arch" and not re.fullmatch(r"sm_[1-9][0-9]{1,2}", text):
            return None, f"{text!r} is no architecture such as sm_90"
        if key == "name" and not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", text):
            return None, "a name has at most 32 lower-case letters, digits, - and _"
        return (text, "") if text else (None, "it is empty")
    pattern = r"\d{1,18}" if kind == "int" else r"\d{1,12}(\.\d{1,12})?"
    if not re.fullmatch(pattern, text, re.ASCII):
        return None, f"{text!r} is no {'whole' if kind == 'int' else 'decimal'} number, 0 or more"
    number: int | float = int(text) if kind == "int" else float(text)
    if number == 0 and key not in ZERO_ALLOWED:
        return None, "it cannot be 0"
    return number, ""
