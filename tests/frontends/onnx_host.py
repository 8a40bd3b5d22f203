"""ONNX's node tests on the host target, many at a time: starting a C++ compiler costs more than most of them, so the
kernels of all share one library.

Example: ``complaints(names, folder, cache)`` has a line for every case that does not pass, by its name. A case is
planned as ``fstc run`` plans it for the default device. The checker watches every access of its kernels; then they run
in all thread orders, which must agree to the bit, and the outputs are held against the expected ones within the case's
own tolerance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fstc.build.cache import Cache
from fstc.build.host import HostLibrary, compile_host
from fstc.build.host_library import ORDERS
from fstc.driver.execution import HostChecker, HostLauncher
from fstc.driver.files import open_work
from fstc.driver.host import host_kernels
from fstc.driver.imports import write_imported
from fstc.driver.work import Work
from fstc.ir.constants import ConstantStore
from fstc.runtime.run import Launcher, LaunchFault, execute
from fstc.runtime.verify import Watched
from fstc.stages import Settings
from fstc.support.diagnostics import FstcError
from tests.frontends.onnx_backend import Array, Refused, loaded, plain
from tests.frontends.onnx_cases import cases


@dataclass(frozen=True)
class Planned:
    """One data set of a case: the model with its extents, its inputs and what is expected."""

    name: str
    work: Work
    feeds: Mapping[int, Array]
    expected: Sequence[Array]

    def run(self, launcher: Launcher) -> list[Array]:
        graph = self.work.value("graph")
        values = execute(graph, self.work.value("codegen"), launcher, self.feeds, ConstantStore(self.work.folder))
        return [np.asarray(values[v]) for v in graph.outputs]


@contextmanager
def planned(name: str) -> Iterator[list[Planned]]:
    """The data sets of a case, through all stages up to the kernels' text."""
    case = cases()[name]
    with ExitStack() as stack:
        made = []
        for inputs, outputs in case.data_sets:
            model, folder, feeds = stack.enter_context(loaded(case.model, inputs))
            write_imported(model, folder / "model.fir")
            work = open_work(str(folder / "model.fir"), Settings())
            work.value("codegen")
            made.append(Planned(name, work, feeds, [plain(x) for x in outputs]))
        yield made


def complaints(names: Iterable[str], folder: Path, cache: Cache) -> dict[str, str]:
    """What is wrong, by case; libraries are built in ``folder``."""
    wrong: dict[str, str] = {}
    with ExitStack() as stack:
        sets: list[Planned] = []
        for name in names:
            try:
                sets += stack.enter_context(planned(name))
            except (Refused, FstcError) as error:
                wrong[name] = _line(error)
        return wrong | judge(sets, folder, cache)


def judge(sets: Sequence[Planned], folder: Path, cache: Cache) -> dict[str, str]:
    """What is wrong with the results, by case."""
    kernels = list({k.name: k for s in sets for k in host_kernels(s.work)}.values())  # equal names are equal kernels
    library, checked = (compile_host(kernels, folder, checked=c, cache=cache, jobs=1) for c in (False, True))
    wrong: dict[str, str] = {}
    for one in sets:
        try:
            _judge(one, library, checked)
        except (AssertionError, FstcError, LaunchFault) as error:
            wrong[one.name] = _line(error)
    return wrong


def _judge(one: Planned, library: HostLibrary, checked: HostLibrary) -> None:
    from onnx.backend.test.runner import Runner

    code, case = one.work.value("codegen"), cases()[one.name]
    names = {v.id: f"%{v.name}" for v in one.work.value("graph").values}
    # First the checker: what it objects to is not run on bare memory.
    watched: Launcher = Watched(code, HostChecker(checked, code, names))
    first, *others = map(one.run, (watched, *(HostLauncher(library, code, order) for order in ORDERS)))
    Runner.assert_similar_outputs(one.expected, first, case.rtol, case.atol)
    for order, other in zip(ORDERS, others, strict=True):
        for x, y in zip(first, other, strict=True):
            assert x.tobytes() == y.tobytes(), f"other bits in the order {order}"


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
