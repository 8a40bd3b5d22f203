"""Models, and the pages that are made from them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fstc.driver.pages import pages
from fstc.driver.work import Work
from fstc.report.launches import Launches, launches_of
from fstc.stages import DEFAULT_DEVICE, Settings, SourceText
from fstc.support.artefact import Input
from fstc.support.files import sha256
from tests.unit.report.stack import SAMPLES

AWKWARD = (
    "</script><script>alert(1)</script>",
    "\"q\" & <b> 'x' \\",
    "<!-- ünïcode 漢字 -->",
    "100% {{ 7 * 7 }} ]]>\t",
)


def work_of(text: str, name: str = "model") -> Work:
    data = text.encode()
    work = Work(name, Path(), Settings(device=DEFAULT_DEVICE), source=Input(role="source", sha256=sha256(data)))
    work.values["source"] = SourceText(data, f"{name}.fir", SAMPLES)
    return work


@cache
def sample(name: str) -> Work:
    return work_of((SAMPLES / f"{name}.fir").read_text(encoding="utf-8"), name)


def launches(work: Work) -> Launches:
    return launches_of(work.value("graph"), work.value("plan"))


def page(work: Work) -> str:
    return pages(work, ("html",))["html"].decode()


def awkward() -> Work:
    """A softmax and a product whose tensors have awkward names."""
    from json import dumps

    x, m, e, y = (f"%{dumps(name, ensure_ascii=False)}" for name in AWKWARD)
    return work_of(f"""func @main({x}: f32[64,128]) -> (f32[64,128], f32[64,64]) {{
  {m} = reduce_max {x} {{axes = [1]}} : f32[64]
  %mb = broadcast_in_dim {m} {{dims = [0]}} : f32[64,128]
  {e} = sub {x}, %mb : f32[64,128]
  {y} = exp {e} : f32[64,128]
  %product = dot_general {y}, {y} {{lhs_contract = [1], rhs_contract = [1]}} : f32[64,64]
  return {y}, %product
}}
""")
