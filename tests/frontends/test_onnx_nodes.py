"""ONNX's own node tests: on the reference evaluator and, fewer, on the host target."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnx")

from tests.conftest import Golden
from tests.frontends.onnx_backend import Backend, on_host
from tests.frontends.onnx_cases import PASSED, cases, outcome, outcomes, page

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "onnx.md"
EVERY, EVERY_ON_HOST = 20, 120
# One of each family on the host, whatever the sample meets.
ON_HOST = (
    "test_softmax_axis_1", "test_layer_normalization_3d_axis2_epsilon", "test_lstm_with_peepholes", "test_gelu_tanh_2",
    "test_averagepool_2d_pads_count_include_pad", "test_gather_elements_1", "test_qlinearmatmul_2D_uint8_float32",
    "test_resize_downsample_scales_linear", "test_attention_4d", "test_reduce_log_sum_exp_keepdims_example",
)  # fmt: skip


@pytest.mark.parametrize("name", list(cases())[::EVERY])
def test_on_reference(name: str) -> None:
    outcome(name)


@pytest.mark.parametrize("name", ON_HOST)
def test_on_host(name: str) -> None:
    assert outcome(name, on_host) == PASSED


def test_backend_interface() -> None:
    """As onnx.backend.test.runner.Runner calls it."""
    case = cases()["test_add"]
    inputs, outputs = case.data_sets[0]
    assert Backend.supports_device("CPU")
    assert (Backend.run_model(case.model, inputs)[0] == outputs[0]).all()


@pytest.mark.slow
def test_all_on_reference(golden: Golden) -> None:
    """Every one passes or is on the page with its reason."""
    golden(DOCUMENT, page(outcomes()))


@pytest.mark.slow
def test_some_on_host() -> None:
    passing = [name for name, why in outcomes().results.items() if why == PASSED]
    for name in passing[::EVERY_ON_HOST]:
        assert outcome(name, on_host) == PASSED, name
