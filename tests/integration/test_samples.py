"""Every sample down the whole road: the kernels that ship on three devices, run and checked on the host."""

from __future__ import annotations

import pytest

from fstc.plan.artefact import Part, Plan
from tests.integration.shipped import (
    DEVICES,
    SAMPLES,
    Libraries,
    compile_kernels,
    complaints,
    real_plan,
    ship,
    verify_on_host,
)
from tests.samples import SAMPLES_DIR

# Launches beside library calls at the real extents, on each of DEVICES.
KERNELS = dict.fromkeys(SAMPLES, (1, 1, 1)) | {
    "asr_conv_module": (3, 3, 3),  # one a region
    "batchnorm_train_relu": (1, 3, 1),  # 64 rows for 108 SMs: the statistics in parts first are a little faster
    "bert_layer": (6, 6, 6),
    "bias_gelu_bwd": (1, 1, 2),
    "dien_attention": (7, 7, 7),
    "groupnorm_silu": (1, 2, 2),  # 32 rows: in parts over the grid
    "layernorm_bwd": (2, 2, 2),
    "rmsnorm_bwd": (2, 2, 2),
    "transformer_loss": (2, 2, 2),
}

# What must move no byte beyond its floor, in one kernel a region.
AT_THE_FLOOR = (
    "adam",
    "add_rmsnorm_quant",
    "asr_conv_module",
    "asr_masked_softmax",
    "bias_gelu",
    "crnn_lstm_cells",
    "dien_augru_cell",
    "dien_row_reduce",
    "layernorm_train",
    "qk_norm_rope",
    "softmax_bwd",
    "softmax_mask",
    "swiglu",
)
MOST_BERT_KERNELS = 7


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Libraries:
    """All kernels of all samples and devices; compiling is most of the cost, so it is done once."""
    return compile_kernels((k for s in SAMPLES for d in DEVICES for k in ship(s, d).kernels), tmp_path_factory)


def structure(plan: Plan) -> list[object]:
    """What a plan keeps when it is carried over: all but extents, grids, traffic and how often a loop goes round."""
    kernels = [kernel for region in plan.regions for kernel in region.kernels]
    return [(k.scheme, k.threads, k.shared, [_structure(part) for part in k.parts]) for k in kernels]


def _structure(part: Part) -> tuple[object, ...]:
    digits = [(p.axis, p.vector, p.lanes, p.lane_stride, p.warps, p.warp_stride, p.serial > 1) for p in part.placement]
    edges = [(e.value, e.user, e.scheme, e.carrier) for e in part.edges]
    return digits, part.nests, part.holds, part.exchanges, part.groups, edges


def test_tables_name_samples() -> None:
    assert {p.stem for p in SAMPLES_DIR.glob("*.fir")} == set(SAMPLES) == KERNELS.keys()
    assert all(set(KERNELS[s]) == {1} for s in AT_THE_FLOOR if s != "asr_conv_module")
    assert max(KERNELS["bert_layer"]) <= MOST_BERT_KERNELS


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("sample", SAMPLES)
def test_real_extents(sample: str, device: str) -> None:
    _, plan = real_plan(sample, device)
    assert plan.device == device
    assert plan.summary.kernels == KERNELS[sample][DEVICES.index(device)], "meant? then say so in KERNELS"
    assert plan.summary.bytes >= plan.summary.bytes_min
    if sample in AT_THE_FLOOR:
        assert plan.summary.bytes == plan.summary.bytes_min
        assert all(len(region.kernels) == 1 for region in plan.regions)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("sample", SAMPLES)
def test_carried_over(sample: str, device: str) -> None:
    """The kernels that the host checks are the kernels that ship."""
    assert structure(ship(sample, device).plan) == structure(real_plan(sample, device)[1])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("sample", SAMPLES)
def test_on_the_host(sample: str, device: str, libraries: Libraries) -> None:
    """Four orders and the checker: no fault, results within tolerance, traffic as predicted."""
    shipped = ship(sample, device)
    found = verify_on_host(shipped, libraries)
    assert complaints(found) == []
    assert found.ok
    assert len(found.traffic) == shipped.plan.summary.kernels
    if sample in AT_THE_FLOOR:
        assert [t.bytes for t in found.traffic] == [t.predicted_bytes for t in found.traffic]
        assert sum(t.bytes for t in found.traffic) == shipped.plan.summary.bytes_min
