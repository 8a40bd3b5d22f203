"""docs/torch.md says what PyTorch's samples give: a part is run here, all of it in ``make test-full``."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from bench.torch_ops import SAMPLES, row, rows  # noqa: E402
from tests.frontends import opinfo  # noqa: E402

PAGE = Path(__file__).resolve().parents[2] / "docs" / "torch.md"
CHUNKS = 24
# one or two of each family, quick ones
SAMPLED = (
    "add", "div.floor_rounding", "remainder", "clamp", "where", "asinh", "nn.functional.gelu", "index_select",
    "index_put", "scatter_reduce.amax", "cumsum", "softmax", "var_mean", "sort", "as_strided", "diagonal",
    "slice_scatter", "unfold", "matmul", "baddbmm", "nn.functional.layer_norm", "nn.functional.max_pool2d",
    "nn.functional.conv2d", "native_batch_norm",
)  # fmt: skip


def counts(op: opinfo.Operator) -> tuple[int, ...]:
    done = [o for dtype in opinfo.DTYPES for o in opinfo.outcomes(op, dtype, SAMPLES)]
    return row([(o.what, o.reason) for o in done])


def page() -> dict[str, tuple[int, ...]]:
    text = PAGE.read_text()
    version = torch.__version__.partition("+")[0]
    if f"torch {version}:" not in text:
        pytest.skip(f"docs/torch.md was made with another torch than {version}: its samples differ")
    return rows(text)


def test_the_page_keeps_what_it_promises():
    """At least 97 of 100 samples of what is supported pass, and the table says what the summary says."""
    found = page()
    passed, failed = (sum(counts[i] for counts in found.values()) for i in (0, 1))
    assert passed >= 0.97 * (passed + failed)
    assert f"{passed:,} pass" in PAGE.read_text()


@pytest.mark.parametrize("name", SAMPLED)
def test_some_operators(name):
    found = opinfo.outcomes(opinfo.operator(name), "float32", 2) + opinfo.outcomes(opinfo.operator(name), "bfloat16", 1)
    assert found and all(o.what in (opinfo.PASSED, opinfo.REFUSED) for o in found), found
    assert any(o.what == opinfo.PASSED for o in found)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_all_operators_are_as_the_page_says(chunk):
    wanted, threads = page(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for op in opinfo.op_db[chunk::CHUNKS]:
            found = counts(op)
            assert not any(found) or found == wanted.get(opinfo.label(op)), opinfo.label(op)
    finally:
        torch.set_num_threads(threads)
