"""One side of a comparison: a plan with what its file says of it, and its distinct launches.

Example: ``Side(plan).launches[0].count == 12`` where twelve equal layers share a kernel. ``Built`` is what a package
has besides: the text and the compiled resources of each kernel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from fstc.build.artefact import KernelEntry
from fstc.codegen.artefact import Codegen
from fstc.plan.artefact import Kernel, Plan
from fstc.report.diff.outline import Outline

_NUMBER = re.compile(r"^k\d+_?")


@dataclass(frozen=True)
class Built:
    """What a package holds for one device: kernels by symbol, and their text."""

    codegen: Codegen
    entries: Mapping[str, KernelEntry]
    sources: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Launch:
    """A kernel of the plan. Equal regions share it: launched ``count`` times, first at step ``first``."""

    kernel: Kernel
    outline: Outline
    region: int
    number: int
    first: int
    count: int

    @property
    def name(self) -> str:
        return self.kernel.name

    @cached_property
    def plain_name(self) -> str:
        """Without the number, which says nothing: k3_softmax is softmax."""
        return _NUMBER.sub("", self.kernel.name) or self.kernel.name

    @cached_property
    def nodes(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(n for p in self.kernel.parts for n in sorted(p.nodes)))

    @cached_property
    def ops(self) -> tuple[str, ...]:
        """The values that it computes, by name."""
        return self.outline.results(self.nodes)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        return self.outline.kinds(self.nodes)

    @property
    def stored(self) -> tuple[str, ...]:
        """What it writes, by name."""
        return tuple(self.outline.name(v) for p in self.kernel.parts for v in p.outputs)

    @property
    def text_hash(self) -> str:
        """Of what it computes, from the text of its region: where the file has no hash."""
        return self.outline.kernel_hash(self.kernel)

    @cached_property
    def around(self) -> tuple[str, ...]:
        """The tensors that it reads and writes, by name."""
        values = dict.fromkeys(v for p in self.kernel.parts for v in (*p.inputs, *p.outputs))
        return tuple(self.outline.name(v) for v in values)


Count = dict[Launch, int]
"""Launches that wait for a match, and how many of each."""


@dataclass(frozen=True)
class Match:
    """Some launches, ``count`` times each. ``equal``: they compute the same."""

    old: tuple[Launch, ...]
    new: tuple[Launch, ...]
    count: int
    equal: bool = False


def take(waiting: Count, launches: Iterable[Launch], n: int) -> None:
    """``n`` of each have found their match."""
    for launch in launches:
        waiting[launch] -= n
        if not waiting[launch]:
            del waiting[launch]


@dataclass(frozen=True, eq=False)
class Side:
    """``tool``, ``format`` and ``options`` (of the planner, but for defaults) are what the file's envelope says."""

    plan: Plan
    tool: str = ""
    format: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    built: Built | None = None

    @cached_property
    def outlines(self) -> tuple[Outline, ...]:
        return tuple(Outline(region.text) for region in self.plan.regions)

    @cached_property
    def launches(self) -> tuple[Launch, ...]:
        """Distinct kernels in the order in which they run first; one that no step runs is none."""
        first: dict[tuple[int, int], int] = {}
        count: dict[tuple[int, int], int] = {}
        for n, step in enumerate(self.plan.steps):
            at = (step.region, step.kernel)
            if step.kind == "kernel" and self._has(*at):
                first.setdefault(at, n)
                count[at] = count.get(at, 0) + 1
        return tuple(
            Launch(self.plan.regions[r].kernels[k], self.outlines[r], r, k, n, count[r, k])
            for (r, k), n in first.items()
        )

    @cached_property
    def symbols(self) -> Mapping[tuple[int, int], str]:
        """The symbol that codegen gave a kernel, by region and number; steps of both files go in parallel."""
        if self.built is None:
            return {}
        code = self.built.codegen
        pairs = zip(self.plan.steps, code.steps, strict=False)
        runs = [(p, c) for p, c in pairs if p.kind == "kernel" and 0 <= c.kernel < len(code.kernels)]
        return {(p.region, p.kernel): code.kernels[c.kernel].symbol for p, c in runs}

    @cached_property
    def value_names(self) -> dict[int, str]:
        """Values of the whole graph by name, as far as a kernel reads or writes them: library calls have no names."""
        found: dict[int, str] = {}
        for launch in self.launches:
            step = self.plan.steps[launch.first]
            parts = launch.kernel.parts
            for ids, values in ((step.reads, [v for p in parts for v in p.inputs]),
                                (step.writes, [v for p in parts for v in p.outputs])):  # fmt: skip
                for outer, inner in zip(ids, dict.fromkeys(values), strict=False):
                    found.setdefault(outer, launch.outline.name(inner))
        return found

    def _has(self, region: int, kernel: int) -> bool:
        """A plan that was edited by hand may name what is not there."""
        return 0 <= region < len(self.plan.regions) and 0 <= kernel < len(self.plan.regions[region].kernels)
