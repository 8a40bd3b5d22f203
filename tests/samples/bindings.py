"""Extents at which tests run the samples, as ``--bind`` takes them.

SMALL shrinks only axes that the real plan puts on the grid (rows, batches, channels of a statistic), so that
reduced and vectorised extents, and with them placements and schemes, stay those of the real sizes. ODD makes
every extent awkward: guards, tails and unaligned rows. Both keep a tensor below a few 10^5 elements. SHIP is for
the kernels that ship: a plan made at the real extents can be carried over to it (fstc/plan/transfer.py), so it must
leave alone what a kernel reduces, and give a split reduction two parts or more.
Example: ``SMALL["layernorm_train"] == {"N": 24}``.
"""

from __future__ import annotations

Binding = dict[str, int]

ADAM_TENSORS = (
    "NORM",
    "POOL",
    "BIAS",
    "SEGMENT",
    "INNER",
    "VOCAB",
    "POSITION",
    "ATTENTION",
    "SQUARE",
    "FFN",
    "WIDE",
    "WIDEST",
)


def _adam(*sizes: int) -> Binding:
    return dict(zip(ADAM_TENSORS, sizes, strict=True))


SMALL: dict[str, Binding] = {
    "layernorm_train": {"N": 24},
    "layernorm_bwd": {"N": 48},
    "softmax_mask": {"B": 2, "H": 3, "Q": 8},
    "softmax_bwd": {"B": 2, "H": 3, "Q": 8},
    "bias_gelu": {"N": 16},
    "bias_gelu_bwd": {"N": 32},
    "bert_layer": {"B": 2, "F": 768},
    "dien_attention": {"B": 16},
    "dien_augru_cell": {"B": 64},
    "dien_row_reduce": {"N": 6000},
    "transformer_loss": {"N": 2},
    "adam": _adam(64, 511, 768, 1535, 3071, 4099, 5003, 6151, 7919, 9001, 10007, 12289),
    "asr_masked_softmax": {"B": 2, "H": 2, "Q": 10},
    "asr_conv_module": {"B": 2, "T": 40},
    "crnn_lstm_cells": {},  # the real one is small
    "crnn_bn_relu_permute": {"B": 4},
    "rmsnorm_bwd": {"N": 32},
    "add_rmsnorm_quant": {"N": 16},
    "qk_norm_rope": {"T": 8},
    "cross_entropy": {"N": 2},
    "groupnorm_silu": {"C": 20, "G": 2},  # 10 channels a group, as in the real one
    "batchnorm_train_relu": {"C": 2},
    "moe_combine_rmsnorm": {"T": 8},
    "swiglu": {"N": 8},
}

ODD: dict[str, Binding] = {
    "layernorm_train": {"N": 7, "D": 1001},
    "layernorm_bwd": {"N": 37, "D": 1001},
    "softmax_mask": {"B": 3, "H": 5, "Q": 7, "K": 101},
    "softmax_bwd": {"B": 3, "H": 5, "Q": 7, "K": 101},
    "bias_gelu": {"N": 5, "D": 1003},
    "bias_gelu_bwd": {"N": 37, "D": 1003},
    "bert_layer": {"B": 3, "S": 17, "E": 55, "H": 5, "F": 101},
    "dien_attention": {"B": 7, "T": 37, "A": 29, "D": 11},
    "dien_augru_cell": {"B": 13, "H": 37},
    "dien_row_reduce": {"N": 1003, "D": 29},
    "transformer_loss": {"N": 3, "V": 10007},
    "adam": _adam(1, 3, 7, 31, 33, 127, 129, 255, 257, 1001, 1023, 2049),
    "asr_masked_softmax": {"B": 3, "H": 3, "Q": 5, "K": 397},
    "asr_conv_module": {"B": 3, "T": 19, "E": 101, "W": 5},
    "crnn_lstm_cells": {"B": 3, "H": 101},
    "crnn_bn_relu_permute": {"B": 5, "C": 101, "W": 31},
    "rmsnorm_bwd": {"N": 19, "D": 1003},
    "add_rmsnorm_quant": {"N": 5, "D": 1003},
    "qk_norm_rope": {"T": 7, "QH": 5, "KH": 3, "D": 66},
    "cross_entropy": {"N": 3, "V": 10007},
    "groupnorm_silu": {"N": 3, "C": 15, "G": 5, "H": 7, "W": 9},
    "batchnorm_train_relu": {"N": 5, "C": 3, "H": 7, "W": 9},
    "moe_combine_rmsnorm": {"T": 7, "K": 3, "D": 1001},
    "swiglu": {"N": 3, "F": 1003},
}

SHIP: dict[str, Binding] = SMALL | {
    "layernorm_bwd": {"N": 64},  # two parts of 32 rows
    "bias_gelu_bwd": {"N": 256, "D": 512},  # two parts of 128 rows
    "rmsnorm_bwd": {"N": 256},  # two parts of 128 rows; D is reduced too
    "bert_layer": {"B": 2},  # its matrix products want the real F
    "cross_entropy": {"N": 4},  # one block of four rows
    "transformer_loss": {},  # the mean over N is not split, and V is reduced
}

__all__ = ["ADAM_TENSORS", "ODD", "SHIP", "SMALL", "Binding"]
