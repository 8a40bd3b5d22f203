"""Import a model file: its format by name and content, its importer by format.

Example: ``import_model(Path("bert.onnx"), ImportOptions(), "bert.safetensors").graph``. The result is simplified
(:mod:`fstc.frontends.passes`); ``file`` is the name that the graph's large constants are stored under.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from fstc.frontends.artefact import Imported, ImportOptions
from fstc.support.diagnostics import Diagnostic, FstcError

ONNX, TORCH, STABLEHLO, FIR = "onnx", "torch", "stablehlo", "fir"
FORMATS = (ONNX, TORCH, STABLEHLO, FIR)
SUFFIXES: Mapping[str, str] = {
    ".onnx": ONNX,
    ".pb": ONNX,
    ".pt2": TORCH,
    ".mlir": STABLEHLO,
    ".mlirbc": STABLEHLO,
    ".stablehlo": STABLEHLO,
    ".fir": FIR,  # simplified, no more
}
MODULES = {
    ONNX: "fstc.frontends.onnx.run",
    TORCH: "fstc.frontends.torch.run",
    STABLEHLO: "fstc.frontends.stablehlo.run",
    FIR: "fstc.frontends.fir.run",
}
PACKAGES = {ONNX: ("onnx",), TORCH: ("torch",), STABLEHLO: ("jaxlib",), FIR: ()}
EXTRAS = {ONNX: "onnx", TORCH: "torch", STABLEHLO: "jax"}
PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin")


def format_of(path: Path) -> str:
    """onnx, torch or stablehlo; FST0802 for a file that is none."""
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        pickled = path.suffix.lower() in PICKLES
        message = f"{path} may hold a pickle, which is never loaded" if pickled else f"{path} is of no known format"
        help = "export the module with torch.export.save(program, 'model.pt2')" if pickled else (
            f"known are {', '.join(SUFFIXES)}; or say it with --from"
        )  # fmt: skip
        raise FstcError(Diagnostic("FST0802", message, file=str(path), help=help))
    return found


def import_model(path: Path | None, options: ImportOptions, file: str, format: str = "") -> Imported:
    """The model as a simplified graph. ``path`` may be None when ``options.factory`` makes the model."""
    from fstc.frontends.passes.run import simplify

    if path is not None and not path.is_file():
        reason = "it is a folder" if path.is_dir() else "no such file"
        raise FstcError(Diagnostic("FST0001", f"cannot read {path}: {reason}", file=str(path)))
    chosen = format or (TORCH if path is None else format_of(path))
    reader: Callable[[Path | None, ImportOptions, str], Imported] = _module(chosen).read
    return simplify(reader(path, options, file))


def _module(format: str) -> Any:
    """The importer's module; FST0801 where its package is missing."""
    for package in PACKAGES[format]:
        try:
            import_module(package)
        except ImportError as error:
            message = f"the {format} importer needs the package {package}: {error}"
            help = f'pip install "fstc[{EXTRAS[format]}]"'
            raise FstcError(Diagnostic("FST0801", message, help=help)) from None
    return import_module(MODULES[format])
