"""The host target's library: compiled from a model's kernels, or the one that a package brought along.

Example: ``host_library(work, folder, Toolbox(cache)).launch(symbol, buffers, order="reverse")``.

Kernels run as native code on the host, so those of a package are not simply believed. They are generated once more
from the package's graph and plan; only the same text is compiled. ``trust`` is for packages whose origin is
known: it takes their kernels as they are and saves compiling where the package has a library for this machine.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fstc.build.cache import Cache
from fstc.build.host import HostKernel, compile_host, find_compiler
from fstc.build.host_library import HostLibrary
from fstc.build.host_unit import balance, unit_source
from fstc.codegen.artefact import Codegen
from fstc.driver.work import HOST, Work
from fstc.stages import stage
from fstc.support.diagnostics import Diagnostic, FstcError
from fstc.support.files import sha256

ABOUT = "about.json"
LIBRARIES = {False: "library.so", True: "checked.so"}  # by whether the checker is in it
UNITS = 2  # translation units of a packaged library: a package must not depend on who builds it


@dataclass(frozen=True)
class Toolbox:
    """What compiling for a target takes; ``compiler`` is the C++ compiler that was asked for."""

    cache: Cache
    jobs: int = 2
    compiler: str | None = None
    trust: bool = False  # run native code of a package


def host_library(work: Work, folder: Path, tools: Toolbox, *, checked: bool = False) -> HostLibrary:
    """All kernels of a model, compiled for the CPU. ``folder`` must outlive the library."""
    kernels = host_kernels(work)
    if work.packaged is not None:
        if not tools.trust:
            _require_own_kernels(work)
        elif _fits(work.packaged, checked):
            path = folder / LIBRARIES[checked]
            path.write_bytes(work.packaged[LIBRARIES[checked]])
            return HostLibrary(path, kernels, checked=checked)
    tool = find_compiler(tools.compiler)
    jobs = tools.jobs if work.packaged is None else UNITS  # as `build --host` compiled it: from its cache, then
    return compile_host(kernels, folder, checked=checked, cache=tools.cache, jobs=jobs, compiler=tool)


def host_kernels(work: Work) -> list[HostKernel]:
    """The kernels as the host target takes them."""
    code: Codegen = work.value("codegen")
    texts = work.texts("codegen")
    return [
        HostKernel(k.symbol, texts[k.file], grid=k.grid, block=k.block, shared=k.shared, params=len(k.params))
        for k in code.kernels
    ]


def host_files(work: Work, tools: Toolbox) -> dict[str, bytes]:
    """What a package keeps for the host: both libraries, the units they were compiled from, and for whom."""
    kernels = host_kernels(work)
    if work.packaged is not None and not tools.trust:
        _require_own_kernels(work)
    tool = find_compiler(tools.compiler)
    files = {f"unit{i}.cpp": text.encode() for i, text in enumerate(_units(kernels))}
    with TemporaryDirectory(prefix="fstc-") as folder:
        for checked, name in LIBRARIES.items():
            made = compile_host(kernels, Path(folder), checked=checked, cache=tools.cache, jobs=UNITS, compiler=tool)
            files[name] = made.path.read_bytes()
    libraries = {name: sha256(files[name]) for name in LIBRARIES.values()}
    about = {**_machine(), "compiler": tool.name, "libraries": libraries}
    files[ABOUT] = (json.dumps(about, indent=1, sort_keys=True) + "\n").encode()
    return {f"{HOST}/{name}": content for name, content in files.items()}


def _units(kernels: Sequence[HostKernel]) -> list[str]:
    return [unit_source(group) for group in balance(kernels, UNITS)]


def _machine() -> dict[str, str]:
    """What a library must have in common with the machine that loads it."""
    return {"machine": platform.machine(), "system": platform.system(), "libc": platform.libc_ver()[0]}


def _fits(files: Mapping[str, bytes], checked: bool) -> bool:
    """Is there a library for this machine?"""
    if LIBRARIES[checked] not in files or ABOUT not in files:
        return False
    try:
        about = json.loads(files[ABOUT])
    except ValueError:
        return False
    return isinstance(about, dict) and _machine().items() <= about.items()


def _require_own_kernels(work: Work) -> None:
    """Refuse kernels that differ from what this fstc generates for the package's graph and plan."""
    made = stage("codegen")
    fresh = made.run({role: work.value(role) for role in made.reads}, work.settings)
    texts = work.texts("codegen")
    code: Codegen = work.value("codegen")
    strange = [k.name for k in code.kernels if fresh.files.get(k.file) != texts[k.file]]
    if strange:
        message = f"the package's kernel {strange[0]} is not what this fstc generates from its plan"
        help = "build the package again from its .fir; or, where you know who made it, run it with --trust"
        raise FstcError(Diagnostic("FST0523", message, help=help))
