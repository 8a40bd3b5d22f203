"""Custom calls by name: annotations that change nothing, and functions that older exporters wrote as calls.

Example: ``@Sharding`` is its operand. A call that is not listed only the framework can run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.stablehlo.walk import Contradiction, Entry, Site, Value

ANNOTATIONS = (
    "LayoutConstraint", "MoveToDevice", "MoveToHost", "PinToDevice", "SPMDFullToShardShape", "SPMDShardToFullShape",
    "Sharding", "annotate_device_placement", "xla.sdy.FuncResultSharding", "xla.sdy.GlobalToLocalShape",
    "xla.sdy.LocalToGlobalShape", "xla.sdy.ShardingGroup", "xla.sdy.PropagationBarrier",
)  # fmt: skip
AS_CHLO = {
    **{f"mhlo.{n}": f"chlo.{n}" for n in (
        "acos", "acosh", "asin", "asinh", "atan", "atanh", "cosh", "erf", "erfc", "sinh", "tan")},
    "mhlo.topk": "chlo.top_k",
}  # fmt: skip
ASSERTION = "shape_assertion"
WHY = {
    "lapack_": "a factorisation or solver of LAPACK",
    "cusolver": "a factorisation or solver",
    "ducc_fft": "a Fourier transform",
    "xla_python": "a call back into Python",
    "xla_ffi_python": "a call back into Python",
    "ApproxTopK": "an approximate top-k: use jax.lax.top_k",
    "__cudnn": "a kernel of cuDNN: export for the CPU, or without it",
    "tpu_custom_call": "a Pallas kernel",
    "__gpu$xla.gpu.triton": "a Pallas kernel",
}


def custom_call(s: Site, *args: Value) -> Any:
    target = str(s.attr("call_target_name", ""))
    if target == ASSERTION:
        return _assertion(s, *args)
    if target in ANNOTATIONS and len(s.op.types) <= len(args):
        return list(args[: len(s.op.types)])
    name = AS_CHLO.get(target)
    if name is None:
        why = next((text for start, text in WHY.items() if start in target), "")
        raise Unsupported(why or "a call that only the framework can run")
    attrs = s.attr("mhlo.attributes") or {}
    if attrs.get("largest") is False:
        raise Unsupported("the smallest elements: negate the operand and use the largest")
    return s.as_op(name, attrs, args)


def _assertion(s: Site, holds: Value, *values: Value) -> list[Value]:
    """What jax.export asserts of symbolic extents."""
    if not isinstance(holds, Val) or holds.known is None:
        raise Unsupported("an assertion about shapes that depends on data")
    if not bool(holds.known):
        shown = [v.known.item() if isinstance(v, Val) and v.known is not None else "?" for v in values]
        text = str(s.attr("error_message", "an assertion about shapes does not hold"))
        for i, value in enumerate(shown):
            text = text.replace(f"{{{i}}}", str(value))
        raise Contradiction(text.partition(" Using the following")[0])
    return []


def same(s: Site, *values: Value) -> list[Value]:
    return list(values[: len(s.op.types)])


CALLS: Mapping[str, Entry] = {
    "stablehlo.custom_call": Entry(
        custom_call, "by name: " + ", ".join(f"`{n}`" for n in ANNOTATIONS) + " are gone, "
        + ", ".join(f"`{n}`" for n in AS_CHLO) + f" are the chlo ops, `{ASSERTION}` is checked; others are refused",
        any_type=True,
    ),
    "sdy.sharding_constraint": Entry(same, "gone", any_type=True),
    "sdy.reshard": Entry(same, "gone", any_type=True),
    "sdy.propagation_barrier": Entry(same, "gone", any_type=True),
    "sdy.sharding_group": Entry(lambda s, *_: [], "gone", any_type=True),
}  # fmt: skip
