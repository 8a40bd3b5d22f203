"""docs/torch.md: PyTorch's OpInfo samples through the importer, counted by operator.

Example: ``python bench/torch_ops.py -o docs/torch.md`` (some twenty minutes); ``--only softmax,matmul`` prints those.
``--partial FILE`` keeps what is done, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SAMPLES = 3  # of each operator and element type
PASSED, FAILED, REFUSED, SKIPPED = "passed", "failed", "refused", "skipped"

# Where our result differs from torch's beyond its tolerance, and why.
DIFFERENCES = {
    "argsort": "of equal elements torch promises no order",
    "addmm.decomposed": "16 bits: the product is rounded before the bias is added",
    "addmm": "16 bits: the product is rounded before the bias is added",
    "nn.functional.linear": "16 bits: the product is rounded before the bias is added",
    "nn.functional.bilinear": "16 bits: products are rounded one by one",
    "nn.functional.conv1d": "16 bits: the product is rounded before the bias is added",
    "nn.functional.conv2d": "16 bits: the product is rounded before the bias is added",
    "nn.functional.conv3d": "16 bits: the product is rounded before the bias is added",
    "nn.functional.conv_transpose1d": "16 bits: the product is rounded before the bias is added",
    "nn.functional.conv_transpose2d": "16 bits: the product is rounded before the bias is added",
    "nn.functional.conv_transpose3d": "16 bits: the product is rounded before the bias is added",
    "nn.functional.scaled_dot_product_attention": "16 bits: scores and weights are rounded for the two products",
}

HEAD = """# PyTorch operators

<!-- made by: python bench/torch_ops.py -o docs/torch.md -->

The oracle of the PyTorch importer is torch's own database of operators and samples (OpInfo, `op_db`), on the CPU in
float32, float16, bfloat16, int64 and bool. Of each operator and type the first {samples} samples are exported
(`torch.export`), imported, run by the reference evaluator and compared with torch's result, within the tolerance of
`torch.testing` or that of torch's own tests of the operator. Where torch rounds an operator of 16 bits several times,
a result counts that is no further from torch's float64 result than torch's own. Of equal elements torch promises no
order: indices of `sort`, `topk`, `kthvalue` and medians are not compared.

`tests/frontends/test_torch_opinfo.py` runs a part of this in `make test` and all of it in `make test-full`.

torch {version}: of {judged:,} samples of operators that lower to what fstc supports, {passed:,} pass ({share:.1%}),
{failed} differ. {refused} more are refused with a reason; {skipped} cannot be judged (torch cannot export them, or
their content is not defined).
"""


def counted(names: set[str] | None, partial: Path | None) -> dict[str, list[tuple[str, str]]]:
    """Outcomes by operator."""
    import torch

    from tests.frontends import opinfo

    torch.set_num_threads(1)
    found: dict[str, list[tuple[str, str]]] = {}
    if partial and partial.exists():
        for line in partial.read_text().splitlines():
            name, outcomes = json.loads(line)
            found[name] = [(what, reason) for what, reason in outcomes]
    for op in opinfo.op_db:
        name = opinfo.label(op)
        if name in found or (names is not None and name not in names):
            continue
        done = [o for dtype in opinfo.DTYPES for o in opinfo.outcomes(op, dtype, SAMPLES)]
        found[name] = [(o.what, o.reason) for o in done]
        if partial:
            with partial.open("a") as file:
                file.write(json.dumps([name, found[name]]) + "\n")
    return found


def row(outcomes: list[tuple[str, str]]) -> tuple[int, int, int, int]:
    """Passed, failed, refused, skipped."""
    whats = [what for what, _ in outcomes]
    return whats.count(PASSED), whats.count(FAILED), whats.count(REFUSED), whats.count(SKIPPED)


def page(found: dict[str, list[tuple[str, str]]]) -> str:
    import torch

    totals = [sum(column) for column in zip(*map(row, found.values()), strict=True)]
    passed, failed, refused, skipped = totals
    judged = passed + failed
    head = HEAD.format(
        samples=SAMPLES, version=torch.__version__.partition("+")[0], judged=judged, passed=passed, failed=failed,
        share=passed / judged, refused=refused, skipped=skipped,
    )  # fmt: skip
    return "\n".join([head, *_differences(found), *_refusals(found), *_table(found)]) + "\n"


def _differences(found: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    yield "## Samples that differ\n\n| operator | samples | why |\n|---|---:|---|"
    for name, outcomes in sorted(found.items()):
        failed = [reason for what, reason in outcomes if what == FAILED]
        if failed:
            yield f"| `{name}` | {len(failed)} | {DIFFERENCES.get(name) or failed[0]} |"
    yield ""


def _refusals(found: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    """By reason: the operators and how many samples."""
    yield "## Refused\n\n| why | samples | of |\n|---|---:|---|"
    reasons: dict[str, dict[str, int]] = {}
    for name, outcomes in sorted(found.items()):
        for what, reason in outcomes:
            if what == REFUSED:
                operators = reasons.setdefault(reason.replace("|", "\\|"), {})
                operators[name] = operators.get(name, 0) + 1
    for reason, operators in sorted(reasons.items()):
        yield f"| {reason} | {sum(operators.values())} | {', '.join(f'`{name}`' for name in operators)} |"
    yield ""


def _table(found: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    yield "## All operators\n\n| operator | pass | differ | refused | not judged |\n|---|---:|---:|---:|---:|"
    for name, outcomes in sorted(found.items()):
        if outcomes:
            yield f"| `{name}` | " + " | ".join(str(n or "") for n in row(outcomes)) + " |"


def rows(text: str) -> dict[str, tuple[int, ...]]:
    """The counts of a page, by operator."""
    found: dict[str, tuple[int, ...]] = {}
    for line in text.partition("## All operators")[2].splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) == 5 and cells[0].startswith("`"):
            found[cells[0].strip("`")] = tuple(int(c or 0) for c in cells[1:])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--partial", type=Path)
    args: Any = parser.parse_args()
    text = page(counted(set(args.only.split(",")) if args.only else None, args.partial))
    if args.output:
        args.output.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
