"""Targets: turn a model's kernels into something that runs, on the host or on a GPU.

Example: ``host_runners(work, folder, cache, ("forward",), checked=True)`` gives one runner a thread order and the
checker's, whose ``check`` also counts traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fstc.build.cache import Cache
from fstc.build.host import HostKernel, HostLibrary, compile_host, find_compiler
from fstc.build.host_fault import HostFault
from fstc.codegen.artefact import Codegen
from fstc.driver.work import Work
from fstc.runtime.run import LaunchFault

ORDERS = ("forward", "reverse", "warp-forward", "warp-reverse")
TARGETS = ("host", "reference", "cuda")


@dataclass(frozen=True)
class HostLauncher:
    """Runs kernels of a host library in one thread order; see ``runtime.run.Launcher``."""

    library: HostLibrary
    codegen: Codegen
    order: str = "forward"

    def launch(self, kernel: int, buffers: Sequence[Any]) -> None:
        code = self.codegen.kernels[kernel]
        try:
            self.library.launch(code.symbol, buffers, order=self.order)
        except HostFault as error:
            raise LaunchFault(code.name, error.kind, str(error)) from None


def host_library(
    work: Work, folder: Path, cache: Cache, *, checked: bool = False, jobs: int = 2, compiler: str | None = None
) -> HostLibrary:
    """All kernels of a model, compiled for the CPU. ``folder`` must outlive the library."""
    code: Codegen = work.value("codegen")
    texts = work.texts("codegen")
    kernels = [
        HostKernel(k.symbol, texts[k.file], grid=k.grid, block=k.block, shared=k.shared, params=len(k.params))
        for k in code.kernels
    ]
    tool = find_compiler(compiler) if compiler else None
    return compile_host(kernels, folder, checked=checked, cache=cache, jobs=jobs, compiler=tool)
