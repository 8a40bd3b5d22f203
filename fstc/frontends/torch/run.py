"""Read a PyTorch model: ``read(Path("model.pt2"), options, "model.safetensors")``.

A file is a program that torch.export.save wrote; ``options.factory`` names a function that makes a module and example
inputs instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module as import_python
from pathlib import Path
from typing import Any

from fstc.frontends.artefact import Imported, ImportOptions
from fstc.frontends.torch.archive import Refused, checked
from fstc.frontends.torch.decompose import words
from fstc.frontends.torch.program import import_program
from fstc.support.diagnostics import Diagnostic, FstcError


def read(path: Path | None, options: ImportOptions, file: str) -> Imported:
    """The model as a graph, with all its operators in the coverage."""
    program = load(path) if path is not None else export(options.factory)
    return import_program(program, file, options.binds, path)


def load(path: Path) -> Any:
    """The program in a .pt2 file; FST0802 where there is none, or where reading it could run code."""
    import torch

    if not path.is_file():
        raise _unreadable(path, "there is no such file")
    try:
        with checked(path) as safe, silent("torch.export"):
            return torch.export.load(str(safe))
    except Refused as error:
        raise _unreadable(path, str(error)) from None
    except Exception as error:  # whatever torch makes of a damaged file
        raise _unreadable(path, words(error)) from None


def export(factory: str) -> Any:
    """The program of the module that ``package.module:function`` makes; FST0809 in torch's own words."""
    import torch

    module, args, kwargs = made(factory)
    try:
        with torch.no_grad(), silent("torch"):
            return torch.export.export(module, tuple(args), dict(kwargs))
    except Exception as error:
        help = "torch.export.export must take the module with these inputs"
        raise _failed(f"torch cannot export what {factory} returns: {words(error)}", help) from None


def made(factory: str) -> tuple[Any, Any, Any]:
    """(module, inputs, keyword inputs) of a factory."""
    import torch

    name, _, function = factory.partition(":")
    if not name or not function.isidentifier():
        raise _failed(f"{factory!r} is not package.module:function")
    try:
        found = _seeded(getattr(import_python(name), function))
    except Exception as error:
        raise _failed(f"{factory}: {type(error).__name__}: {words(error)}") from None
    if isinstance(found, tuple) and len(found) in (2, 3) and isinstance(found[0], torch.nn.Module):
        module, args, kwargs = (*found, {})[:3]
        if isinstance(args, tuple | list) and isinstance(kwargs, dict):
            return module, args, kwargs
    raise _failed(f"{factory} returns {type(found).__name__}, expected (module, inputs) or (module, inputs, keywords)")


def _seeded(function: Callable[[], Any]) -> Any:
    """What it returns where random numbers begin anew: a later call of the same factory makes the same weights."""
    import random

    import numpy as np
    import torch

    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    return function()


@contextmanager
def silent(logger: str) -> Iterator[None]:
    """Torch logs a traceback before it raises; the message has it all."""
    import warnings

    log = logging.getLogger(logger)
    before, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = before


def _unreadable(path: Path, reason: str) -> FstcError:
    help = "write it with torch.export.save(program, 'model.pt2'), or use --torch package.module:function"
    return FstcError(Diagnostic("FST0802", f"{path} cannot be read: {reason}", file=str(path), help=help))


def _failed(message: str, help: str = "") -> FstcError:
    return FstcError(Diagnostic("FST0809", message, help=help))
