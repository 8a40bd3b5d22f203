"""ONNX's backend interface on top of fstc, for its node tests: the reference evaluator and the host target.

Example: ``Backend.run_model(model, [x])``. What decides on shapes (the input ``shape`` of Reshape) must be known while
importing, and many node tests give it as an input: where an import is refused for that, it is tried again with small
inputs as constants, first those of integers. Extents are those of the arrays that are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper, version_converter
from onnx.backend.base import Backend as Base
from onnx.backend.base import BackendRep

from fstc.driver.imports import write_imported
from fstc.frontends.artefact import Coverage, Imported, ImportOptions
from fstc.frontends.onnx.model import OLDEST
from fstc.frontends.run import import_model
from fstc.ir.reference import evaluate
from fstc.support.diagnostics import FstcError
from tests.stored import stored

Array = Any
FILE = "model.safetensors"
UNKNOWN = ("FST0803", "FST0806")  # codes of an import that may succeed once more inputs are known
NARROW = ("bfloat16", "float8_e4m3fn", "float8_e5m2")


class Refused(Exception):
    """fstc does not take the model; the text says why."""


def specialised(model: onnx.ModelProto, arrays: Mapping[str, Array], level: int) -> onnx.ModelProto:
    """The model with the extents of these inputs; from level 1 on integers of rank 0 and 1 are constants, from 2 on
    all of rank 0 and 1, from 3 on all integers."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for value in made.graph.input:
        array = arrays.get(value.name)
        if not isinstance(array, np.ndarray) or value.type.WhichOneof("value") != "tensor_type":
            continue
        del value.type.tensor_type.shape.dim[:]
        value.type.tensor_type.shape.SetInParent()
        for extent in array.shape:
            value.type.tensor_type.shape.dim.add().dim_value = extent
        whole = array.dtype.kind in "iub"
        if array.dtype.kind != "O" and ((array.ndim <= 1 and level >= (1 if whole else 2)) or (whole and level >= 3)):
            made.graph.initializer.append(numpy_helper.from_array(array, value.name))
    return made


@contextmanager
def imported(model: onnx.ModelProto, arrays: Mapping[str, Array]) -> Iterator[tuple[Imported, Path]]:
    """The model, imported with as few inputs as constants as it takes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        for level in range(4):
            path.write_bytes(specialised(model, arrays, level).SerializeToString())
            try:
                found = import_model(path, ImportOptions(), FILE)
            except FstcError as error:
                first = error.diagnostics[0]
                if first.code in UNKNOWN and "known while importing" in first.message and level < 3:
                    continue
                raise Refused(first.message if first.code in UNKNOWN else f"{first.code}: {first.message}") from None
            if found.coverage.refused:
                reasons = [f"{row.operator}: {reason}" for row in found.coverage.refused for reason in row.refused]
                if level < 3 and "known while importing" in reasons[0]:
                    continue
                raise Refused(reasons[0])
            yield found, Path(folder)
            return


def on_reference(model: Imported, folder: Path, feeds: Mapping[int, Array]) -> list[Array]:
    found = evaluate(model.graph, feeds, stored(model.tensors))
    return [found[v] for v in model.graph.outputs]


def on_host(model: Imported, folder: Path, feeds: Mapping[int, Array]) -> list[Array]:
    """Planned, compiled for the CPU and run, kernel for kernel."""
    from fstc.build.cache import Cache
    from fstc.driver.execution import run_model
    from fstc.driver.files import open_work
    from fstc.driver.host import Toolbox
    from fstc.stages import Settings

    write_imported(model, folder / "model.fir")
    work = open_work(str(folder / "model.fir"), Settings())
    found = run_model(work, "host", feeds, Toolbox(Cache(None), jobs=1))
    return [found[v] for v in work.value("graph").outputs]


Target = Callable[[Imported, Path, Mapping[int, Array]], list[Array]]
Observer = Callable[[Coverage], None]


def run(
    model: onnx.ModelProto,
    inputs: Sequence[Array],
    target: Target = on_reference,
    observe: Observer = lambda found: None,
) -> list[Array]:
    """The outputs; Refused where fstc does not take the model. ``observe`` is shown the coverage."""
    with loaded(model, inputs) as (found, folder, feeds):
        observe(found.coverage)
        return [np.asarray(x) for x in target(found, folder, feeds)]


@contextmanager
def loaded(model: onnx.ModelProto, inputs: Sequence[Array]) -> Iterator[tuple[Imported, Path, dict[int, Array]]]:
    """The model imported for these inputs, a folder to work in, and the inputs by value."""
    model = modern(model)
    stored = {t.name for t in model.graph.initializer}
    names = [v.name for v in model.graph.input if v.name not in stored]
    arrays = dict(zip(names, map(plain, inputs), strict=False))
    with imported(model, arrays) as (found, folder):
        graph = found.graph
        yield found, folder, {v: arrays[graph.values[v].name] for v in graph.inputs}


def plain(x: Any) -> Any:
    """Cases hold arrays, and messages for types that NumPy lacks."""
    x = numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else x
    return np.asarray(x) if isinstance(x, np.generic | int | float) else x


def modern(model: onnx.ModelProto) -> onnx.ModelProto:
    """In an opset that is imported: some cases are older, and onnx has a converter."""
    versions = [o.version for o in model.opset_import if not o.domain]
    if not versions or versions[0] >= OLDEST:
        return model
    try:
        return version_converter.convert_version(model, OLDEST)
    except (RuntimeError, ValueError) as error:
        raise Refused(f"opset {versions[0]}, which onnx cannot convert: {error}") from None


class Rep(BackendRep):  # type: ignore[misc]
    def __init__(self, model: onnx.ModelProto, target: Target) -> None:
        self.model, self.target = model, target

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Array, ...]:
        return tuple(run(self.model, inputs, self.target))


class Backend(Base):  # type: ignore[misc]
    """For onnx.backend.test.runner.Runner and others that know the interface."""

    target: Target = staticmethod(on_reference)

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> Rep:
        return Rep(model, cls.target)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return device == "CPU"


class HostBackend(Backend):
    target = staticmethod(on_host)


def check_case(
    model: onnx.ModelProto,
    data_sets: Sequence[Any],
    rtol: float,
    atol: float,
    observe: Observer = lambda found: None,
) -> None:
    """A test case of onnx.backend.test on the reference evaluator; AssertionError where outputs differ."""
    from onnx.backend.test.runner import Runner

    for inputs, outputs in data_sets:
        found = run(model, inputs, observe=observe)
        Runner.assert_similar_outputs([plain(x) for x in outputs], found, rtol, atol)
