"""Lay out a kernel program with ``templates/kernel.cu.j2``.

Example: ``render(KernelView(...))`` is the text of one ``.cu`` file, one statement a line, each with the op that it
computes. Names of the model appear in comments only, as :func:`fstc.codegen.artefact.comment` writes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from fstc.codegen.program import Text
from fstc.support.resources import resource


@dataclass(frozen=True)
class ParamView:
    text: str
    origin: str


@dataclass(frozen=True)
class KernelView:
    symbol: str
    banner: str
    bounds: str  # of __launch_bounds__
    params: tuple[ParamView, ...]
    arena: bool
    lines: tuple[Text, ...]


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(resource("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("kernel.cu.j2")


def render(view: KernelView) -> str:
    return str(_template().render(k=view))
