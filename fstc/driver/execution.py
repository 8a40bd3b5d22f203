"""Run and verify a model on a target: host (the CPU, kernel for kernel), cuda, or reference (NumPy).

Example::

    outputs = run_model(work, "host", feeds, Toolbox(cache))
    found = verify_model(work, "host", VerifyOptions(seeds=(0,)), Toolbox(cache))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from fstc.build.host_fault import HostFault
from fstc.build.host_library import ORDERS, HostLibrary
from fstc.build.package import Package
from fstc.codegen.artefact import Codegen, Step
from fstc.driver.files import is_package
from fstc.driver.host import Toolbox, host_library
from fstc.driver.package import BuildOptions, build_package
from fstc.driver.work import Work
from fstc.ir.constants import ConstantStore
from fstc.ir.reference import evaluate
from fstc.runtime.artefact import Verification
from fstc.runtime.inputs import load_inputs
from fstc.runtime.memory import fitting
from fstc.runtime.run import Array, Feeds, Launcher, LaunchFault, execute
from fstc.runtime.verify import Counted, Peer, VerifyOptions, verify
from fstc.support.diagnostics import Diagnostic, FstcError

TARGETS = ("host", "reference", "cuda")


def default_target() -> str:
    """cuda where a driver answers, else the host."""
    from fstc.runtime.cuda_driver import require_driver

    try:
        require_driver()
    except FstcError:
        return "host"
    return "cuda"


def device_at_hand() -> str:
    """The description that fits the GPU here, by architecture and then by the number of SMs."""
    from fstc.device.device import device_names, load_device
    from fstc.runtime.cuda_driver import Session

    with Session() as session:
        arch, sms, title = session.arch, session.sms, session.title
    fits = [d for d in map(load_device, device_names()) if d.arch == arch]
    if not fits:
        help = "describe it in a .yaml as fstc/device does, and give --device FILE"
        raise FstcError(Diagnostic("FST0011", f"no description fits {title} ({arch}, {sms} SMs)", help=help))
    return min(fits, key=lambda d: (d.title != title, abs(d.sms - sms), d.name)).name


def device_for(target: str, path: str) -> str:
    """What a run is planned for when nobody said: on a GPU that GPU; "" leaves it to the file, or to the default.

    A package brings code for its own devices: the one that fits best is used.
    """
    if target != "cuda":
        return ""
    if not is_package(path):
        return device_at_hand() if Path(path).suffix == ".fir" else ""
    from fstc.runtime.cuda_driver import Session

    with Session() as session, Package.open(Path(path)) as package:
        entry, _ = package.choose(session.arch, session.sms, session.shared_per_block_max, session.title)
        return entry.name


def run_model(work: Work, target: str, feeds: Feeds, tools: Toolbox, package: Path | None = None) -> dict[int, Array]:
    """The outputs by value id. ``package`` is the file that ``work`` came from, when it is one."""
    graph, constants = work.value("graph"), ConstantStore(work.folder)
    if target == "reference":
        return dict(evaluate(graph, feeds, constants))
    with launchers(work, target, tools, ("forward",), package) as (first, *_):
        launcher = first[1]
        if hasattr(launcher, "run"):  # a GPU keeps values in its own memory between steps
            return dict(launcher.run(feeds))
        values = execute(graph, work.value("codegen"), launcher, feeds, constants)
    return {v: values[v] for v in graph.outputs}


def verify_model(
    work: Work,
    target: str,
    options: VerifyOptions,
    tools: Toolbox,
    *,
    orders: Sequence[str] = ORDERS,
    check: bool = True,
    package: Path | None = None,
    inputs: Path | None = None,
    peer: tuple[str, Peer] | None = None,
) -> Verification:
    """Every kernel in every order, and with ``check`` under the checker, against the oracle.

    ``inputs``: a file of them instead of random ones. ``peer``: see :mod:`fstc.driver.peers`.
    """
    graph, constants = work.value("graph"), ConstantStore(work.folder)
    with fitting(graph):
        plan, code = work.value("plan"), work.value("codegen")
        with launchers(work, target, tools, orders, package) as found, checkers(work, tools, check, target) as checker:
            given = load_inputs(inputs, graph) if inputs else None
            more: dict[str, Any] = {"constants": constants, "checker": checker, "given": given, "peer": peer}
            verified = verify(graph, plan, code, dict(found), options, target=target, **more)
            return msgspec.structs.replace(verified, inputs=inputs.name if inputs else "")


@contextmanager
def launchers(
    work: Work, target: str, tools: Toolbox, orders: Sequence[str], package: Path | None
) -> Iterator[list[tuple[str, Launcher]]]:
    """Named launchers of a target; the host has one a thread order."""
    if target == "cuda":
        from fstc.runtime.cuda import CudaRunner

        cubins = _cubins(work, tools, package)
        constants = ConstantStore(work.folder)
        with CudaRunner(work.value("graph"), work.value("codegen"), cubins, constants=constants) as runner:
            yield [("cuda", runner)]
        return
    with TemporaryDirectory(prefix="fstc-") as folder:
        library = host_library(work, Path(folder), tools)
        code = work.value("codegen")
        yield [(order, HostLauncher(library, code, order)) for order in orders]


@contextmanager
def checkers(work: Work, tools: Toolbox, wanted: bool, target: str) -> Iterator[HostChecker | None]:
    """The checker of the host target, where it is wanted."""
    if not wanted or target != "host":
        yield None
        return
    with TemporaryDirectory(prefix="fstc-") as folder:
        library = host_library(work, Path(folder), tools, checked=True)
        yield HostChecker(library, work.value("codegen"), _names(work))


@dataclass(frozen=True)
class HostLauncher:
    """Runs kernels of a host library in one thread order."""

    library: HostLibrary
    codegen: Codegen
    order: str

    def launch(self, kernel: int, buffers: Sequence[Array]) -> None:
        code = self.codegen.kernels[kernel]
        try:
            self.library.launch(code.symbol, buffers, order=self.order)
        except HostFault as error:
            raise LaunchFault(code.name, error.kind, str(error)) from None


@dataclass(frozen=True)
class HostChecker:
    """Runs a step's kernel in the checked library."""

    library: HostLibrary
    codegen: Codegen
    names: Mapping[int, str]

    def check(self, step: Step, buffers: Sequence[Array]) -> Counted:
        code = self.codegen.kernels[step.kernel]
        reads, writes = iter(step.reads), iter(step.writes)
        values = [next(reads) if p.mode == "read" else next(writes) for p in code.params]
        names = [self.names.get(v, f"scratch {v}") for v in values]
        report = self.library.check(code.symbol, buffers, names, [p.mode != "write" for p in code.params])
        fault = LaunchFault(code.name, report.fault.kind, str(report.fault)) if report.fault else None
        return Counted(report.bytes, report.l2_bytes, fault)


def _names(work: Work) -> dict[int, str]:
    return {v.id: f"%{v.name}" for v in work.value("graph").values}


def _cubins(work: Work, tools: Toolbox, package: Path | None) -> dict[str, bytes]:
    """Compiled kernels by symbol: those of the package, or made now."""
    device = work.settings.device
    if package:
        with Package.open(package) as there:
            return there.cubins(there.device(device))
    built = build_package(work, (device,), BuildOptions(jobs=tools.jobs), tools.cache)
    with Package.from_bytes(built.package) as made:
        return made.cubins(made.device())


def outputs_by_name(work: Work, values: Mapping[int, Any]) -> dict[str, Any]:
    """Outputs under the names that the .fir gives them; a value returned twice counts once."""
    graph = work.value("graph")
    return {graph.values[v].name: values[v] for v in graph.outputs}
