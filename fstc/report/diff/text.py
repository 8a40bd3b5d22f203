"""A comparison for people: context, one record a kernel with its price and reason, the sum.

Example::

    ~  k0_attended         +0.4 us  shared 24,576 -> 32,768
    -  k1_residual_dropout
    +  k1_residual + k2_dropout  +3.9 us  FSN014 %residual | %dropout: ...

    2 changes, predicted +4.3 us (+10.4 %), HBM +6.3 MB, launches +1
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fstc.report.diff.model import CHANGED, Because, Change, Check, Context, Delta, Diff, Field, PlanDiff, Value, same
from fstc.report.table import Cell, Report, Table
from fstc.support.diagnostics import annotation
from fstc.support.suggest import clipped

COLUMNS = ("", "kernel", "us", "MB", "change")
TOGETHER = 3  # kernels of a change on one line; more get a line each
OWN_COLUMN = frozenset({"predicted_us", "bytes"})
OP = "op "  # a field that is about the meaning of an op
SUMMED = (("l2_bytes", "L2", 1e6), ("kernels", "launches", 1), ("library_calls", "library calls", 1))
TITLE = "fstc diff"


def diff_report(diff: Diff, markdown: bool = False) -> Report:
    """``markdown``: lists and code blocks as Markdown has them."""
    blocks: list[str | Table] = [_lines([_context(c) for c in _told(diff.context)], markdown)]
    for plan in diff.plans:
        if len(diff.plans) > 1:
            blocks.append(f"{plan.device}:")
        rows = tuple(row for change in plan.changes for row in _rows(change))
        blocks.append(_table(rows) if rows else "")
        blocks += [_code(change, markdown) for change in plan.changes if change.code]
        blocks.append(headline(plan, diff.only))
    blocks.append(_lines([_check(c) for c in diff.checks], markdown))
    return Report(diff.as_data(), tuple(blocks))


def github(diff: Diff, file: str) -> str:
    """Workflow commands: an error for each expression that holds, a warning a change, those that cost most first."""
    said = [annotation("error", {"file": file, "title": TITLE}, _check(c)) for c in diff.checks if c.holds]
    said += [annotation("notice", {"file": file, "title": TITLE}, _context(c)) for c in _told(diff.context)]
    for plan in diff.plans:
        for change in sorted(plan.changes, key=lambda c: -abs(_us(c).change)):
            said.append(annotation("warning", {"file": file, "title": TITLE}, _sentence(change)))
        about = f"{plan.device}: " if len(diff.plans) > 1 else ""
        said.append(annotation("notice", {"file": file, "title": TITLE}, about + headline(plan, diff.only)))
    return "".join(f"{line}\n" for line in said)


def headline(plan: PlanDiff, only: str = "") -> str:
    """The sum: what was predicted and what is."""
    total = plan.total
    count = len(plan.changes)
    if not count:
        us, moved = total["predicted_us"].new, total["bytes"].new
        where = f" in {only}" if only else ""
        return f"no difference{where}: {total['kernels'].new:g} kernels, {us:.4g} us, {moved / 1e6:.4g} MB"
    said = [f"{count} change{'s' if count > 1 else ''}", f"predicted {_signed(total['predicted_us'])} us"]
    said[-1] += _percent(total["predicted_us"])
    said.append(f"HBM {_signed(total['bytes'], 1e6)} MB")
    for name, title, unit in SUMMED:
        if not same(total[name].old, total[name].new):
            said.append(f"{title} {_signed(total[name], unit)}{' MB' if unit > 1 else ''}")
    return ", ".join(said)


def _table(rows: tuple[tuple[Cell, ...], ...]) -> Table:
    """Without the columns that say nothing."""
    used = [n for n in range(len(COLUMNS)) if n < 2 or any(row[n] for row in rows)]
    return Table(tuple(COLUMNS[n] for n in used), tuple(tuple(row[n] for n in used) for row in rows))


def _rows(change: Change) -> Iterator[tuple[Cell, ...]]:
    """One line a kernel; a few that belong together share one. The price stands on the last line."""
    times = f" x {change.count}" if change.count > 1 else ""
    if change.kind == CHANGED:
        lines = [("~", _renamed(change) + times)]
    else:
        lines = [*_side("-", change.old, times), *_side("+", change.new, times)]
    for mark, kernel in lines[:-1]:
        yield mark, kernel, "", "", ""
    us, moved = _us(change), change.price.get("bytes", Delta(0, 0))
    mark, kernel = lines[-1]
    yield (
        mark,
        kernel,
        "" if same(us.old, us.new) else f"{_signed(us)} us",
        "" if same(moved.old, moved.new) else f"{_signed(moved, 1e6)}",
        "; ".join(part for part in (", ".join(_fields(change)), *map(_because, change.because[:1])) if part),
    )


def _side(mark: str, names: tuple[str, ...], times: str) -> list[tuple[str, str]]:
    if len(names) > TOGETHER:
        return [(mark, name + times) for name in names]
    return [(mark, " + ".join(names) + times)] if names else []


def _renamed(change: Change) -> str:
    [old], [new] = change.old, change.new
    return new if old == new else f"{old} -> {new}"


def _because(b: Because) -> str:
    was = "" if b.plan == "new" else "was "
    way = f" (through {', '.join(b.path)})" if any(name not in b.reason for name in b.path) else ""
    return f"{was}{b.code} {f'{b.left} | {b.right}' if b.right else b.left}: {b.reason}{way}"


def _fields(change: Change) -> list[str]:
    said = [_field(f) for f in change.fields if f.name not in OWN_COLUMN and not f.name.startswith(OP)]
    rewritten = [f for f in change.fields if f.name.startswith(OP)]
    if rewritten:  # a new extent changes every op's type: the first says it
        more = f" and {len(rewritten) - 1} more ops" if len(rewritten) > 1 else ""
        said.insert(0, f"{_field(rewritten[0])}{more}")
    if change.code:
        plus, minus = (sum(line.startswith(mark) for line in change.code) for mark in "+-")
        said.append(f"code +{plus} -{minus} lines")
    return said


def _field(field: Field) -> str:
    if field.name == "ops":
        return ", ".join(f"{word} {names}" for word, names in (("without", field.old), ("with", field.new)) if names)
    show = _SHOWN.get(field.name, _value)
    name = field.name if "%" in field.name else field.name.replace("_", " ")
    return f"{name} {show(field.old)} -> {show(field.new)}"


def _value(value: Value) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else value


_SHOWN: dict[str, Callable[[Value], str]] = {
    "occupancy": lambda v: f"{v:.0%}" if isinstance(v, (int, float)) else _value(v),
    "bytes_min": lambda v: f"{v / 1e6:.4g} MB" if isinstance(v, (int, float)) else _value(v),
    "l2_bytes": lambda v: f"{v / 1e6:.4g} MB" if isinstance(v, (int, float)) else _value(v),
}


def _told(context: tuple[Context, ...]) -> list[Context]:
    """Another device has other constants: they are counted then, not listed."""
    if not any(c.what == "device" for c in context):
        return list(context)
    kept = [c for c in context if c.what != "constant"]
    rest = len(context) - len(kept)
    return [*kept, Context("constants", "", None, f"{rest} differ")] if rest else kept


def _context(context: Context) -> str:
    what = f"{context.what} {context.name}".strip()
    if context.what == "constants":
        return f"{what}: {context.new}"
    absent = "default" if context.what == "option" else "none"
    return f"{what}: {_plain(context.old, absent)} -> {_plain(context.new, absent)}"


def _plain(value: Value, absent: str) -> str:
    return absent if value is None else f"{value:g}" if isinstance(value, float) else clipped(str(value))


def _check(check: Check) -> str:
    delta = Delta(check.old, check.new)
    verdict = "holds" if check.holds else "does not hold"
    on = f" on {check.device}" if check.device else ""
    return f"{check.expression} {verdict}{on}: {check.old:,.6g} -> {check.new:,.6g}{_percent(delta)}"


def _sentence(change: Change) -> str:
    """A change on one line."""
    rows = list(_rows(change))
    kernels = " ".join(f"{row[0]} {row[1]}" for row in rows)
    return ": ".join(part for part in (kernels, ", ".join(str(c) for c in rows[-1][2:] if c)) if part)


def _code(change: Change, markdown: bool) -> str:
    body = "\n".join(change.code)
    title = f"code of {_renamed(change)}:"
    return f"{title}\n\n```diff\n{body}\n```" if markdown else f"{title}\n{body}"


def _lines(lines: list[str], markdown: bool) -> str:
    return "\n".join(f"- {line}" if markdown else line for line in lines)


def _us(change: Change) -> Delta:
    return change.price.get("predicted_us", Delta(0, 0))


def _signed(delta: Delta, unit: float = 1) -> str:
    return f"{delta.change / unit:+.4g}" if not same(delta.old, delta.new) else "+0"


def _percent(delta: Delta) -> str:
    if not delta.old or same(delta.old, delta.new):
        return ""
    return f" ({100 * delta.change / delta.old:+.3g} %)"
