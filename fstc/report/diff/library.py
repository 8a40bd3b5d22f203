"""Library calls that only one of two plans has.

Example: a scatter that became a kernel leaves ``- library call of %grad``. A plan does not name its library calls: one
is known by the tensors that it shares with kernels, else it keeps its place among the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from fstc.plan.artefact import Step
from fstc.report.diff.model import ADDED, REMOVED, Change, Delta
from fstc.report.diff.side import Side


def library_changes(old: Side, new: Side) -> Iterator[Change]:
    """Calls are matched by their tensors, then in order; what remains on one side came or went."""
    left, right = _calls(old), _calls(new)
    both = Counter(key for key, _ in left) & Counter(key for key, _ in right)
    left, right = _without(left, both), _without(right, both)
    paired = min(len(left), len(right))
    for _, name in left[paired:]:
        yield Change(kind=REMOVED, count=1, old=(name,), new=(), price={"launches": Delta(0, 0)})
    for _, name in right[paired:]:
        yield Change(kind=ADDED, count=1, old=(), new=(name,), price={"launches": Delta(0, 0)})


def _calls(side: Side) -> list[tuple[str, str]]:
    """What each call is known by, and what it is called."""
    names = side.value_names
    steps = [(n, s) for n, s in enumerate(side.plan.steps) if s.kind == "library"]
    return [(_key(step, names), _title(n, step, names)) for n, step in steps]


def _key(step: Step, names: dict[int, str]) -> str:
    return " ".join((*_known(step.reads, names), "->", *_known(step.writes, names)))


def _title(number: int, step: Step, names: dict[int, str]) -> str:
    made, read = _known(step.writes, names), _known(step.reads, names)
    about = f"of {' '.join(made)}" if made else f"on {' '.join(read)}" if read else f"at step {number}"
    return f"library call {about}"


def _known(values: Iterable[int], names: dict[int, str]) -> list[str]:
    return [names[v] for v in values if v in names]


def _without(calls: list[tuple[str, str]], matched: Counter[str]) -> list[tuple[str, str]]:
    todo = Counter(matched)
    left = []
    for key, name in calls:
        if todo[key]:
            todo[key] -= 1
        else:
            left.append((key, name))
    return left
