"""Every sample: the extents it promises, and its reference against the model's textbook formula."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from fstc.ir.graph import Graph
from fstc.ir.parser import parse_file
from fstc.ir.reference import evaluate
from tests.samples import ODD, ORACLES, SAMPLES_DIR, SMALL, assert_close, expected, random_feeds

# The inputs that make a sample what it is, at the real extents.
REAL = {
    "layernorm_train": {"x": "f32[4096,1024]", "residual": "f32[4096,1024]", "keep": "bool[4096,1024]"},
    "layernorm_bwd": {"dy": "f32[4096,1024]", "x": "f32[4096,1024]"},
    "softmax_mask": {"scores": "f32[32,12,128,128]", "mask": "f32[32,128]"},
    "softmax_bwd": {"y": "f32[32,12,128,128]", "dy": "f32[32,12,128,128]"},
    "bias_gelu": {"x": "f32[4096,4096]"},
    "bias_gelu_bwd": {"dy": "f32[4096,4096]", "x": "f32[4096,4096]"},
    "bert_layer": {"hidden": "f32[8,128,768]", "query_weight": "f32[768,768]", "up_weight": "f32[768,3072]"},
    "dien_attention": {"z": "f32[25600,80]", "history": "f32[256,100,36]"},
    "dien_augru_cell": {"gates": "f32[256,216]", "h": "f32[256,108]"},
    "dien_row_reduce": {"item": "f32[750000,32]"},
    "transformer_loss": {"logits": "f32[64,30000]", "label": "i32[64]"},
    "adam": {"norm_p": "f32[64]", "widest_p": "f32[9437184]"},
    "asr_masked_softmax": {"scores": "f32[8,4,400,400]"},
    "asr_conv_module": {"x": "f32[8,400,512]", "expand_weight": "f32[512,1024]"},
    "crnn_lstm_cells": {"forward_gates_x": "f32[8,1024]", "backward_gates_x": "f32[8,1024]"},
    "crnn_bn_relu_permute": {"x": "f32[64,512,1,33]"},
    "rmsnorm_bwd": {"dy": "bf16[16384,4096]", "x": "bf16[16384,4096]"},
    "add_rmsnorm_quant": {"x": "bf16[8192,4096]"},
    "qk_norm_rope": {"query": "bf16[8192,32,128]", "key": "bf16[8192,8,128]", "cos": "f32[8192,64]"},
    "cross_entropy": {"logits": "bf16[4096,128256]"},
    "groupnorm_silu": {"x": "bf16[1,320,64,64]"},
    "batchnorm_train_relu": {"x": "f32[32,64,56,56]"},
    "moe_combine_rmsnorm": {"expert_rows": "bf16[16384,2048]", "slot": "i32[2048,8]", "residual": "bf16[2048,2048]"},
    "swiglu": {"gate": "bf16[2048,11008]", "up": "bf16[2048,11008]"},
}
# Inputs to scale so that a sample leaves its usual range: an epsilon as large as the variance beside it, scores whose
# exponentials overflow unless the maximum is subtracted.
EXTREME: dict[str, dict[str, float]] = {
    "layernorm_train": {"x": 1e-6, "residual": 1e-6},
    "add_rmsnorm_quant": {"x": 2e-3, "residual": 2e-3},
    "moe_combine_rmsnorm": {"expert_rows": 5e-4, "residual": 5e-4},
    "groupnorm_silu": {"x": 2e-3},
    "batchnorm_train_relu": {"x": 2e-3},
    "crnn_bn_relu_permute": {"running_variance": 1e-5},
    "qk_norm_rope": {"query": 1e-3, "key": 1e-3},
    "dien_attention": {"z": 2e-5},
    "asr_conv_module": {"depthwise_weight": 1e-3, "depthwise_bias": 1e-3},
    "softmax_mask": {"scores": 100, "mask": 100},
    "asr_masked_softmax": {"scores": 100},
    "bert_layer": {"query_weight": 50, "key_weight": 50},
    "transformer_loss": {"logits": 50},
    "cross_entropy": {"logits": 50},
    "adam": {"norm_g": 1e-7, "norm_m": 1e-7, "norm_v": 0},
}
LARGEST_TENSOR = 600_000  # elements at the extents of a test


def parse(sample: str, binding: Mapping[str, int]) -> Graph:
    return parse_file(SAMPLES_DIR / f"{sample}.fir", binding)


def run(graph: Graph, feeds: Mapping[str, Any], *, wide: bool = False) -> tuple[Any, ...]:
    values = evaluate(graph, {i: feeds[graph.values[i].name] for i in graph.inputs}, wide=wide)
    return tuple(values[i] for i in graph.outputs)


def compare(sample: str, graph: Graph, feeds: Mapping[str, Any]) -> None:
    """Rounded as the types say, and with f32 values that keep float64's digits."""
    want = expected(sample, feeds, dict(graph.dims))
    rounded, wide = run(graph, feeds), run(graph, feeds, wide=True)
    assert len(rounded) == len(wide) == len(want) == len(graph.outputs)
    for value, strictly, widely, theirs in zip(graph.outputs, rounded, wide, want, strict=True):
        assert strictly.dtype == graph.type(value).dtype.numpy()
        assert_close(graph.values[value].name, strictly, np.asarray(theirs))
        assert_close(graph.values[value].name, widely, np.asarray(theirs))


