"""Lay out a kernel program with ``templates/kernel.cu.j2``.

Example: ``render(KernelView(...))`` is the text of one ``.cu`` file, one statement a line, each with the op that it
computes. Names of the model appear in comments only, with anything that could end a comment taken out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from fstc.codegen.program import Text
from fstc.support.resources import resource

COMMENT_WIDTH = 60


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


def comment(text: str) -> str:
    """Safe inside a ``//`` comment: printable ASCII, no trailing backslash, bounded."""
    clean = "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in text)
    clean = clean.replace("??", "?.")  # no trigraphs
    return clean if len(clean) <= COMMENT_WIDTH else clean[: COMMENT_WIDTH - 3] + "..."


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
