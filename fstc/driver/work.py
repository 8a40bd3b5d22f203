"""Work: the artefacts of one model, made on demand by running stages.

Example::

    work = open_work("model.fir", Settings(device="h200"))
    plan = work.value("plan")                     # runs parse, analyze and plan
    work.write("plan", Path("out/model.plan.json"))

A stage always reads what it would read from a file: what the stage before made goes through its encoded form, so
that stage by stage and in one go are the same bytes. Nothing here prints; the observer is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from fstc.device.device import load_device
from fstc.plan.options import PlanOptions
from fstc.stages import STAGES, Settings, Stage, stage
from fstc.support.artefact import Artefact, Input, decode, encode
from fstc.support.diagnostics import Diagnostic, FstcError
from fstc.support.files import check_name, make_folder, sha256, write_atomic
from fstc.support.options import as_dict
from fstc.support.profile import timed

HOST = "host"  # folder of a package, below the device's
Observer = Callable[["Work", Stage, float], None]
"""Told after each stage: the work so far, the stage, its seconds."""


@dataclass(frozen=True)
class Loaded:
    """An artefact that came from a file: its own bytes count, whoever wrote or edited them."""

    name: str
    data: bytes


@dataclass
class Work:
    """``values`` holds what stages read, by role; ``loaded`` the files that some of them came from."""

    stem: str
    folder: Path  # constants files are looked up here
    settings: Settings
    observer: Observer = lambda work, stage, seconds: None
    source: Input = field(default_factory=lambda: Input(role="source", sha256=""))  # the .fir that the graph came from
    values: dict[str, Any] = field(default_factory=dict)
    artefacts: dict[str, Artefact] = field(default_factory=dict)  # the values as files hold them, by role
    files: dict[str, Mapping[str, str]] = field(default_factory=dict)  # texts beside an artefact, by role
    loaded: dict[str, Loaded] = field(default_factory=dict)
    packaged: Mapping[str, bytes] | None = None  # from a package: its files for the host target, by name
    _encoded: dict[tuple[str, ...], bytes] = field(default_factory=dict, init=False)  # by role and file names

    def value(self, role: str) -> Any:
        """The value of a role, running the stages up to it."""
        if role not in self.values:
            self._run(stage(role))
        return self.values[role]

    def texts(self, role: str) -> Mapping[str, str]:
        """What lies beside an artefact: the kernels of codegen and their maps, by file name."""
        self.value(role)
        return self.files.get(role, {})

    def encoded(self, role: str, names: Mapping[str, str]) -> bytes:
        """The file content of a role whose inputs lie beside it under ``names``."""
        self.value(role)
        key = (role, *names.values())
        if key not in self._encoded:
            self._encoded[key] = self._encode(stage(role), names)
        return self._encoded[key]

    def _encode(self, made: Stage, names: Mapping[str, str]) -> bytes:
        role = made.role
        file = self.loaded.get(role)
        if file and file.name == names[role]:
            return file.data
        if made.reads:
            inputs = [Input(role=r, sha256=sha256(self.encoded(r, names)), name=names[r]) for r in made.reads]
        else:
            inputs = [self.source]
        device = load_device(self.settings.device).name if made.for_device else ""
        options = as_dict(self.settings.plan) if role == "plan" else {}
        with timed("encode"):
            return encode(self.artefacts[role], device=device, inputs=inputs, options=options)

    def names(self, stem: str) -> dict[str, str]:
        """File names of all roles; what was read from a file keeps its name."""
        return {s.role: f"{stem}{s.suffix}" for s in STAGES} | {r: file.name for r, file in self.loaded.items()}

    def write(self, role: str, path: Path) -> None:
        """Write an artefact, and beside it what it was made from, so that the next command finds it."""
        for target, data in self.contents(
            role, path
        ).items():  # made before the first is written: a refusal leaves none
            _write_changed(target, data)

    def contents(self, role: str, path: Path) -> dict[Path, bytes]:
        """What ``write`` writes. Inputs come first: a reader that sees the artefact sees them too."""
        check_name(path)
        names = self.names(path.name.removesuffix(stage(role).suffix).removesuffix(".json")) | {role: path.name}
        contents: dict[Path, bytes] = {}
        for needed in self._sources(role):
            contents |= {path.parent / name: text.encode() for name, text in self.texts(needed).items()}
            contents[path.with_name(names[needed])] = self.encoded(needed, names)
        return contents

    def on(self, device: str) -> Work:
        """The same model for another device; what does not depend on one is shared, not made again."""
        if device == self.settings.device:
            return self
        for made in STAGES:
            if made.for_device and made.role in self.loaded:
                name = self.loaded[made.role].name
                message = f"{name} is for {self.settings.device}, not for {device}"
                help = "give the .fir or its graph or analysis file, which are for no device"
                raise FstcError(Diagnostic("FST0012", message, file=name, help=help))
        return self._anew(replace(self.settings, device=device))

    def asked(self, options: PlanOptions) -> Work:
        """The same model planned with other options, whatever plan was read; what comes before a plan is shared."""
        return self._anew(replace(self.settings, plan=options))

    def _anew(self, settings: Settings) -> Work:
        """With other settings: from the plan on, everything is made again."""
        for made in STAGES:
            if not made.for_device:
                self.value(made.role)
        gone = _device_roles()
        values = {role: value for role, value in self.values.items() if role not in gone}
        artefacts = {role: artefact for role, artefact in self.artefacts.items() if role in values}
        loaded = {role: file for role, file in self.loaded.items() if role not in gone}
        return replace(self, settings=settings, values=values, artefacts=artefacts, loaded=loaded, files={})

    def _run(self, made: Stage) -> None:
        values = {role: self.value(role) for role in made.reads} | {"source": self.values.get("source")}
        start = perf_counter()
        with timed(made.name):
            output = made.run(values, self.settings)
        seconds = perf_counter() - start
        name = self.names(self.stem)[made.role]
        self.files[made.role] = output.files
        with timed("encode"):
            data = encode(made.pack(output.value))
        del output  # with large graphs the file form and the value need not be there at once
        with timed("decode"):
            self.keep(made, decode(data, made.writes, name), self.folder / name)
        self.observer(self, made, seconds)

    def keep(self, made: Stage, artefact: Artefact, path: Path) -> None:
        """Take an artefact as a file holds it; ``path`` is the file's."""
        self.artefacts[made.role] = artefact
        self.values[made.role] = made.unpack(artefact, path)

    def _sources(self, role: str) -> list[str]:
        """The roles that an artefact rests on, itself last."""
        found: list[str] = []
        for read in stage(role).reads:
            found += [r for r in self._sources(read) if r not in found]
        return [*found, role]


def _write_changed(path: Path, data: bytes) -> None:
    """Leave a file alone that holds just this, such as the one that was read."""
    if not path.is_file() or path.read_bytes() != data:
        make_folder(path.parent)
        write_atomic(path, data)


def _device_roles() -> frozenset[str]:
    return frozenset(s.role for s in STAGES if s.for_device)
