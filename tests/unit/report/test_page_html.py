"""The page as a document: alone, safe, and made for keyboard and screen reader."""

from __future__ import annotations

import base64
import hashlib
import re
import time

import pytest

from fstc.report.detail import as_script
from fstc.support.resources import resource
from tests.unit.report.made import AWKWARD, awkward, launches, page, sample, work_of
from tests.unit.report.page_syntax import data_of, read_page
from tests.unit.report.stack import stacked

SAMPLES = ("layernorm_bwd", "bert_layer", "dien_attention")
FETCHES = re.compile(
    r"https?:|//[a-z]+\.|\burl\((?!#)|@import|\bfetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|importScripts|import\("
)
EVALUATES = re.compile(r"\beval\(|\bFunction\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc")


def script() -> str:
    return resource("templates", "report", "plan.js").read_text(encoding="utf-8")


def css() -> str:
    return resource("templates", "report", "plan.css").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_is_fetched(name: str) -> None:
    text = page(sample(name))
    assert not FETCHES.search(text)
    read = read_page(text)
    for element in read.every():
        assert not {"src", "srcset", "data", "action", "background", "poster"} & element.attributes.keys()
        assert element.tag not in ("link", "img", "iframe", "object", "embed", "base")
        assert all(not name.startswith("on") for name in element.attributes), "a handler in the markup"
        assert "style" not in element.attributes, "the policy refuses it"


def test_the_script_makes_no_markup_from_text() -> None:
    assert not EVALUATES.search(script())


def test_the_policy_allows_our_texts_only() -> None:
    read = read_page(page(sample("layernorm_bwd")))
    policy = read.find("meta", http_equiv="Content-Security-Policy").attributes["content"]
    ours = [read.find("style").text, next(s for s in read.all("script") if "type" not in s.attributes).text]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in ours]
    assert policy == f"default-src 'none'; style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'"


def test_names_are_text() -> None:
    """No name becomes markup, ends the data or is lost."""
    text = page(awkward())
    read = read_page(text)
    assert [s.attributes.get("type") for s in read.all("script")] == ["application/json", None]
    assert not read.all("b")
    names = {name for place in data_of(read)["places"] for name in place["names"]}
    assert set(AWKWARD) <= names
    labels = " ".join(e.attributes["aria-label"] for e in read.all("g", role="button"))
    assert "%product" in labels
    listed = read.all("ul", class_="names")[0].words
    assert f"%{AWKWARD[0]} f32[64,128]" in listed


@pytest.mark.parametrize("text", [*AWKWARD, "\u2028\u2029", "\ud800", "<!--<script>", "-->"])
def test_data_holds_any_text(text: str) -> None:
    import json

    made = as_script({"x": [text]})
    assert json.loads(made) == {"x": [text]}
    assert not set("<>&\u2028\u2029") & set(made)
    made.encode()


@pytest.mark.parametrize("name", SAMPLES)
def test_boxes_are_buttons_for_the_keyboard(name: str) -> None:
    found = launches(sample(name))
    read = read_page(page(sample(name)))
    boxes = read.all("g", role="button")
    assert [box.attributes["id"] for box in boxes] == [f"s{n}" for n in range(len(found.steps))]
    assert [box.attributes["tabindex"] for box in boxes] == ["0", *["-1"] * (len(boxes) - 1)]
    for box, step in zip(boxes, found.steps, strict=True):
        assert box.attributes["aria-expanded"] == "false"
        assert box.attributes["aria-controls"] == "panel"
        label = box.attributes["aria-label"]
        assert label.startswith(f"{step.step}: {'kernel' if step.kernel else 'library call'} {step.name}, ")
        if step.kernel:
            assert f"{step.kernel.predicted_us:.4g} us" in label
    links = read.find("g", class_="links")
    assert links.attributes["aria-hidden"] == "true"
    assert len(links.all("path")) == len(found.links())


