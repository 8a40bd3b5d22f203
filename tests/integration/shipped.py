"""The kernels that ship, at extents that the host target can check.

A sample is planned at its real extents and the plan carried over to ``SHIP``: the same placements, schemes and carriers
on a smaller grid. Example: ``verify_on_host(ship("softmax_mask", "h200"), libraries).ok``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import pytest
from filelock import FileLock

from fstc.analysis.run import analyze
from fstc.build.cache import Cache
from fstc.build.host import HostKernel, HostLibrary, compile_host
from fstc.build.host_library import ORDERS
from fstc.codegen.artefact import Codegen
from fstc.codegen.run import generate
from fstc.device.device import load_device
from fstc.driver.execution import HostChecker, HostLauncher
from fstc.ir.graph import Graph
from fstc.ir.parser import parse_file
from fstc.plan.artefact import Plan
from fstc.plan.run import make_plan
from fstc.plan.transfer import transfer_plan
from fstc.runtime.artefact import Verification
from fstc.runtime.verify import VerifyOptions, verify
from tests.samples import SAMPLES_DIR, SHIP

DEVICES = ("h200", "a100", "b200")
SAMPLES = tuple(sorted(SHIP))
SPECIAL_SEEDS = 4  # infinities and NaN are few, and a sample may mask them


@dataclass(frozen=True)
class Shipped:
    """A sample on one device, carried over from its real extents."""

    sample: str
    device: str
    graph: Graph
    plan: Plan
    codegen: Codegen
    sources: dict[str, str]

    @property
    def kernels(self) -> list[HostKernel]:
        """A symbol is a digest of the text and the launch, so kernels of all samples can share a library."""
        return [
            HostKernel(k.symbol, self.sources[k.file], k.grid, k.block, k.shared, len(k.params))
            for k in self.codegen.kernels
        ]


@dataclass(frozen=True)
class Libraries:
    """The same kernels, plain and for the checker."""

    plain: HostLibrary
    checked: HostLibrary


@cache
def real_plan(sample: str, device: str) -> tuple[Graph, Plan]:
    """The sample at its real extents, and its plan."""
    graph = parse_file(SAMPLES_DIR / f"{sample}.fir", {})
    return graph, make_plan(graph, analyze(graph), load_device(device))


@cache
def ship(sample: str, device: str) -> Shipped:
    real_graph, real = real_plan(sample, device)
    graph = parse_file(SAMPLES_DIR / f"{sample}.fir", SHIP[sample])
    plan = transfer_plan(graph, analyze(graph), load_device(device), real_graph, real)
    codegen, sources = generate(graph, plan, load_device(device))
    return Shipped(sample, device, graph, plan, codegen, sources)


def compile_kernels(kernels: Iterable[HostKernel], factory: pytest.TempPathFactory) -> Libraries:
    """Two libraries of all kernels. Processes of one test run wait for each other's instead of making their own."""
    base = factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "shipped"
    folder.mkdir(exist_ok=True)
    wanted = list({k.name: k for k in kernels}.values())
    cache = Cache(folder / "cache")
    with FileLock(folder / "compiling"):
        plain, checked = (compile_host(wanted, folder, checked=c, cache=cache) for c in (False, True))
    return Libraries(plain, checked)


def verify_on_host(shipped: Shipped, libraries: Libraries, *, specials: bool = False) -> Verification:
    """What ``fstc verify --target host --strict-traffic`` does: four orders, the checker, all that crosses kernels."""
    graph, codegen = shipped.graph, shipped.codegen
    names = {v.id: f"%{v.name}" for v in graph.values}
    return verify(
        graph,
        shipped.plan,
        codegen,
        {order: HostLauncher(libraries.plain, codegen, order) for order in ORDERS},
        VerifyOptions(
            seeds=tuple(range(SPECIAL_SEEDS if specials else 1)),
            tensors="kernel-edges",
            specials=specials,
            strict_traffic=True,
        ),
        checker=HostChecker(libraries.checked, codegen, names),
    )


def complaints(found: Verification) -> list[str]:
    """One line for everything that ``found.ok`` objects to."""
    lines = [f"{f.kernel}: {f.kind}: {f.message}" for f in found.faults]
    lines += [f"{o.kernel}: {o.value} differs in {o.differing} elements, {o.order}" for o in found.orders]
    for tensor in found.tensors:
        c = tensor.comparison
        if not c.ok:
            where = f"{c.wrong} elements, worst {c.worst}: {c.got}, expected {c.want}"
            lines.append(f"{tensor.kernel}: {c.name} is wrong in {where}, {c.excess:.3g} times the bound")
    for traffic in found.traffic:
        counted, predicted = (traffic.bytes, traffic.l2_bytes), (traffic.predicted_bytes, traffic.predicted_l2_bytes)
        if not traffic.ok:
            lines.append(f"{traffic.kernel}: bytes and l2_bytes are {counted}, predicted {predicted}")
    return lines


__all__ = [
    "DEVICES",
    "SAMPLES",
    "Libraries",
    "Shipped",
    "compile_kernels",
    "complaints",
    "real_plan",
    "ship",
    "verify_on_host",
]
