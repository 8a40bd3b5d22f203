"""The framework that a model came from, as a function of inputs: what ``verify --against`` puts beside our results.

Example: ``peer = find_peer(graph, Path("bert.fir"), "onnxruntime")``; ``peer({"ids": ids})`` runs ``bert.onnx``, which
the module's attributes name. A model that is missing, has changed or cannot be run is FST0810, a missing package
FST0801.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from fstc.driver.imports import digest
from fstc.frontends.run import EXTRAS, ONNX, STABLEHLO, TORCH
from fstc.ir.graph import Graph
from fstc.runtime.run import Array
from fstc.runtime.verify import Peer
from fstc.support.diagnostics import Diagnostic, FstcError

PEERS = {"onnxruntime": ONNX, "torch": TORCH, "jax": STABLEHLO}
MODULES = {
    ONNX: "fstc.frontends.onnx.peer",
    TORCH: "fstc.frontends.torch.peer",
    STABLEHLO: "fstc.frontends.stablehlo.peer",
}
CODE = "FST0810"


def find_peer(graph: Graph, fir: Path, framework: str, model: Path | None = None) -> Peer:
    """The framework's run of the model that the .fir came from, or of ``model``."""
    attrs = dict(graph.attrs)
    frontend = PEERS[framework]
    made = attrs.get("frontend")
    if made != frontend and not (made is None and model):
        origin = f"it was imported from {made}" if made in PEERS.values() else "it does not say that it was imported"
        help = (
            f"give --model FILE, a model that {framework} runs" if made is None else f"give --against {_of(str(made))}"
        )
        raise _cannot(f"{framework} cannot run {fir.name}: {origin}", fir, help)
    path, factory = (model, "") if model else _origin(attrs, fir)
    if path is not None and not path.is_file():
        raise _cannot(f"there is no model {path}", path, "give its place with --model FILE")
    if path is not None and not model and attrs.get("sha256") not in (None, digest(path)):
        help = "import it again; or give --model FILE, which is taken as it is"
        raise _cannot(f"{path} is not the model that {fir.name} was imported from: its content has changed", path, help)
    binds = _binds(str(attrs.get("binds", "")))
    run = _runner(frontend, framework)
    return lambda feeds: _checked(graph, framework, path or fir, _run(run, frontend, path, factory, feeds, binds))


def _origin(attrs: Mapping[str, Any], fir: Path) -> tuple[Path | None, str]:
    """The model's file, or the function that makes it."""
    source = attrs.get("source")
    if not isinstance(source, str) or not source:
        raise _cannot(f"{fir.name} does not say which model it came from", fir, "give --model FILE")
    return (fir.parent / source, "") if "sha256" in attrs else (None, source)


def _binds(text: str) -> dict[str, int]:
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name: int(number) for name, _, number in pairs if number.isascii() and number.isdigit()}


def _of(frontend: str) -> str:
    return next((name for name, found in PEERS.items() if found == frontend), "onnxruntime, torch or jax")


def _runner(frontend: str, framework: str) -> Callable[..., Sequence[Array]]:
    try:
        import_module({TORCH: "torch", ONNX: "onnxruntime", STABLEHLO: "jax"}[frontend])
        return import_module(MODULES[frontend]).run_peer  # type: ignore[no-any-return]
    except ImportError as error:
        help = f'pip install "fstc[{EXTRAS[frontend]}]"' + (" onnxruntime" if frontend == ONNX else "")
        raise FstcError(Diagnostic("FST0801", f"--against {framework} needs its package: {error}", help=help)) from None


def _run(
    run: Callable[..., Sequence[Array]],
    frontend: str,
    model: Path | None,
    factory: str,
    feeds: Mapping[str, Array],
    binds: Mapping[str, int],
) -> Sequence[Array]:
    """The three peers take what their framework needs; what one raises unforeseen is the framework's."""
    try:
        if frontend == TORCH:
            return run(model, factory, feeds, binds)
        return run(model, list(feeds.values()) if frontend == STABLEHLO else feeds, binds)
    except FstcError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # frameworks have classes of their own for everything
        words = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise _cannot(f"{_of(frontend)} cannot run the model: {words[:500]}", model, "") from None


def _checked(graph: Graph, framework: str, model: Path, found: Sequence[Array]) -> Sequence[Array]:
    """As many results as the graph has outputs, of their shapes and kinds."""
    import numpy as np

    if len(found) != len(graph.outputs):
        message = f"{framework} gives {len(found)} results, the .fir returns {len(graph.outputs)}"
        raise _cannot(message, model, "is it the model that the .fir came from?")
    for value, array in zip(graph.outputs, map(np.asarray, found), strict=True):
        wanted = graph.type(value)
        kind = "f" if array.dtype.kind in "fV" else "i" if array.dtype.kind in "iu" else array.dtype.kind
        alike = kind == ("i" if wanted.dtype.is_integer else wanted.dtype.kind)
        if array.shape != wanted.shape or not alike:
            has = f"{array.dtype}[{','.join(map(str, array.shape))}]"
            message = f"{framework} gives {has} for %{graph.values[value].name}, the .fir {wanted}"
            raise _cannot(message, model, "is it the model that the .fir came from?")
    return found


def _cannot(message: str, path: Path | None, help: str) -> FstcError:
    return FstcError(Diagnostic(CODE, message, file=str(path) if path else "", help=help))
