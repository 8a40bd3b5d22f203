"""Whether a run fits the memory of this machine: asked before anything is allocated.

Example::

    with fitting(graph):
        feeds = make_inputs(graph, seed=0)

Inputs and results are the least that every target needs in host memory. What a run needs beyond them shows when an
allocation fails, which becomes the same diagnostic.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fstc.ir.graph import Graph
from fstc.support.diagnostics import Diagnostic, FstcError
from fstc.support.sizes import binary

CODE = "FST0604"
HELP = "bind smaller extents, for example with --bind B=1"
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


@contextmanager
def fitting(graph: Graph) -> Iterator[None]:
    """Refuse what cannot fit; an allocation that fails inside is refused likewise (FST0604)."""
    needed, free = least_bytes(graph), available()
    if free is not None and needed > free:
        raise _refused(f"inputs and results need {binary(needed)}, this machine has {binary(free)} free")
    try:
        yield
    except MemoryError as error:
        what = f"; {error}" if str(error) else ""
        held = f"inputs and results need {binary(needed)}, what is computed between them did not fit beside them{what}"
        raise _refused(held) from None


def least_bytes(graph: Graph) -> int:
    """Every input and every result once."""
    return sum(graph.type(v).nbytes for v in {*graph.inputs, *graph.outputs})


def available() -> int | None:
    """Bytes that this process may still take; None where the system does not say."""
    limits = [n for n in (_machine(), _group()) if n is not None]
    return min(limits, default=None)


def _machine() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    with suppress(OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _group() -> int | None:
    """What a container's limit leaves; file pages count as used there, so the limit alone is taken."""
    with suppress(OSError, ValueError):  # "max" is no number: no limit
        return int((CGROUP / "memory.max").read_text(encoding="ascii"))
    return None


def _refused(reason: str) -> FstcError:
    return FstcError(Diagnostic(CODE, f"the model does not fit the memory of this machine: {reason}", help=HELP))
