"""What two packages hold for kernels that do the same work: compiled resources, and the generated text.

Example: ``built_fields(old, a, new, b)`` has ``Field("compiled_registers", "cost", 50, 56)``; ``code_diff`` the lines
of a unified diff. A kernel's banner, symbol and comments name things and are no difference.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fstc.build.artefact import KernelEntry
from fstc.report.diff.model import COST, Field, Value, same
from fstc.report.diff.side import Launch, Side

CONTEXT = 3  # unchanged lines around a change
SYMBOL = "fst_kernel"


def built_fields(old: Side, a: Launch, new: Side, b: Launch) -> Iterator[Field]:
    """Every resource that the manifest of both has, and what follows for the occupancy."""
    before, after = entry_of(old, a), entry_of(new, b)
    if before is None or after is None:
        return
    left, right = _resources(before), _resources(after)
    for name in dict.fromkeys((*left, *right)):
        if not same(left.get(name), right.get(name)):
            yield Field(f"compiled_{name}", COST, left.get(name), right.get(name))


def code_diff(old: Side, a: Launch, new: Side, b: Launch) -> tuple[str, ...]:
    """Unified diff of the two texts; nothing when they differ in names and comments only."""
    before, after = _text(old, a), _text(new, b)
    left, right = [_code(line) for line in before], [_code(line) for line in after]
    if left == right:
        return ()
    from difflib import SequenceMatcher

    lines = []
    for group in SequenceMatcher(None, left, right, autojunk=False).get_grouped_opcodes(CONTEXT):
        (_, i, _, j, _), (_, _, i_end, _, j_end) = group[0], group[-1]
        lines.append(f"@@ -{i + 1},{i_end - i} +{j + 1},{j_end - j} @@")
        for kind, i1, i2, j1, j2 in group:
            if kind == "equal":
                lines += [f" {line}" for line in after[j1:j2]]
            else:
                lines += [f"-{line}" for line in before[i1:i2]] + [f"+{line}" for line in after[j1:j2]]
    return tuple(lines)


def entry_of(side: Side, launch: Launch) -> KernelEntry | None:
    """The package's entry of a kernel."""
    symbol = side.symbols.get((launch.region, launch.number))
    return side.built.entries.get(symbol) if side.built and symbol else None


def entries(side: Side) -> tuple[KernelEntry, ...]:
    return tuple(side.built.entries.values()) if side.built else ()


def _resources(entry: KernelEntry) -> dict[str, Value]:
    """Numbers by name; a newer manifest may have more of them."""
    found: dict[str, Value] = {
        name: value for name, value in msgspec.structs.asdict(entry.compiled).items() if isinstance(value, int)
    }
    return found | {"instructions": entry.compiled.instructions.total, "blocks_per_sm": entry.blocks_per_sm}


def _text(side: Side, launch: Launch) -> list[str]:
    """Its lines, with a symbol that does not depend on what it computes."""
    entry = entry_of(side, launch)
    if side.built is None or entry is None:
        return []
    text = side.built.sources.get(entry.symbol, "")
    return text.replace(entry.symbol, SYMBOL).splitlines()


def _code(line: str) -> str:
    return line.partition("//")[0].rstrip()
