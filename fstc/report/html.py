"""A plan as one HTML page that needs nothing else: the graph of launches, and all that is known of each of them.

Example: ``plan_html("bert_layer", launches_of(graph, plan), options, code, texts)``. The boxes are drawn here
(:mod:`fstc.report.layout`); what a box holds lies in the page as JSON (:mod:`fstc.report.detail`) and is shown by
``templates/report/plan.js`` on demand, so that a page of thousands of ops opens at once.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from fstc import __version__
from fstc.codegen.artefact import Codegen
from fstc.report.detail import as_script, details
from fstc.report.launches import Launch, Launches, is_constant
from fstc.report.layout import Layout, Style, arrange
from fstc.report.table import cell_text
from fstc.support.resources import resource
from fstc.support.sizes import decimal

TITLE_WIDTH = 20  # characters of a name in a box
STYLE = Style()


@dataclass(frozen=True)
class BoxView:
    """A kernel or a library call; ``share`` is its part of the longest kernel's time, in pixels."""

    id: str
    kind: str  # of the style: thread, warp, block, packing, library
    x: int
    y: int
    title: str
    line: str
    size: str
    label: str  # for a screen reader
    share: int


@dataclass(frozen=True)
class LinkView:
    path: str
    ends: str  # the two steps, for marking
    title: str
    width: float


@dataclass(frozen=True)
class Page:
    title: str
    tool: str
    facts: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    constants: tuple[tuple[str, str], ...]
    inputs: tuple[str, ...]
    boxes: tuple[BoxView, ...]
    links: tuple[LinkView, ...]
    layout: Layout
    style: Style
    css: str
    script: str
    css_hash: str
    script_hash: str
    data: str


def plan_html(
    name: str, launches: Launches, options: Mapping[str, Any], code: Codegen, texts: Mapping[str, str]
) -> str:
    """The page's text; deterministic."""
    links = launches.links()
    layout = arrange(len(launches.steps), [(link.source, link.target) for link in links], STYLE)
    longest = max((s.kernel.predicted_us for s in launches.steps if s.kernel), default=0.0)
    css, script = _file("plan.css"), _file("plan.js")
    page = Page(
        title=name,
        tool=f"fstc {__version__}",
        facts=_facts(launches),
        options=tuple((key, _option(value)) for key, value in options.items()),
        constants=tuple((key, _figure(value)) for key, value in launches.plan.constants.items()),
        inputs=tuple(_outside(launches, key) for key in launches.outside),
        boxes=tuple(_box(launches, step, layout, longest) for step in launches.steps),
        links=tuple(
            LinkView(
                path,
                f"s{link.source} s{link.target}",
                _passing(launches, link.tensors),
                _width(sum(launches.tensors[key].type.nbytes for key in link.tensors)),
            )
            for link, path in zip(links, layout.paths, strict=True)
        ),
        layout=layout,
        style=STYLE,
        css=css,
        script=script,
        css_hash=_digest(css),
        script_hash=_digest(script),
        data=as_script(details(launches, code, texts)),
    )
    return str(_template().render(page=page))


def _facts(launches: Launches) -> tuple[tuple[str, str], ...]:
    plan = launches.plan
    s = plan.summary
    return (
        ("ops", f"{s.ops:,}"),
        ("kernels", f"{s.kernels:,}"),
        ("library calls", f"{s.library_calls:,}"),
        ("predicted, without library calls", f"{s.predicted_us:,.4g} us"),
        ("moved by kernels", decimal(s.bytes)),
        ("floor", decimal(s.bytes_min)),
        ("unfused", decimal(s.bytes_unfused)),
        ("through the L2 besides", decimal(s.l2_bytes)),
        ("device", plan.device),
        ("strategy", plan.strategy),
        ("numerics", plan.policy),
        ("offsets", f"{plan.index_bits} bits"),
    )


def _option(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _figure(value: float) -> str:
    return cell_text(int(value) if value.is_integer() else value)


def _outside(launches: Launches, key: int) -> str:
    tensor = launches.tensors[key]
    return f"%{tensor.name} {tensor.type}{' constant' if is_constant(launches, key) else ''}"


def _box(launches: Launches, step: Launch, layout: Layout, longest: float) -> BoxView:
    place = layout.boxes[step.step]
    kernel = step.kernel
    if kernel is None:
        made = f"%{launches.tensors[step.writes[0]].name}" if step.writes else ""
        moved = sum(launches.tensors[key].type.nbytes for key in (*step.reads, *step.writes))
        kind, title, line, size, share = "library", step.name, made, f"library call · {decimal(moved)}", 0
    else:
        kind, title, share = kernel.scheme, step.name, 0
        line = f"{kernel.scheme} · {kernel.predicted_us:.4g} us · {kernel.bound}"
        size = f"{len(step.nodes)} ops · {decimal(kernel.bytes)}"
        share = round(kernel.predicted_us / longest * (STYLE.width - 16)) if longest else 0
    return BoxView(
        id=f"s{step.step}",
        kind=kind,
        x=place.x,
        y=place.y,
        title=_short(title),
        line=_short(line, 30),
        size=size,
        label=f"{step.step}: {'library call' if kernel is None else 'kernel'} {title}, {line}, {size}",
        share=share,
    )


def _short(text: str, width: int = TITLE_WIDTH) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _passing(launches: Launches, tensors: tuple[int, ...]) -> str:
    return "\n".join(
        f"%{t.name} {t.type}, {decimal(t.type.nbytes)}" for t in (launches.tensors[key] for key in tensors)
    )


def _width(size: int) -> float:
    """A line for few bytes, a band for many: half a pixel more for each factor of ten above 10 kB."""
    return 1 + 0.5 * max(0, len(str(size)) - 5)


def _file(name: str) -> str:
    return resource("templates", "report", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """How a content security policy names an inline text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(resource("templates", "report")),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("plan.html.j2")
