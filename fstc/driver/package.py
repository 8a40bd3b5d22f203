"""Build a package: the model planned and generated for every device asked for, compiled, packed.

Example::

    built = build_package(work, ("h200", "a100"), BuildOptions(), Cache.open())
    write_atomic(Path("model.fpk"), built.package)

Inside a package files have fixed names, so its bytes do not depend on what the artefacts were called on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fstc.build.artefact import Round
from fstc.build.cache import Cache
from fstc.build.compile import Compiler, Report
from fstc.build.nvrtc import prelude
from fstc.build.run import Built, ConstantsFile, DeviceBuild, build
from fstc.device.device import load_device
from fstc.driver.replan import replan
from fstc.driver.work import Work
from fstc.ir.constants import ConstantStore
from fstc.ir.graph import Graph
from fstc.stages import STAGES
from fstc.support.files import read_bytes, sha256

if TYPE_CHECKING:
    from fstc.driver.host import Toolbox

MAP = ".map.json"
INSIDE = {stage.role: f"{stage.role}.json" for stage in STAGES}


@dataclass(frozen=True)
class BuildOptions:
    """``jobs`` 0: one a core. ``frozen``: only what is in the cache."""

    ptx: bool = False
    jobs: int = 0
    frozen: bool = False
    embed_constants: bool = False
    bundle: Path | None = None
    host: Toolbox | None = None  # also put the host libraries in, made with these
    replan: bool = False  # plan again where the compiler needed more than planned


def build_package(
    work: Work,
    devices: Sequence[str],
    options: BuildOptions,
    cache: Cache,
    report: Report | None = None,
) -> Built:
    """One plan and one set of cubins a device."""
    parts = []
    for name in devices:
        there = work.on(name)
        rounds: tuple[Round, ...] = ()
        if options.replan:
            there, rounds = replan(there, name, compiler(options, cache), options.jobs, options.frozen)
        there = replace(there, loaded={})  # encode anew: an edited file keeps its meaning, not its layout
        maps = {name: text.encode() for name, text in there.texts("codegen").items() if name.endswith(MAP)}
        parts.append(
            DeviceBuild(
                device=load_device(name),
                plan=there.encoded("plan", INSIDE),
                codegen=there.encoded("codegen", INSIDE),
                sources=there.texts("codegen"),
                rounds=rounds,
                files={**maps, **_host_files(there, options.host)},
            )
        )
    return build(
        replace(work, loaded={}).encoded("graph", INSIDE),
        parts,
        ptx=options.ptx,
        constants=constants_files(work.value("graph"), work.folder, options.embed_constants),
        jobs=options.jobs,
        cache=cache,
        frozen=options.frozen,
        progress=report,
        bundle=options.bundle,
    )


def compiler(options: BuildOptions, cache: Cache) -> Compiler:
    """As :func:`build` compiles: with a cache, what is planned again is compiled once."""
    return Compiler(headers=prelude(), ptx=options.ptx, cache=cache, bundle=options.bundle)


def _host_files(work: Work, tools: Toolbox | None) -> dict[str, bytes]:
    if tools is None:
        return {}
    from fstc.driver.host import host_files  # a tenth of a warm build

    return host_files(work, tools)


def constants_files(graph: Graph, folder: Path, embed: bool) -> tuple[ConstantsFile, ...]:
    """The constants files that a graph names, with their digests."""
    data = (node.attr("data") for node in graph.nodes if not node.inputs)
    names = sorted({text.partition(":")[0] for text in data if text})
    found = []
    for name in names:
        content = read_bytes(ConstantStore(folder).path(name))
        found.append(
            ConstantsFile(name=name, sha256=sha256(content), size=len(content), content=content if embed else None)
        )
    return tuple(found)
