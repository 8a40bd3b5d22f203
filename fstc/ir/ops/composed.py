"""Names that people try and that are no ops: how each is composed of ops.

Example: ``hint("relu", OPS)`` is "relu is not an op: `max` with a `broadcast_in_dim` of 0". In the texts, backquotes
hold names of ops and nothing else, so that a test can look them up.
"""

from __future__ import annotations

from collections.abc import Collection

_SCALED = "the mean of squares by `reduce_sum` and `div`, then `add`, `rsqrt` and `mul`"
_NORMALISED = "mean and variance by `reduce_sum` and `div`, then `sub`, `rsqrt` and `mul`"

COMPOSED = {
    "softmax": "`sub` of a `reduce_max`, `exp`, `div` by a `reduce_sum` (samples/softmax_mask.fir)",
    "log_softmax": "`sub` of a `reduce_max`, `sub` of the `log` of a `reduce_sum` of `exp` (samples/cross_entropy.fir)",
    "logsumexp": "`reduce_max`, `sub`, `exp`, `reduce_sum`, `log`, `add`",
    "cross_entropy": "a log-softmax and a `gather` or `select` of the label's term (samples/cross_entropy.fir)",
    "relu": "`max` with a `broadcast_in_dim` of 0",
    "leaky_relu": "`select` between x and a `mul` of it, by `compare` with 0",
    "elu": "`select` between x and `expm1` of it, by `compare` with 0",
    "gelu": "x times `erf` or `tanh` of a polynomial, by `mul` and `add` (samples/bias_gelu.fir)",
    "silu": "`mul` of x and its `logistic` (samples/swiglu.fir)",
    "swiglu": "`logistic` and two `mul` (samples/swiglu.fir)",
    "softplus": "`log1p` of `exp`",
    "layer_norm": f"{_NORMALISED} (samples/layernorm_train.fir)",
    "batch_norm": f"{_NORMALISED} (samples/batchnorm_train_relu.fir)",
    "group_norm": f"`reshape`, {_NORMALISED} (samples/groupnorm_silu.fir)",
    "rms_norm": f"{_SCALED} (samples/add_rmsnorm_quant.fir)",
    "mean": "`reduce_sum`, then `div` by the number of elements",
    "var": "`reduce_sum` of squared differences from the mean, then `div`",
    "sum": "`reduce_sum` with axes",
    "prod": "`reduce_prod` with axes",
    "sigmoid": "`logistic`",
    "clip": "`clamp`",
    "square": "`mul` of x by itself",
    "reciprocal": "`div` of 1 by x",
    "matmul": "`dot_general`",
    "linear": "`dot_general`, then `add` of a `broadcast_in_dim` of the bias",
    "attention": "`dot_general`, a softmax, `dot_general` (samples/softmax_mask.fir is the middle)",
    "dropout": "`rng_bit_generator`, `compare` with a threshold, `select`, `mul`",
    "embedding": "`gather` of rows",
    "one_hot": "`compare` of an `iota` with the indices, then `convert`",
    "where": "`select`",
    "cast": "`convert`; the result's type says to what",
    "concat": "`concatenate`",
    "split": "one `slice` for each part",
    "permute": "`transpose`",
    "expand": "`broadcast_in_dim`",
}
ALIASES = {
    "swish": "silu",
    "mm": "matmul",
    "bmm": "matmul",
    "gemm": "matmul",
    "einsum": "matmul",
    "dense": "linear",
    "variance": "var",
    "cat": "concat",
    "astype": "cast",
}


def hint(name: str, ops: Collection[str]) -> str:
    """What to write instead of a name that is no op; "" where nothing is known of it."""
    bare = name.rpartition(".")[2]
    if bare != name and bare in ops:
        return f"ops have no prefix: write `{bare}`"
    plain = bare.replace("_", "").lower()
    found = ALIASES.get(plain) or next((entry for entry in COMPOSED if entry.replace("_", "") == plain), "")
    return f"{name} is not an op: {COMPOSED[found]}" if found else ""
