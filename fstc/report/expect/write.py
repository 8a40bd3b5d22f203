"""Expectations that a plan meets, as commented YAML: the start of a file that people then keep and edit.

Example: ``write_expectations(facts, "softmax_mask")``; the plan that it was made from passes. Bounds are one-sided, so
that a better plan passes too: counts, shared memory and registers as they are, bytes rounded up, times with
:data:`HEADROOM`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_CEILING, Decimal
from fnmatch import fnmatchcase
from math import floor

from fstc.report.expect.facts import KernelFacts, PlanFacts
from fstc.report.expect.metrics import PLAN_METRICS
from fstc.report.expect.quantity import Number

HEADROOM = 1.02  # of times: the model's figures move a little when a device file gets a better one
DIGITS = 4
WIDTH = 100
SIZES = (("GB", 10**9), ("MB", 10**6), ("KB", 10**3), ("B", 1))
SLOW = ("FSN040", "FSN041")  # in a kernel, and slower than one would hope
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.*-]*", re.ASCII)
NUMBERED = re.compile(r"^k\d+_")


def write_expectations(facts: PlanFacts, model: str) -> str:
    """The file's text; equal plans give equal texts."""
    blocks = [_head(facts, model), _sums(facts)]
    groups = list(dict.fromkeys(part for launch in _distinct(facts) for part in launch if len(part) > 1))
    if groups:
        lines = [line for group in groups for line in _flow_list(group)]
        blocks.append(["# Each group is computed in one kernel.", "stitched:", *lines])
    kernels = _kernels(facts)
    if kernels:
        blocks.append(["# By name: * stands for a kernel's number, which may change.", "kernel:", *kernels])
    counts = [f"  {code}: <= {sum(d.code == code for d in facts.decisions)}" for code in SLOW]
    blocks.append(["# What is in a kernel and slower than one would hope.", "decisions:", *counts])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _head(facts: PlanFacts, model: str) -> list[str]:
    return [
        f"# What the plan of {model} is held to; `fstc plan --expect` checks it, docs/ci.md has the keys.",
        "# Written by `fstc plan --write-expect` from a plan that meets it. Edit it: fewer lines break less often.",
        f"device: {quoted(facts.plan.device)}",
    ]


def _sums(facts: PlanFacts) -> list[str]:
    s = facts.plan.summary
    over = PLAN_METRICS["bytes_over_floor"].of(facts)
    assert over is not None
    lines = [
        (f"kernels: <= {s.kernels}", ""),
        (f"library_calls: <= {s.library_calls}", ""),
        (f"bytes: <= {_size(s.bytes)}", f"floor {_about(s.bytes_min)}, unfused {_about(s.bytes_unfused)}"),
        (f"bytes_over_floor: <= {_up(over)}", ""),
        (f"l2_bytes: <= {_size(s.l2_bytes)}", ""),
        (
            f"predicted_us: <= {_up(s.predicted_us * HEADROOM)}",
            f"{s.predicted_us:.4g} now, and {HEADROOM - 1:.0%}",
        ),
    ]
    width = max(len(text) for text, _ in lines)
    return [f"{text:{width}}  # {comment}" if comment else text for text, comment in lines]


def _distinct(facts: PlanFacts) -> Iterator[tuple[tuple[str, ...], ...]]:
    """The parts of each kernel with the names of its first launch: equal layers are told once."""
    seen: set[str] = set()
    for launch in facts.launches:
        kernel = launch.kernel.kernel
        identity = kernel.hash or kernel.name
        if identity not in seen:
            seen.add(identity)
            yield launch.own


def _kernels(facts: PlanFacts) -> list[str]:
    """A line for each kernel name, apart from the number, that holds for every kernel of such a name."""
    lines = []
    for pattern in dict.fromkeys(NUMBERED.sub("k*_", k.kernel.name, count=1) for k in facts.kernels):
        alike = [k for k in facts.kernels if fnmatchcase(k.kernel.name, pattern)]
        lines += _flow_map(pattern, _kernel_fields(alike))
    return lines


def _kernel_fields(alike: Sequence[KernelFacts]) -> Iterator[tuple[str, str]]:
    schemes = list(dict.fromkeys(k.kernel.scheme for k in alike))
    yield "scheme", schemes[0] if len(schemes) == 1 else f"[{', '.join(schemes)}]"
    yield "registers", f"<= {max(k.kernel.registers for k in alike)}"
    yield "occupancy", f'">= {floor(min(k.kernel.occupancy for k in alike) * 1000) / 10:g}%"'
    yield "shared", f"<= {max(k.kernel.shared for k in alike)}"
    yield "predicted_us", f"<= {_up(max(k.kernel.predicted_us for k in alike) * HEADROOM)}"


def quoted(text: str) -> str:
    """A name as YAML reads it back, on one line."""
    return text if PLAIN.fullmatch(text) else json.dumps(text)


def literal(name: str) -> str:
    """A pattern that only this name matches; a mark in front would be taken for that of a value."""
    return "".join(f"[{c}]" if c in "*?[" or (c == "%" and n == 0) else c for n, c in enumerate(name))


def _flow_list(names: Iterable[str]) -> list[str]:
    return _wrapped("  - [", [quoted(literal(name)) for name in names], "]")


def _flow_map(name: str, fields: Iterable[tuple[str, str]]) -> list[str]:
    return _wrapped(f"  {quoted(name)}: {{", [f"{key}: {text}" for key, text in fields], "}")


def _wrapped(opening: str, items: Sequence[str], closing: str) -> list[str]:
    lines = [opening]
    for n, item in enumerate(items):
        text = item + (", " if n + 1 < len(items) else closing)
        if len(lines[-1]) + len(text.rstrip()) > WIDTH and lines[-1].strip() not in ("", opening.strip()):
            lines[-1] = lines[-1].rstrip()
            lines.append("     ")
        lines[-1] += text
    return lines


def _size(size: int) -> str:
    """Rounded up, in the largest unit of which there is one."""
    unit, factor = next((u, f) for u, f in SIZES if size >= f or f == 1)
    return f"{_up(Decimal(size) / factor)} {unit}"


def _about(size: int) -> str:
    unit, factor = next((u, f) for u, f in SIZES if size >= f or f == 1)
    return f"{size / factor:.{DIGITS}g} {unit}"


def _up(value: Decimal | Number) -> str:
    """The shortest decimal of :data:`DIGITS` digits that is not below the value."""
    exact = value if isinstance(value, Decimal) else Decimal(str(value))
    digits = max(0, DIGITS - 1 - exact.adjusted()) if exact else 0
    return f"{exact.quantize(Decimal(1).scaleb(-digits), ROUND_CEILING).normalize():f}"
