"""Read what is to be compared: two plans, two packages, or models that are planned first.

Example: ``compare_files("base.plan.json", "model.fir", Settings())`` plans the model for the plan's device. A plan
stands alone here: the files that it was made from need not lie beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fstc import __version__
from fstc.driver.files import ZIP, is_package, open_work, read_input
from fstc.driver.work import Work
from fstc.plan.artefact import Plan
from fstc.report.diff.compare import compare
from fstc.report.diff.model import Context, Diff
from fstc.report.diff.side import Built, Side
from fstc.stages import Settings
from fstc.support.artefact import decode, decode_envelope
from fstc.support.diagnostics import Diagnostic, FstcError
from fstc.support.options import as_dict

if TYPE_CHECKING:
    from fstc.build.package import Package

PLAN, PACKAGE, SOURCE = "plan", "package", "source"
MODELS = (SOURCE, "graph", "analysis")  # what a plan is made from
COMPARABLE = "plans, packages, and models (.fir, graph or analysis files), which are planned first"


@dataclass(frozen=True)
class Given:
    """A file of the command line, read; ``data`` of a package is left where it is."""

    path: str
    kind: str
    data: bytes = b""


def compare_files(old: str, new: str, settings: Settings, only: str = "") -> Diff:
    """``settings`` are for models: their bindings, and the device where the other side is no plan."""
    sides = given(old), given(new)
    for one in sides:
        _refuse_kind(one)
    kinds = [one.kind for one in sides]
    if kinds.count(PACKAGE) == 1:
        message = f"{old} is a {kinds[0]} file, {new} a {kinds[1]} file"
        help = "give two packages, or two of plan, .fir, graph and analysis; a package's plan is planned from its .fir"
        raise FstcError(Diagnostic("FST0701", message, file=new, help=help))
    if PACKAGE in kinds:
        return _packages(*sides, only)
    if not settings.device:
        settings = replace(settings, device=next((_plan(s).plan.device for s in sides if s.kind == PLAN), ""))
    return compare(PLAN, {"": (_side(sides[0], settings), _side(sides[1], settings))}, only)


def against(old: Given, work: Work) -> Diff:
    """What a model that was just planned changes."""
    return compare(PLAN, {"": (_side(old, work.settings), planned(work))})


def given(path: str) -> Given:
    """The file and its kind, told by content; whether it can be compared shows later."""
    if is_package(path):
        return Given(path, PACKAGE)
    data = read_input(path)
    if data[: len(ZIP)] == ZIP:
        return Given(path, PACKAGE, data)
    return Given(path, decode_envelope(data, path).kind if data.lstrip()[:1] == b"{" else SOURCE, data)


def given_plan(path: str) -> Given:
    """One that a plan can be compared with."""
    found = given(path)
    _refuse_kind(found)
    if found.kind == PACKAGE:
        message = f"{path} is a package, and a plan is no package"
        help = "build the model and give `fstc diff` both packages"
        raise FstcError(Diagnostic("FST0701", message, file=path, help=help))
    return found


def planned(work: Work) -> Side:
    plan: Plan = work.value(PLAN)
    return Side(plan, f"fstc {__version__}", Plan.VERSION, as_dict(work.settings.plan))


def _refuse_kind(file: Given) -> None:
    if file.kind in (PLAN, PACKAGE, *MODELS):
        return
    message = f"{file.path} is a {file.kind} file, which is not compared"
    raise FstcError(Diagnostic("FST0005", message, file=file.path, help=f"fstc diff compares {COMPARABLE}"))


def _side(file: Given, settings: Settings) -> Side:
    if file.kind == PLAN:
        return _plan(file)
    if file.kind != SOURCE:
        settings = replace(settings, binds={})  # for the other side, a .fir
    return planned(open_work(file.path, settings, data=file.data))


def _plan(file: Given) -> Side:
    return _side_of(file.data, file.path)


def _side_of(data: bytes, name: str, built: Built | None = None) -> Side:
    plan = decode(data, Plan, name)
    envelope = decode_envelope(data, name)
    return Side(plan, envelope.tool, envelope.format_version, envelope.options, built)


def _packages(old: Given, new: Given, only: str) -> Diff:
    with ExitStack() as stack:
        left, right = (stack.enter_context(_package(file)) for file in (old, new))
        both = [name for name in left.devices if name in right.devices]
        sides = {name: (_built(left, name), _built(right, name)) for name in both}
        return compare(PACKAGE, sides, only, _package_context(left, right))


def _package(file: Given) -> Package:
    from fstc.build.package import Package

    return Package.from_bytes(file.data, file.path) if file.data else Package.open(Path(file.path))


def _built(package: Package, device: str) -> Side:
    entry = package.device(device)
    sources = {k.symbol: package.read(k.source).decode("utf-8", "replace") for k in entry.kernels}
    built = Built(package.codegen(entry), {k.symbol: k for k in entry.kernels}, sources)
    return _side_of(package.plan(entry), f"{package.name}: {entry.plan}", built)


def _package_context(old: Package, new: Package) -> Iterator[Context]:
    def told(what: str, left: Any, right: Any) -> Iterator[Context]:
        if left != right:
            yield Context(what, "", left, right)

    yield from told("compiler", old.manifest.compiler, new.manifest.compiler)
    yield from told("compiler options", " ".join(old.manifest.options), " ".join(new.manifest.options))
    for name in dict.fromkeys((*old.devices, *new.devices)):
        here, there = ("built" if name in side.devices else None for side in (old, new))
        if here != there:
            yield Context("code for", name, here, there, counts=True)
