"""Files of expectations: what is read, and that every mistake is shown at its place in one run."""

from __future__ import annotations

import pytest

from fstc.report.expect.metrics import KERNEL_METRICS, KERNEL_WORDS, PLAN_METRICS
from fstc.report.expect.parse import FILE_LIMIT, MOST_PROBLEMS, Expectations, parse_expectations
from fstc.support.diagnostics import Diagnostic, FstcError
from tests.conftest import ROOT

ALL = """
device: h200
kernels: <= 12
library_calls: 6
bytes: [">= 1 MB", <= 38 MB]
bytes_over_floor: <= 1.02
l2_bytes: < 1 GiB
predicted_us: <= 41.2
spills: 0
stitched: [softmax*, ["%max", exp]]
apart:
  - [a, b]
  - "*_sum"
kernel:
  "*softmax*": {scheme: warp, registers: <= 64, occupancy: ">= 50%", shared: <= 8 KB}
  k0_y: {scheme: [warp, block], bound: memory}
decisions: {FSN041: 0, FSN021: <= 3}
"""


def parse(text: str | bytes) -> Expectations:
    return parse_expectations(text if isinstance(text, bytes) else text.encode(), "e.yaml")


def problems(text: str | bytes) -> tuple[Diagnostic, ...]:
    with pytest.raises(FstcError) as caught:
        parse(text)
    assert caught.value.exit_code == 3
    return caught.value.diagnostics


def test_everything_at_once() -> None:
    found = parse(ALL)
    assert found.device and found.device.words == ("h200",)
    assert [(x.name, str(x.bound)) for x in found.limits] == [
        ("kernels", "<= 12"),
        ("library_calls", "6"),
        ("bytes", ">= 1 MB"),
        ("bytes", "<= 38 MB"),
        ("bytes_over_floor", "<= 1.02"),
        ("l2_bytes", "< 1 GiB"),
        ("predicted_us", "<= 41.2 us"),
        ("spills", "0 B"),
    ]
    assert [str(group) for group in found.stitched] == ["softmax*", "[max, exp]"]
    assert [str(group) for group in found.apart] == ["[a, b]", "*_sum"]
    first, second = found.kernels
    assert (first.pattern.text, [x.name for x in first.limits]) == ("*softmax*", ["registers", "occupancy", "shared"])
    assert [(c.name, c.words) for c in second.choices] == [("scheme", ("warp", "block")), ("bound", ("memory",))]
    assert [(x.name, str(x.bound)) for x in found.decisions] == [("FSN041", "0"), ("FSN021", "<= 3")]


def test_places_are_those_of_the_file() -> None:
    limit = next(x for x in parse(ALL).limits if x.name == "predicted_us")
    assert limit.span.source.locate(limit.span.start)[:2] == (8, 15)