def test_everything_has_a_name_and_what_is_referred_to_is_there() -> None:
    read = read_page(page(sample("bert_layer")))
    ids = [e.attributes["id"] for e in read.every() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for element in read.every():
        for key in ("aria-controls", "aria-labelledby", "aria-describedby", "for"):
            assert set(element.attributes.get(key, "").split()) <= set(ids)
    for button in read.all("button"):
        assert button.words or button.attributes.get("aria-label")
    assert read.find("label").attributes["for"] == read.find("input").attributes["id"]
    assert read.find("html").attributes["lang"] == "en"
    headings = [e.tag for e in read.every() if re.fullmatch("h[1-6]", e.tag)]
    assert headings == ["h1", "h2"]


def test_the_head_has_what_the_plan_sums_up() -> None:
    work = sample("bert_layer")
    summary = work.value("plan").summary
    read = read_page(page(work))
    facts = {d.find("dt").text: d.find("dd").text for d in read.find("dl", class_="facts").children}
    assert facts["ops"] == str(summary.ops)
    assert facts["kernels"] == str(summary.kernels)
    assert facts["library calls"] == str(summary.library_calls)
    assert facts["floor"] == "81.83 MB"
    assert facts["device"] == "h200"
    assert facts["strategy"] == "stitch"
    constants = read.all("dl", class_="pairs")[-1]
    assert {d.find("dt").text for d in constants.children} == work.value("plan").constants.keys()


def test_a_model_without_launches() -> None:
    text = page(work_of("func @main(%x: f32[8]) -> (f32[8]) {\n  return %x\n}\n"))
    assert "Nothing to launch" in read_page(text).words


def test_five_thousand_ops() -> None:
    """Equal layers are stored once: 250 bytes an op, and the drawing takes a fraction of the planning."""
    work = work_of(stacked(70), "stack")
    summary = work.value("plan").summary
    assert summary.ops >= 5000
    work.value("codegen")
    start = time.process_time()
    text = page(work)
    assert time.process_time() - start < 10
    assert len(text) < 1_500_000
    data = data_of(read_page(text))
    assert sum(len(region["kernels"]) for region in data["regions"]) < 20
    assert len(data["steps"]) == summary.kernels + summary.library_calls


# --- colours ------------------------------------------------------------------------------------------------------

TEXTS = (
    ("text", "ground"), ("quiet", "ground"), ("text", "raised"), ("quiet", "raised"), ("link", "ground"),
    ("link", "raised"), ("text", "kernel"), ("quiet", "kernel"), ("text", "library"), ("quiet", "library"),
    ("mark-text", "mark"), ("accent", "ground"),
)  # fmt: skip
MARKS = (
    ("line", "ground"), ("kernel-line", "kernel"), ("kernel-line", "ground"), ("library-line", "library"),
    ("library-line", "ground"), ("hot", "ground"), ("accent", "kernel"), ("accent", "library"), ("bar", "raised"),
    ("bind", "raised"), ("accent", "raised"),
)  # fmt: skip


def palette(dark: bool) -> dict[str, str]:
    light, _, rest = css().partition("@media (prefers-color-scheme: dark)")
    colours = re.compile(r"--([a-z-]+): (#[0-9a-f]{6});")
    return dict(colours.findall(light)) | (dict(colours.findall(rest)) if dark else {})


def luminance(colour: str) -> float:
    def linear(c: float) -> float:
        return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4

    r, g, b = (linear(int(colour[n : n + 2], 16) / 255) for n in (1, 3, 5))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_as_wcag_defines_it() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("dark", [False, True])
def test_colours_can_be_told_apart(dark: bool) -> None:
    colours = palette(dark)
    for pairs, least in ((TEXTS, 4.5), (MARKS, 3.0)):
        for one, other in pairs:
            found = contrast(colours[one], colours[other])
            assert found >= least, f"{one} on {other}: {found:.2f}"
    used = set(re.findall(r"var\(--([a-z-]+)\)", css()))
    assert used <= colours.keys()
    assert palette(False).keys() == palette(True).keys()
