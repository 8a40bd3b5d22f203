"""What is said of kernels in an answer: their terms, what they take of each limit, and what grew when some became one.

Example: ``binding(before, after, plan.constants)[0] == "occupancy 8 -> 3 blocks/SM (registers 40 -> 96)"``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fstc.plan.artefact import Kernel
from fstc.report.table import Cell, Table
from fstc.support.sizes import binary

TERMS = ("launch", "memory", "l2", "issue", "latency")
LIMITS = (
    ("registers", "registers_per_thread_max"),
    ("shared", "shared_per_block_max"),
    ("threads", "max_threads_per_block"),
)
LITTLE = 1.02  # growth that is not worth a word


def terms_of(kernels: Sequence[Kernel], counts: Sequence[int] = ()) -> dict[str, float]:
    """Microseconds of each term of all kernels, each launched as often as ``counts`` says."""
    found: dict[str, float] = {}
    for kernel, count in zip(kernels, counts or [1] * len(kernels), strict=True):
        for name, us in kernel.terms.items():
            found[name] = found.get(name, 0.0) + us * count
    return dict(sorted(found.items(), key=lambda item: (TERMS.index(item[0]) if item[0] in TERMS else 9, item[0])))


def limits_of(kernel: Kernel, constants: Mapping[str, float]) -> list[tuple[str, int, int]]:
    """(resource, used, limit) of a block; a plan of 1.0 does not know the limits."""
    return [(name, getattr(kernel, name), int(constants[key])) for name, key in LIMITS if key in constants]


def terms_table(kernels: Sequence[Kernel]) -> Table:
    """One row a term, one column a kernel; the term that binds has a star."""
    names = list(dict.fromkeys(name for k in kernels for name in terms_of([k])))
    rows: list[tuple[Cell, ...]] = []
    for name in names:
        marked = (f"{k.terms[name]:.4g}{'*' if k.bound == name else ''}" if name in k.terms else "-" for k in kernels)
        rows.append((name, *marked))
    rows.append(("predicted", *(f"{k.predicted_us:.4g}" for k in kernels)))
    return Table(("us of term", *(k.name for k in kernels)), tuple(rows))


def limits_table(kernels: Sequence[Kernel], constants: Mapping[str, float]) -> Table:
    """What each kernel takes of a block's limits, and what is left."""
    rows: list[tuple[Cell, ...]] = [
        (kernel.name, name, used, limit, limit - used)
        for kernel in kernels
        for name, used, limit in limits_of(kernel, constants)
    ]
    return Table(("kernel", "of a block", "used", "limit", "left"), tuple(rows))


def binding(old: Sequence[Kernel], new: Sequence[Kernel], constants: Mapping[str, float]) -> list[str]:
    """What holds the new kernels back that did not hold the old ones, the most telling first.

    Of blocks, occupancy and bound, what counts is the kernel that takes longest.
    """
    found = []
    if (lost := _again(new)) > _again(old):
        found.append(f"no room on chip between phases for {lost} value{'s' if lost > 1 else ''} (FSN041)")
    sms = int(constants.get("sms", 0))
    a, b = (max(kernels, key=lambda k: k.predicted_us) for kernels in (old, new))
    if b.blocks < sms and b.blocks < a.blocks:
        found.append(f"blocks {a.blocks:,} -> {b.blocks:,} for {sms} SMs")
    if b.occupancy < a.occupancy:
        found.append(f"occupancy {a.occupancy:.0%} -> {b.occupancy:.0%}{_why(a, b)}")
    moved, more = sum(k.bytes for k in old), sum(k.bytes for k in new)
    if more > moved * LITTLE:
        found.append(f"HBM {moved / 1e6:.4g} -> {more / 1e6:.4g} MB")
    served, again = sum(k.l2_bytes for k in old), sum(k.l2_bytes for k in new)
    if again > served * LITTLE and again - served > LITTLE * max(more - moved, 0) and again > moved / 10:
        found.append(f"L2 {served / 1e6:.4g} -> {again / 1e6:.4g} MB")
    before, after = terms_of(old), terms_of(new)
    grown = {t: us - before.get(t, 0.0) for t, us in after.items() if t != "launch"}
    worst = max(grown, key=lambda t: grown[t], default="")
    if worst and grown[worst] > 0.05:
        found.append(f"{worst} {before.get(worst, 0.0):.4g} -> {after[worst]:.4g} us")
    if a.bound != b.bound:
        found.append(f"bound {a.bound} -> {b.bound}")
    return found


def _again(kernels: Sequence[Kernel]) -> int:
    """Values that later phases load and compute again."""
    return len({(k.name, e.value) for k in kernels for p in k.parts for e in p.edges if e.carrier == "recompute"})


def _why(old: Kernel, new: Kernel) -> str:
    """Which resources of a block grew."""
    grown = []
    if new.registers > old.registers:
        grown.append(f"registers {old.registers} -> {new.registers}")
    if new.shared > old.shared:
        grown.append(f"shared {binary(old.shared)} -> {binary(new.shared)}")
    if new.threads != old.threads:
        grown.append(f"threads {old.threads} -> {new.threads}")
    return f" ({', '.join(grown)})" if grown else ""