def test_tables_name_every_sample() -> None:
    files = {path.stem for path in SAMPLES_DIR.glob("*.fir")}
    assert len(files) == 24
    assert files == REAL.keys() == ORACLES.keys() == SMALL.keys() == ODD.keys()


@pytest.mark.parametrize("sample", REAL)
def test_real_extents(sample: str) -> None:
    graph = parse(sample, {})
    assert graph.module == sample
    types = {graph.values[i].name: str(graph.type(i)) for i in graph.inputs}
    assert {name: types[name] for name in REAL[sample]} == REAL[sample]


@pytest.mark.parametrize("table", [SMALL, ODD], ids=["small", "odd"])
@pytest.mark.parametrize("sample", REAL)
def test_reference_is_the_textbook_formula(sample: str, table: dict[str, dict[str, int]]) -> None:
    graph = parse(sample, table[sample])
    assert max(value.type.elements for value in graph.values) <= LARGEST_TENSOR
    compare(sample, graph, random_feeds(graph, seed=7))


@pytest.mark.parametrize("sample", REAL)
def test_small_only_shrinks(sample: str) -> None:
    real = dict(parse(sample, {}).dims)
    assert all(1 < extent <= real[name] for name, extent in SMALL[sample].items())


@pytest.mark.parametrize("sample", EXTREME)
def test_extreme_inputs(sample: str) -> None:
    graph = parse(sample, ODD[sample])
    feeds = random_feeds(graph, seed=13)
    for name, factor in EXTREME[sample].items():
        scaled = feeds[name].astype(np.float64) * factor
        if factor > 1:  # eighths, so that large scores are exact in f32 and no exponential magnifies their rounding
            scaled = np.rint(scaled * 8) / 8
        feeds[name] = scaled.astype(feeds[name].dtype)
    compare(sample, graph, feeds)


@pytest.mark.parametrize("sample", ["softmax_mask", "bert_layer"])
def test_a_mask_that_hides_keys(sample: str) -> None:
    graph = parse(sample, ODD[sample])
    feeds = random_feeds(graph, seed=8)
    hidden = np.random.default_rng(9).random(feeds["mask"].shape) < 0.5
    feeds["mask"] = np.where(hidden, np.float32(-10000), np.float32(0))
    compare(sample, graph, feeds)


@pytest.mark.parametrize("sample", ["asr_masked_softmax", "dien_attention"])
def test_shortest_and_longest_sequences(sample: str) -> None:
    graph = parse(sample, ODD[sample])
    feeds = random_feeds(graph, seed=10)
    longest = dict(graph.dims)["K" if sample == "asr_masked_softmax" else "T"]
    feeds["length"][:2] = 1, longest
    compare(sample, graph, feeds)


def test_a_row_of_zeros_is_quantised_to_zeros() -> None:
    graph = parse("add_rmsnorm_quant", ODD["add_rmsnorm_quant"])
    feeds = random_feeds(graph, seed=11)
    feeds["residual"][2] = -feeds["x"][2]
    _, q, scale = run(graph, feeds)
    assert scale[2] == np.float32(1 / (448 * 512))
    assert not q[2].astype(np.float32).any()
    compare("add_rmsnorm_quant", graph, feeds)


def test_a_quantised_row_uses_the_whole_range() -> None:
    graph = parse("add_rmsnorm_quant", ODD["add_rmsnorm_quant"])
    _, q, _ = run(graph, random_feeds(graph, seed=12))
    assert (np.abs(q.astype(np.float32)).max(1) == 448).all()


def test_adam_donates_parameters_and_moments() -> None:
    graph = parse("adam", {})
    donated = {
        graph.values[i].name: dict(graph.values[i].attrs)["alias"]
        for i in graph.inputs
        if "alias" in dict(graph.values[i].attrs)
    }
    assert len(donated) == 36
    for name, output in donated.items():
        result = graph.values[graph.outputs[output]]
        assert result.name == f"{name}_next"
