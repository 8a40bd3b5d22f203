"""Translation units for the host: many kernels in one, each in a namespace of its own.

Example: ``unit_source([HostKernel("copy", text, grid=1, block=32, shared=0, params=2)])`` is C++ text that
includes ``copy.cu`` and exports ``fst_call_copy(void** parameters)``. Kernels stay files of their own, so that
messages and line tables name them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WORTH_A_UNIT = 12_000  # characters of source that pay for parsing the prelude once more
PRELUDE = '#include "fstc.cuh"'


@dataclass(frozen=True)
class HostKernel:
    """A kernel and its launch. Every parameter is a pointer.

    ``name`` is how the library knows it, by default its ``symbol``: give names where kernels of several plans,
    whose symbols may be equal, share a library.
    """

    symbol: str
    source: str
    grid: int
    block: int
    shared: int
    params: int
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.symbol)
        assert self.name.isidentifier() and self.symbol.isidentifier(), "kernel names are C identifiers"

    @property
    def file(self) -> str:
        return f"{self.name}.cu"


def balance(kernels: Sequence[HostKernel], jobs: int) -> list[list[HostKernel]]:
    """At most ``jobs`` groups of about equal length; one where the whole is short."""
    total = sum(len(k.source) for k in kernels)
    count = max(1, min(jobs, len(kernels), total // WORTH_A_UNIT))
    groups: list[list[HostKernel]] = [[] for _ in range(count)]
    sizes = [0] * count
    for kernel in sorted(kernels, key=lambda k: (-len(k.source), k.name)):
        smallest = sizes.index(min(sizes))
        groups[smallest].append(kernel)
        sizes[smallest] += len(kernel.source)
    return [sorted(group, key=lambda k: k.name) for group in groups]


def unit_source(kernels: Sequence[HostKernel]) -> str:
    """The unit's text. The prelude comes first: inside a namespace its own include guard leaves it out."""
    lines = [PRELUDE] if any(PRELUDE in k.source for k in kernels) else []
    for kernel in kernels:
        space = f"fst_unit_{kernel.name}"
        renamed = kernel.name != kernel.symbol
        lines += [f"#define {kernel.symbol} {kernel.name}"] * renamed
        lines += [f"namespace {space} {{", f'#include "{kernel.file}"', "}"]
        lines += [f"#undef {kernel.symbol}"] * renamed
        arguments = ", ".join(f"FstHostPointer{{p[{i}]}}" for i in range(kernel.params))
        lines += [
            'extern "C" __attribute__((visibility("default"), no_sanitize("thread")))',
            f"void fst_call_{kernel.name}(void** p) {{ {space}::{kernel.name}({arguments}); }}",
        ]
    return "\n".join(lines) + "\n"
