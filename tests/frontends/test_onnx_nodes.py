"""ONNX's own node tests: on the reference evaluator and on the host target."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache as memoize
from pathlib import Path

import pytest

pytest.importorskip("onnx")

from fstc.build.cache import Cache
from tests.conftest import Golden
from tests.frontends.onnx_backend import Backend, HostBackend
from tests.frontends.onnx_cases import PASSED, cases, listed, outcome, outcomes, page
from tests.frontends.onnx_host import complaints, judge, planned

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "onnx.md"
EVERY, CHUNKS = 20, 32
# One of each family on the host, whatever the sample meets.
ON_HOST = (
    "test_softmax_axis_1", "test_layer_normalization_3d_axis2_epsilon", "test_lstm_with_peepholes", "test_gelu_tanh_2",
    "test_averagepool_2d_pads_count_include_pad", "test_gather_elements_1", "test_qlinearmatmul_2D_uint8_float32",
    "test_resize_downsample_scales_linear", "test_attention_4d", "test_reduce_log_sum_exp_keepdims_example",
)  # fmt: skip


@memoize
def others() -> dict[str, str]:
    """What does not pass, as the page says it."""
    return listed(DOCUMENT.read_text(encoding="utf-8"))


@pytest.fixture
def cache(shared_cache: None) -> Cache:
    return Cache.open(Path(os.environ["FSTC_CACHE_DIR"]))


@pytest.mark.parametrize("name", list(cases())[::EVERY])
def test_on_reference(name: str) -> None:
    assert outcome(name) == others().get(name, PASSED)


def test_on_host(tmp_path: Path, cache: Cache) -> None:
    assert complaints(ON_HOST, tmp_path, cache) == {}


@pytest.mark.parametrize("backend", [Backend, HostBackend])
def test_backend_interface(backend: type[Backend]) -> None:
    """As onnx.backend.test.runner.Runner calls it."""
    case = cases()["test_add"]
    inputs, outputs = case.data_sets[0]
    assert backend.supports_device("CPU")
    assert (backend.run_model(case.model, inputs)[0] == outputs[0]).all()


def test_wrong_results_are_seen(tmp_path: Path, cache: Cache) -> None:
    """One element that is off by a little more than the tolerance, one kernel that is another, one case refused."""
    with planned("test_exp") as (right,), planned("test_sin") as (broken,):
        off = right.expected[0].copy()
        off.flat[-1] *= 1.01
        texts = broken.work.texts("codegen")
        broken.work.files["codegen"] = {name: text.replace("sin(", "cos(") for name, text in texts.items()}
        assert broken.work.texts("codegen") != texts
        found = judge([replace(right, expected=[off]), broken], tmp_path, cache)
    assert set(found) == {"test_exp", "test_sin"}
    assert set(complaints(["test_add", "test_nonzero_example"], tmp_path, cache)) == {"test_nonzero_example"}


@pytest.mark.slow
def test_all_on_reference(golden: Golden) -> None:
    """Every one passes or is on the page with its reason."""
    golden(DOCUMENT, page(outcomes()))


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_all_on_host(chunk: int, tmp_path: Path, cache: Cache) -> None:
    """All that pass on the reference evaluator, as the page says."""
    passing = [name for name in cases() if name not in others()]
    assert complaints(passing[chunk::CHUNKS], tmp_path, cache) == {}
