"""Instruction counts read from cubins, against NVIDIA's disassembler."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from fstc.build.artefact import Instructions
from fstc.build.cubin import read_cubin
from fstc.build.nvrtc import compile_cubin, prelude
from fstc.build.sass import count
from tests.integration.shipped import real_plan
from fstc.codegen.run import generate
from fstc.device.device import load_device

LINE = re.compile(r"^\s*/\*[0-9a-f]{4,}\*/\s+\{?\s*(?:@!?U?P\w+\s+)?([A-Z][\w.]*)", re.MULTILINE)
CASES = ("layernorm_bwd", "softmax_mask", "add_rmsnorm_quant", "qk_norm_rope", "cross_entropy")


def disassembled(cubin: bytes, folder: Path) -> Instructions:
    """The same counts from what ``nvdisasm`` prints."""
    import nvidia.cu13

    tool = Path(next(iter(nvidia.cu13.__path__))) / "bin" / "nvdisasm"
    (folder / "kernel.cubin").write_bytes(cubin)
    text = subprocess.run([tool, "kernel.cubin"], cwd=folder, capture_output=True, text=True, check=True).stdout
    names = LINE.findall(text)
    n = Counter(name.split(".")[0] for name in names)
    return Instructions(
        total=len(names) - n["NOP"] - 1,  # the branch to itself at the end
        loads=n["LDG"],
        wide_loads=sum(x.startswith("LDG") and ".128" in x for x in names),
        stores=n["STG"],
        wide_stores=sum(x.startswith("STG") and ".128" in x for x in names),
        local_loads=n["LDL"],
        local_stores=n["STL"],
        shared_loads=n["LDS"],
        shared_stores=n["STS"],
        special=n["MUFU"],
        shuffles=n["SHFL"],
        barriers=n["BAR"],
    )


@pytest.mark.nvrtc
@pytest.mark.parametrize("arch", ["sm_75", "sm_80", "sm_89", "sm_90", "sm_100", "sm_120"])
def test_agrees_with_the_disassembler(arch: str, tmp_path: Path) -> None:
    seen = Counter[str]()
    for sample in CASES:
        graph, plan = real_plan(sample, "h200")
        code, sources = generate(graph, plan, load_device("h200"))
        for kernel in code.kernels:
            cubin = compile_cubin(sources[kernel.file], kernel.file, arch, prelude()).cubin
            found = read_cubin(cubin)[kernel.symbol].instructions
            assert found == disassembled(cubin, tmp_path), f"{sample} {kernel.name}"
            seen += Counter({name: getattr(found, name) for name in found.__struct_fields__})
    assert all(seen[n] for n in ("wide_loads", "wide_stores", "shared_loads", "shuffles", "special", "barriers"))


def test_padding_is_not_counted() -> None:
    add, branch, nop = 0x221, 0x947, 0x918
    code = b"".join(op.to_bytes(16, "little") for op in (add, nop, add, branch, nop, nop))
    assert count(memoryview(code)).total == 2
    assert count(memoryview(b"")) == Instructions()
    assert count(memoryview(code[:-7])).total == 2  # a cut one is no instruction