@pytest.mark.parametrize(
    ("text", "line", "says", "help"),
    [
        ("kernls: 3", 1, "no key 'kernls'", "did you mean kernel or kernels?"),
        ("colour: red", 1, "no key 'colour'", "the keys: device, kernels"),
        ("kernels: twelve", 1, "'twelve' is not a whole number", ""),
        ("kernels:", 1, "nothing stands here", ""),
        ("kernels: ~", 1, "is not a whole number", ""),
        ("kernels: {a: 1}", 1, "needed, not a mapping", ""),
        ("kernels: []", 1, "the list is empty", ""),
        ("kernels: [[3]]", 1, "needed, not a list", ""),
        ("kernels: 3\nkernels: 4", 2, "given twice", ""),
        ("bytes: <= 38 QB", 1, "QB is no unit", ""),
        ("bytes: 1e400", 1, "is not a size", ""),
        ("predicted_us: .nan", 1, "is not a time", ""),
        ("predicted_us: 99999999999999999999999", 1, "is not a time", ""),
        ("device: [a, b]", 1, "the name of a device is needed, not a list", ""),
        ("stitched: softmax", 1, "a list of groups is needed", "- [max, exp]"),
        ("stitched: [{a: b}]", 1, "needed, not a mapping", ""),
        ("stitched: [[a, [b]]]", 1, "needed, not a list", ""),
        ("stitched: [*a]", 1, "needed, not an alias", "begins with *"),
        ("apart: [max]", 1, "max alone cannot be apart", "- [max, exp]"),
        ("kernel: [a]", 1, "a mapping is needed, not a list", ""),
        ("kernel: {a: 3}", 1, "a mapping is needed, not a value", ""),
        ("kernel:\n  a: {}", 2, "nothing is expected of a", ""),
        ("kernel: {a: {registrs: 3}}", 1, "no key 'registrs'", "did you mean registers?"),
        ("kernel: {a: {scheme: wrap}}", 1, "'wrap' is not thread, warp", "did you mean `warp`?"),
        ("kernel: {a: {occupancy: 150%}}", 1, "more than 100%", ""),
        ("kernel: {a: {ops: 1}, a: {ops: 2}}", 1, "given twice", ""),
        ("decisions: {FSN999: 0}", 1, "no key 'FSN999'", "FSN"),
        ("decisions: {FST0001: 0}", 1, "no key 'FST0001'", ""),
        ("decisions: {FSN041: -1}", 1, "'-1' is not a whole number", ""),
        ("<<: {kernels: 1}", 1, "no key '<<'", ""),
        ("kernels: !!python/object/apply:os.system ['true']", 1, "an item with a tag", ""),
        ("kernels: &x 3\nspills: *x", 2, "an alias", ""),
        ("[kernels]", 1, "a mapping of expectations is needed, not a list", "the keys"),
        ("kernels", 1, "a mapping of expectations is needed, not a value", "the keys"),
        ("kernels: 3\n---\nkernels: 3", 2, "a second document", ""),
        ("kernels: >= 3", 1, "no YAML", "quote it"),
        ("stitched: [%max]", 1, "no YAML", "leave the % away"),
    ],
)
def test_one_mistake(text: str, line: int, says: str, help: str) -> None:
    [found] = problems(text)
    assert found.code == "FST0430"
    assert says in found.message
    assert help in found.help
    assert found.label and found.label.span.source.locate(found.label.span.start)[0] == line


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "---\n"])
def test_an_empty_file_expects_nothing_and_is_refused(text: str) -> None:
    [found] = problems(text)
    assert "kernels" in (found.help or found.message)


def test_all_mistakes_in_one_run_in_the_order_of_the_file() -> None:
    text = "spills: x\nkernls: 3\nkernel:\n  a: {ops: y, zzz: 1}\n  b: {scheme: z}\nbytes: 1 QB\n"
    lines = [d.label.span.source.locate(d.label.span.start)[0] for d in problems(text) if d.label]
    assert lines == [1, 2, 4, 4, 5, 6]


def test_a_flood_of_mistakes_is_cut() -> None:
    text = "".join(f"x{n}: 1\n" for n in range(10 * MOST_PROBLEMS))
    assert len(text) < FILE_LIMIT
    assert len(problems(text)) == MOST_PROBLEMS


def test_not_utf8() -> None:
    [found] = problems(b"kernels: \xff")
    assert "UTF-8 (byte 9)" in found.message


def test_a_byte_order_mark_is_no_text() -> None:
    assert parse(b"\xef\xbb\xbfkernels: 3\n").limits[0].name == "kernels"


def test_the_documents_name_every_key() -> None:
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8").split("\n## Expectations\n")[1].split("\n## ")[0]
    example, _, notes = text.partition("\n```\n")
    shown = parse(example.partition("```yaml\n")[2])
    assert {limit.name for limit in shown.limits} == set(PLAN_METRICS) - {"spills"}, "which is explained below"
    assert shown.device and shown.stitched and shown.apart and shown.kernels and shown.decisions
    assert [key for key in (*KERNEL_METRICS, *KERNEL_WORDS) if f"`{key}`" not in notes] == []
