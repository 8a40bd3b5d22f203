"""ONNX's node tests as cases, what became of each, and the page that says so.

Example: ``page(outcomes())`` is docs/onnx.md. A case passes when every output agrees within the case's own tolerance.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import onnx

from fstc.frontends.artefact import REFUSED
from fstc.frontends.onnx.operators import FAMILIES, OPERATORS
from tests.frontends.onnx_backend import Observer, Refused, check_case

PASSED = ""
DIFFERENT: Mapping[str, str] = {
    "test_attention_4d_causal_fp16": "the expected values round to f16 after every step; fstc rounds softmax once",
    "test_attention_4d_causal_fp16_expanded": "the expected values round f16 products otherwise, by one last place",
    "test_dft_inverse": "zeros: the expected values have the rounding of an f32 transform (2e-7) within 1e-7",
    "test_dft_inverse_opset19": "zeros: the expected values have the rounding of an f32 transform (2e-7) within 1e-7",
}
MOST_OPS = 8

# A refusal's text and the reason that the page gives for it.
REASONS: tuple[tuple[str, str], ...] = (
    (r"element type STRING", "strings"),
    (r"element type (U?INT[24]|FLOAT4E2M1|FLOAT8E8M0|FLOAT8E\w+FNUZ)", "element type {0}, which the language lacks"),
    (r"is an? (sequence|optional), not a tensor", "an input is a sequence or an optional"),
    (r"output '\w+' is no tensor", "an output is a sequence"),
    (r"opset (\d+), which onnx cannot convert", "opset {0}, which onnx's converter does not bring to 13"),
    (r"FST0804: .*\(Scan\).*the model says", "opset 8's Scan has a batch axis; the converter leaves it as it is"),
    (r"(?:cannot be imported: )?([\w.:]+): (.*?)(?: \(at .*)?$", "{0}: {1}"),
)


@dataclass
class Outcomes:
    """``results``: PASSED or the reason, by the case's name; ``rows``: per operator what its nodes became."""

    results: dict[str, str] = field(default_factory=dict)
    how: dict[str, set[str]] = field(default_factory=dict)
    into: dict[str, set[str]] = field(default_factory=dict)


@cache
def cases() -> Mapping[str, Any]:
    """The node tests by name, in the order of their names."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases provoke overflow on purpose
        return {c.name: c for c in sorted(load_model_tests(kind="node"), key=lambda c: str(c.name))}


def outcome(name: str, observe: Observer = lambda coverage: None) -> str:
    """PASSED, or why not; AssertionError for a difference that is not in the table."""
    case = cases()[name]
    try:
        check_case(case.model, case.data_sets, case.rtol, case.atol, observe)
    except Refused as error:
        return reason(str(error))
    except AssertionError:
        if name not in DIFFERENT:
            raise
        return DIFFERENT[name]
    assert name not in DIFFERENT, "passes by now: take it off the table"
    return PASSED


def reason(text: str) -> str:
    for pattern, shown in REASONS:
        found = re.search(pattern, text)
        if found:
            return shown.format(*found.groups())
    return text


def outcomes() -> Outcomes:
    made = Outcomes()

    def observe(coverage: Any) -> None:
        for row in coverage.rows.values():
            made.how.setdefault(row.operator, set()).update(row.how)
            made.into.setdefault(row.operator, set()).update(row.into)

    for name in cases():
        made.results[name] = outcome(name, observe)
    return made


def listed(page: str) -> dict[str, str]:
    """The reasons that the page gives, by case: what ``outcome`` has to say of it."""
    found: dict[str, str] = {}
    for line in page.partition(HEADING)[2].splitlines():
        row = re.fullmatch(r"\| (.*) \| (\d+) \| (.*) \|", line)
        if row:
            names = row[3].split(", ")
            assert len(names) == int(row[2]), line
            found |= {f"test_{name}": row[1] for name in names}
    return found


# -- the page ----------------------------------------------------------------------------------------------------------

HEADING = "## Node tests"
INTRODUCTION = """# ONNX

`fstc import model.onnx` reads opsets {oldest} to {newest}. Symbolic extents get values with `--bind N=8`.

- Functions of the model, and operators that ONNX defines as functions, are walked where they are called.
- `Loop` and `Scan` are unrolled and `If` is decided where what decides is known; an `If` on data becomes both branches
  and a select. Sequences and optionals exist while importing only.
- Shape arithmetic leaves no op behind. What decides on a shape must be known while importing: constants, extents, and
  what is computed from them. A tensor whose shape follows from data is refused (FST0806).
- Weights beside the model are mapped. Only files in its folder or below it are read.
- Names of tensors become names of values, names of nodes their locations.

This page is made by `python bench/onnx_coverage.py`.
"""


def page(found: Outcomes) -> str:
    """The document: operators and what they become, and the node tests that do not pass."""
    from onnx.defs import onnx_opset_version

    from fstc.frontends.onnx.model import OLDEST

    passed = sum(r == PASSED for r in found.results.values())
    lines = [INTRODUCTION.format(oldest=OLDEST, newest=onnx_opset_version())]
    lines += [
        "## Operators",
        "",
        "As the node tests of ONNX show them; `function`: as the function that ONNX defines.",
        "",
    ]
    lines += ["| operator | mapped as | ops |", "|---|---|---|"]
    lines += [f"| `{name}` | {_how(name, found)} | {_ops(name, found)} |" for name in _operators(found)]
    lines += ["", HEADING, ""]
    lines += [
        f"Of {len(found.results)} node tests of onnx {onnx.__version__}, {passed} pass on the reference evaluator.",
        f"Tests of older opsets are converted to {OLDEST} first; inputs that decide on shapes are given as constants.",
        f"The same {passed} pass on the host target: planned, compiled for the CPU, run kernel for kernel and checked.",
        "The others:",
    ]
    lines += ["", "| reason | tests | |", "|---|---:|---|"]
    grouped: dict[str, list[str]] = {}
    for name, why in found.results.items():
        if why:
            grouped.setdefault(why, []).append(name.removeprefix("test_"))
    for why, names in sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0])):
        lines.append(f"| {why} | {len(names)} | {', '.join(names)} |")
    return "\n".join(lines) + "\n"


def _operators(found: Outcomes) -> list[str]:
    return sorted({*OPERATORS, *found.how} - {"Initializer"}, key=lambda n: (":" in n, n.lower()))


def _how(name: str, found: Outcomes) -> str:
    refused = dict(FAMILIES)["refused"]
    if name in refused or (name not in OPERATORS and found.how.get(name) == {REFUSED}):
        return "refused"
    if name not in OPERATORS:
        return "function"
    return ", ".join(sorted(found.how.get(name, set()) - {REFUSED})) or "expansion"


def _ops(name: str, found: Outcomes) -> str:
    ops = sorted(found.into.get(name, ()))
    shown = [f"`{op}`" for op in ops[:MOST_OPS]]
    return ", ".join(shown) + (", ..." if len(ops) > MOST_OPS else "")
