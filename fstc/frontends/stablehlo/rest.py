"""Ops that need more than the table's ops, in short form, and those that are refused, with the reason.

Example: ``REST["stablehlo.fft"].refused``.
"""

from __future__ import annotations

from collections.abc import Mapping

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.composed.precision import rounded_once
from fstc.frontends.stablehlo.bodies import apply
from fstc.frontends.stablehlo.walk import Entry, Site, refuse

COLLECTIVE = "a collective between devices: fstc compiles for one"
COMPLEX = "complex numbers: fstc has none"
EFFECT = "a side effect: fstc's graphs have none"
ASYNC = "an asynchronous call"


def map_(s: Site, *xs: Val) -> Val:
    return apply(s.b, s.region(), xs)[0]


def batch_norm_inference(s: Site, x: Val, scale: Val, offset: Val, mean: Val, variance: Val) -> Val:
    def of(x: Val, scale: Val, offset: Val, mean: Val, variance: Val) -> Val:
        return _normalised(s, x, scale, offset, mean, variance)

    return rounded_once(s.b, of, x, scale, offset, mean, variance)


def _normalised(s: Site, x: Val, scale: Val, offset: Val, mean: Val, variance: Val) -> Val:
    b = s.b
    axis, epsilon = s.attr("feature_index"), s.attr("epsilon")

    def along(v: Val) -> Val:
        return b.reshape(v, [v.shape[0] if d == axis else 1 for d in range(x.rank)])

    factor = b.ew("rsqrt", b.ew("add", variance, epsilon))
    centred = b.ew("mul", b.ew("sub", x, along(mean)), along(factor))
    return b.ew("add", b.ew("mul", centred, along(scale)), along(offset))


def batch_norm_training(s: Site, x: Val, scale: Val, offset: Val) -> list[Val]:
    b, axis = s.b, s.attr("feature_index")
    if x.dtype.size < 4:
        raise Unsupported(f"statistics of {x.dtype}: convert to f32 first")
    axes = [d for d in range(x.rank) if d != axis]
    mean = b.mean(x, axes)
    kept = b.reshape(mean, [mean.shape[0] if d == axis else 1 for d in range(x.rank)])
    centred = b.ew("sub", x, kept)
    variance = b.mean(b.ew("mul", centred, centred), axes)
    return [_normalised(s, x, scale, offset, mean, variance), mean, variance]


REST: Mapping[str, Entry] = {
    "stablehlo.rng_bit_generator": refuse(
        "XLA derives the bits from a scrambled key, fstc's Philox from the key itself: use JAX's default, threefry keys"
    ),
    "stablehlo.map": Entry(map_, "its body, on whole tensors"),
    "stablehlo.batch_norm_inference": Entry(batch_norm_inference, "an expansion"),
    "stablehlo.batch_norm_training": Entry(batch_norm_training, "an expansion"),
    "stablehlo.batch_norm_grad": refuse("the gradient of a batch normalisation as one op: JAX writes it out"),
    "stablehlo.cholesky": refuse("a factorisation"),
    "stablehlo.triangular_solve": refuse("a solver"),
    "stablehlo.fft": refuse(COMPLEX),
    "stablehlo.complex": refuse(COMPLEX),
    "stablehlo.real": refuse(COMPLEX),
    "stablehlo.imag": refuse(COMPLEX),
    "stablehlo.einsum": refuse("a product by formula: dot_general says the same"),
    "stablehlo.unary_einsum": refuse("a reduction by formula: reduce says the same"),
    "stablehlo.torch_index_select": refuse("an old op: gather says the same"),
    "stablehlo.rng": refuse("random numbers of no defined generator: use rng_bit_generator or threefry"),
    "stablehlo.uniform_quantize": refuse("quantised types: write quantisation as arithmetic on integers"),
    "stablehlo.uniform_dequantize": refuse("quantised types: write quantisation as arithmetic on integers"),
    **{f"stablehlo.{n}": refuse(COLLECTIVE) for n in (
        "all_gather", "all_reduce", "all_to_all", "collective_broadcast", "collective_permute", "cross-replica-sum",
        "partition_id", "reduce_scatter", "replica_id")},
    **{f"stablehlo.{n}": refuse(EFFECT) for n in ("infeed", "outfeed", "recv", "send")},
    **{f"stablehlo.{n}": refuse(ASYNC) for n in ("async_done", "async_start")},
    "stablehlo.after_all": refuse("a token orders side effects: fstc's graphs have none"),
    "stablehlo.create_token": refuse("a token orders side effects: fstc's graphs have none"),
    "sdy.manual_computation": refuse(COLLECTIVE),
}  # fmt: skip
