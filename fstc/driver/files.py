"""Open what a command was given: a .fir, any stage's artefact, or a package, told apart by content.

Example: ``open_work("out/model.plan.json", Settings())`` also reads the graph and the analysis beside it,
each checked against the digest that the plan recorded. ``-`` is standard input.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fstc.codegen.artefact import Codegen
from fstc.device.device import load_device
from fstc.driver.work import HOST, Loaded, Observer, Work
from fstc.plan.artefact import Plan
from fstc.stages import DEFAULT_DEVICE, STAGES, Settings, SourceText, stage
from fstc.support.artefact import Envelope, Input, check_inputs, decode, decode_envelope, rerun_help
from fstc.support.diagnostics import Diagnostic, FstcError
from fstc.support.files import check_name, read_bytes, sha256

if TYPE_CHECKING:
    from fstc.build.package import Package

STDIN = "-"
LIMIT = 1 << 30  # bytes of an artefact
ZIP = b"PK\x03\x04"
KERNEL_LIMIT = 16 << 20


def open_work(
    path: str,
    settings: Settings,
    observer: Observer = lambda work, stage, seconds: None,
    *,
    data: bytes | None = None,
) -> Work:
    """The model in ``path``, with everything that was read from it and beside it; ``data`` where it was read before."""
    place = Path("stdin" if path == STDIN else path)
    if data is None and is_package(path):
        from fstc.build.package import Package

        with Package.open(place) as package:
            return _from_package(package, place, settings, observer)
    check_name(place)
    data = read_input(path) if data is None else data
    if data[:4] == ZIP:
        from fstc.build.package import Package

        with Package.from_bytes(data, str(place)) as package:
            return _from_package(package, place, settings, observer)
    work = Work(_stem(place.name), place.parent, settings, observer)
    if data.lstrip()[:1] == b"{":
        _only_a_fir_binds(path, settings)
        _load(work, place, data)
    else:
        work.values["source"] = SourceText(data, path, place.parent)
        work.source = Input(role="source", sha256=sha256(data), name=place.name)
    if not work.settings.device:
        work.settings = replace(work.settings, device=DEFAULT_DEVICE)
    return work


def read_input(path: str) -> bytes:
    """The content of a file or of standard input."""
    return sys.stdin.buffer.read(LIMIT) if path == STDIN else read_bytes(Path(path), LIMIT)


def is_package(path: str) -> bool:
    """Does the file hold a package? False for standard input, which cannot be read twice."""
    return path != STDIN and Path(path).is_file() and _head(Path(path)) == ZIP


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(ZIP))
    except OSError:
        return b""  # reading it all gives the message


def _stem(name: str) -> str:
    """model.fir, model.plan.json and model.fpk are all ``model``."""
    for suffix in (*(s.suffix for s in STAGES), ".json", ".fpk", ".fir"):
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return name


def _load(work: Work, path: Path, data: bytes) -> None:
    """An artefact and, first, what it was made from."""
    envelope = decode_envelope(data, str(path))
    made = next((s for s in STAGES if envelope.kind == s.writes.KIND), None)
    if made is None:
        kinds = ", ".join(s.writes.KIND for s in STAGES)
        message = f"{path} is a file of kind {envelope.kind!r}, from which no stage starts"
        raise FstcError(
            Diagnostic("FST0005", message, file=str(path), help=f"give a .fir, a package, or a file of kind {kinds}")
        )
    value = decode(data, made.writes, str(path))  # kind and version first: they explain more than a missing input
    checked = [e.role for e in envelope.inputs if e.role in made.reads or path.with_name(e.name or " ").is_file()]
    if checked:
        check_inputs(path, envelope, checked)
    for role in made.reads:
        if role not in work.values:
            sibling = path.with_name(_input_name(path, envelope, role))
            _load(work, sibling, read_bytes(sibling, LIMIT))
    if made.for_device:
        work.settings = _for_device(work.settings, envelope.device, path)
    if isinstance(value, Plan):
        from fstc.plan.check import check_plan

        check_plan(work.values["graph"], value, str(path))
    if isinstance(value, Codegen):
        work.files[made.role] = _with_maps(work, value, _kernels(path, value))
    work.keep(made, value, path)
    work.loaded[made.role] = Loaded(path.name, data)
    work.source = next((e for e in envelope.inputs if e.role == "source"), work.source)


def _input_name(path: Path, envelope: Envelope, role: str) -> str:
    name = next((e.name for e in envelope.inputs if e.role == role), "")
    if not name:
        message = f"{path.name} does not name the {role} file that it was made from"
        raise FstcError(Diagnostic("FST0007", message, help=rerun_help(envelope.kind), file=str(path)))
    return name


def _for_device(settings: Settings, device: str, path: Path) -> Settings:
    """The file decides; a device that was asked for must be the same."""
    if settings.device and load_device(settings.device).name != device:
        message = f"{path} is for {device}, not for {settings.device}"
        help = "give the .fir or its graph or analysis file, which are for no device"
        raise FstcError(Diagnostic("FST0012", message, file=str(path), help=help))
    return replace(settings, device=settings.device or device)


def _kernels(path: Path, code: Codegen) -> dict[str, str]:
    """The texts that a codegen file describes."""
    found: dict[str, str] = {}
    for kernel in code.kernels:
        parts = Path(kernel.file).parts
        if Path(kernel.file).is_absolute() or ".." in parts:
            message = f"{path.name} names a kernel outside its folder: {kernel.file!r}"
            raise FstcError(Diagnostic("FST0004", message, file=str(path), help=rerun_help("codegen")))
        data = read_bytes(path.parent / kernel.file, KERNEL_LIMIT)
        if sha256(data) != kernel.digest:
            message = f"{path.name} is stale: its kernel {kernel.file} has changed since"
            raise FstcError(Diagnostic("FST0007", message, file=str(path), help=rerun_help("codegen")))
        found[kernel.file] = data.decode("utf-8")
    return found


def _from_package(package: Package, path: Path, settings: Settings, observer: Observer) -> Work:
    """Graph, plan and kernels for one device of a package."""
    _only_a_fir_binds(str(path), settings)
    asked = settings.device
    entry = package.device(asked or package.devices[0])
    work = Work(_stem(path.name), path.parent, Settings(device=entry.name), observer)
    contents: Mapping[str, bytes] = {
        "graph": package.graph(),
        "plan": package.plan(entry),
        "codegen": package.read(entry.codegen),
    }
    for role, data in contents.items():
        made = stage(role)
        name = f"{role}.json"
        work.keep(made, decode(data, made.writes, f"{path}: {name}"), path.with_name(name))
        work.loaded[role] = Loaded(name, data)
        inputs = decode_envelope(data, name).inputs
        work.source = next((e for e in inputs if e.role == "source"), work.source)
    work.files["codegen"] = _with_maps(work, work.values["codegen"], package.sources(entry))
    work.packaged = package.files(entry, HOST)
    return work


def _with_maps(work: Work, code: Codegen, sources: Mapping[str, str]) -> dict[str, str]:
    """Maps are made anew: they follow from the graph and the kernels, also from edited ones."""
    from fstc.codegen.maps import kernel_maps

    return {**sources, **kernel_maps(work.values["graph"], code, sources)}


def _only_a_fir_binds(path: str, settings: Settings) -> None:
    if settings.binds:
        message = f"{path} is no .fir: extents are bound where a .fir is read"
        raise FstcError(Diagnostic("FST0013", message, file=path, help="give the .fir, or leave --bind away"))
