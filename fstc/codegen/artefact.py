"""What codegen writes: kernels as text, and the steps that run them.

``KernelCode.source`` travels as a ``.cu`` file beside ``.codegen.json``; ``Step`` is one launch, library
call or graph-free copy. Value ids are those of the graph; ids from ``len(graph.values)`` on are
``scratch`` values that only the plan knows.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from fstc.support.artefact import Artefact

COMMENT_WIDTH = 60


def comment(text: str) -> str:
    """How kernels and maps write a name: printable ASCII that cannot end a ``//`` comment, bounded."""
    clean = "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in text)
    clean = clean.replace("??", "?.")  # no trigraphs
    return clean if len(clean) <= COMMENT_WIDTH else clean[: COMMENT_WIDTH - 3] + "..."


class Param(msgspec.Struct, frozen=True):
    """One kernel parameter: a pointer to a dense row-major buffer."""

    mode: str  # "read", "write" or "update" (in place: read and written)
    dtype: str
    elements: int


class Origin(msgspec.Struct, frozen=True):
    """A line of the kernel's source and the op it computes."""

    line: int  # 1-based
    op: str  # "%name = op" of the first region that uses the kernel


class KernelCode(msgspec.Struct, frozen=True, kw_only=True):
    symbol: str  # C identifier, ours
    name: str  # for people, for example "bias_gelu"
    file: str  # "kernels/NAME.cu"
    digest: str  # sha256 of the source
    grid: int
    block: int
    shared: int  # dynamic shared memory, bytes
    min_blocks: int  # second argument of __launch_bounds__, 0 when absent
    params: tuple[Param, ...]
    origins: tuple[Origin, ...]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a run, in order."""

    kind: str  # "kernel" or "library"
    kernel: int = -1  # index into kernels
    node: int = -1  # library: node id in the graph
    reads: tuple[int, ...] = ()  # value ids, in parameter order (read and update parameters)
    writes: tuple[int, ...] = ()  # value ids, in parameter order (write parameters; an update changes what it read)


class Scratch(msgspec.Struct, frozen=True):
    """A value that exists only in the plan (partial results between two launches)."""

    id: int
    name: str
    dtype: str
    shape: tuple[int, ...]


class Codegen(Artefact, frozen=True, kw_only=True):
    KIND: ClassVar[str] = "codegen"
    VERSION: ClassVar[str] = "1.0"

    device: str
    kernels: tuple[KernelCode, ...]
    steps: tuple[Step, ...]
    scratch: tuple[Scratch, ...]


class Statement(msgspec.Struct, frozen=True):
    """One statement of a kernel's text."""

    line: int  # 1-based
    kind: str  # "op", "index", "barrier" or "control"
    op: str  # "%name = op", "%name" of a tensor that is loaded or kept; empty where no value is computed
    loc: str  # what the op's loc(...) says in the .fir


class KernelMap(Artefact, frozen=True, kw_only=True):
    """The ``.map.json`` beside a kernel."""

    KIND: ClassVar[str] = "map"
    VERSION: ClassVar[str] = "1.0"

    kernel: str
    symbol: str
    file: str
    digest: str  # of the text that the lines count
    statements: tuple[Statement, ...]
