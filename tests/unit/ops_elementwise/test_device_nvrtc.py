"""The same expressions as kernels, through NVRTC: every op for every generation, every pair in the long run."""

from __future__ import annotations

import pytest

from fstc.build.nvrtc import compile_cubin, prelude
from fstc.ir.ops import Kind
from tests.unit.ops_elementwise.device_cases import CASES, Case, source

KERNELS = '#include "fstc.cuh"\n#define ENTRY extern "C" __global__ void\n'
SAMPLED = ("bool", "f32", "bf16", "f8e4m3fn", "i8", "u64")


def sampled(case: Case) -> bool:
    """One dtype of each make; library functions, which compile slowly and exist in two precisions, in float only."""
    dtypes = {d.name for d in (*case.operands, case.result)}
    return dtypes <= set(SAMPLED) and (case.op.kind is Kind.LIGHT or not dtypes & {"bf16", "f8e4m3fn"})


@pytest.mark.nvrtc
@pytest.mark.parametrize("arch", ["sm_75", "sm_80", "sm_90", "sm_100"])
def test_every_op_compiles(arch: str) -> None:
    cases = [case for case in CASES if sampled(case)]
    assert {case.op.name for case in cases} == {case.op.name for case in CASES}
    compiled = compile_cubin(KERNELS + source(cases), "cases.cu", arch, prelude())
    assert compiled.kernels.keys() == {str(case) for case in cases}


@pytest.mark.nvrtc
@pytest.mark.slow
@pytest.mark.parametrize("arch", ["sm_75", "sm_100"])
def test_every_pair_compiles(arch: str) -> None:
    compiled = compile_cubin(KERNELS + source(CASES), "cases.cu", arch, prelude())
    assert len(compiled.kernels) == len(CASES)
