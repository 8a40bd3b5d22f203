"""Compiling with NVRTC: resources, refusals and what they leave behind."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from build_example import HEADERS, scale_source, spilling_source

from fstc.build.cubin import read_cubin, read_sections
from fstc.build.nvrtc import compile_cubin, compiler_version, prelude
from fstc.build.nvrtc_log import error_diagnostics, used_by_function
from fstc.build.spill_lines import INSTRUCTION_BYTES, LOCAL_MEMORY, OPCODE_BITS, spill_lines
from fstc.support.diagnostics import FstcError, render_text

pytestmark = pytest.mark.nvrtc
ARCHS = ("sm_80", "sm_90", "sm_100")

TWO_KERNELS = """
__device__ __noinline__ float far(float x, int n) { float s = 0; for (int i = 0; i < n; ++i) s = s * x + i; return s; }
extern "C" __global__ void __launch_bounds__(128) uses_much(const float* p, float* q) {
    __shared__ float s[100];
    s[threadIdx.x % 100] = p[threadIdx.x];
    __syncthreads();
    float a[64];
    for (int i = 0; i < 64; ++i) a[i] = p[i * 3];
    for (int i = 0; i < (int)p[0]; ++i) a[(int)p[i + 9] & 63] += 1;
    q[threadIdx.x] = far(s[5], (int)p[3]) + a[(int)p[7] & 63];
}
extern "C" __global__ void uses_little(float* q) { q[0] = 1; }
"""


def refused(source: str, arch: str = "sm_90", bundle: Path | None = None) -> FstcError:
    with pytest.raises(FstcError) as caught:
        compile_cubin(source, "kernels/k.cu", arch, HEADERS, bundle=bundle)
    assert caught.value.exit_code == 4
    return caught.value


@pytest.mark.parametrize("arch", ARCHS)
def test_resources_come_from_the_cubin_and_spills_from_ptxas(arch: str) -> None:
    compiled = compile_cubin(TWO_KERNELS, "kernels/two.cu", arch, {})
    assert list(compiled.kernels) == ["uses_little", "uses_much"]  # the function is none
    little, much = compiled.kernels["uses_little"], compiled.kernels["uses_much"]
    assert (little.parameters, little.shared, little.barriers, little.max_threads, little.stack) == (8, 0, 0, 0, 0)
    assert (much.parameters, much.shared, much.barriers, much.max_threads, much.stack) == (16, 400, 1, 128, 256)
    for name, kernel in compiled.kernels.items():
        assert f"Compiling entry function '{name}' for '{arch}'" in compiled.log
        assert f"Used {kernel.registers} registers, used {kernel.barriers} barriers" in compiled.log
        assert 0 < kernel.code < len(compiled.cubin)


def test_spills_are_read() -> None:
    used = compile_cubin(spilling_source("s"), "kernels/s.cu", "sm_90", {}).kernels["s"]
    assert used.registers == 32
    assert used.spill_stores > 0 and used.spill_loads > 0 and used.stack > 0


@pytest.mark.parametrize("arch", ARCHS)
def test_spills_are_found_by_line(arch: str) -> None:
    """The widths of the instructions that are looked up add up to what ptxas says, so none is missed."""
    source = spilling_source("s")
    compiled = compile_cubin(source, "kernels/s.cu", arch, {})
    assert set(compiled.spill_lines) == {"s"}
    texts = source.splitlines()
    assert all("j" in texts[line - 1] or line <= 6 for line in compiled.spill_lines["s"])
    assert {5, 9, 11} <= set(compiled.spill_lines["s"])
    sections, _ = read_sections(memoryview(compiled.cubin))
    (code,) = (s.data for s in sections if s.name == ".text.s")
    widths = {4: 4, 5: 8, 6: 16}  # the instruction's size field
    counted = dict.fromkeys(LOCAL_MEMORY, 0)
    for at in range(0, len(code), INSTRUCTION_BYTES):
        low, high = struct.unpack_from("<QQ", code, at)
        if low & OPCODE_BITS in counted:
            counted[low & OPCODE_BITS] += widths[high >> 9 & 7]
    used = compiled.kernels["s"]
    assert sorted(counted.values()) == sorted((used.spill_stores, used.spill_loads))


def test_lines_of_an_image_without_them() -> None:
    image = compile_cubin(spilling_source("s"), "kernels/s.cu", "sm_90", {}).cubin
    assert spill_lines(image) == {}
    assert spill_lines(b"") == {}
    assert spill_lines(image[: len(image) // 2]) == {}


def test_equal_input_gives_equal_bytes_under_any_file_name() -> None:
    source = "namespace { __device__ int hidden; }\n" + scale_source("k").replace("FST_SCALE", "hidden")
    first = compile_cubin(source, "kernels/a.cu", "sm_90", HEADERS, ptx=True)
    assert first == compile_cubin(source, "kernels/b.cu", "sm_90", HEADERS, ptx=True)
    assert first.ptx.endswith("}\n\n") or ".entry k" in first.ptx


def test_an_error_points_at_its_line_and_leaves_a_bundle(tmp_path: Path) -> None:
    error = refused(scale_source("k").replace("FST_SCALE", "FST_SCALF"), bundle=tmp_path / "k")
    text = render_text(error.diagnostics)
    assert 'error[FST0501]: NVRTC: identifier "FST_SCALF" is undefined' in text
    assert "kernels/k.cu:5:5" in text
    assert "if (i < 1000u) q0[i] = p0[i] * FST_SCALF" in text
    assert f"run {tmp_path / 'k' / 'repro.sh'}" in text
    again = subprocess.run(
        ["sh", tmp_path / "k" / "repro.sh"], env={"PYTHON": sys.executable}, capture_output=True, text=True, check=False
    )
    assert again.returncode == 1
    assert 'kernel.cu(5): error: identifier "FST_SCALF" is undefined' in again.stdout
    assert (tmp_path / "k" / "headers" / "inner" / "scale.cuh").read_text() == HEADERS["inner/scale.cuh"]


def test_an_error_in_a_header_points_into_the_header() -> None:
    with pytest.raises(FstcError) as caught:
        compile_cubin('#include "h.cuh"\n', "kernels/k.cu", "sm_90", {"h.cuh": "\nint x = ;\n"})
    assert "h.cuh:2:1" in render_text(caught.value.diagnostics)


def test_headers_come_from_memory_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outside.cuh").write_text("#define FST_SCALE 1.0f\n")
    monkeypatch.chdir(tmp_path)
    error = refused('#include "outside.cuh"\n')
    assert "outside.cuh" in error.diagnostics[0].message


def test_every_error_is_reported() -> None:
    error = refused("__device__ int a = b;\n__device__ int c = d;\n")
    assert len(error.diagnostics) == 2


@pytest.mark.parametrize(("arch", "says"), [("sm_70", "no longer compiles for sm_70"), ("sm_99", "no sm_99")])
def test_an_architecture_that_is_not_there(arch: str, says: str) -> None:
    error = refused(scale_source("k"), arch)
    assert error.diagnostics[0].code == "FST0504"
    assert says in error.diagnostics[0].message


def test_missing_wheels_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import sys; sys.modules['cuda.bindings'] = None\n"
        "from fstc.build.nvrtc import require_arch\n"
        "from fstc.support.diagnostics import FstcError\n"
        "try: require_arch('sm_90')\n"
        "except FstcError as e: sys.stdout.write(f'{e.exit_code} {e.diagnostics[0].code} {e.diagnostics[0].help}')\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.startswith("4 FST0503 pip install")
    assert "nvidia-cuda-nvrtc" in said


def test_the_version_has_a_patch_level() -> None:
    assert compiler_version().startswith("nvrtc 13.")


def test_prelude_names_are_those_of_the_includes() -> None:
    assert all(name.endswith(".cuh") and not name.startswith("/") for name in prelude())


def test_a_log_that_says_nothing_known() -> None:
    assert (
        used_by_function("ptxas info : new words\n0 bytes stack frame, 8 bytes spill stores, 9 bytes spill loads") == {}
    )
    (diagnostic,) = error_diagnostics("nvrtc: error: unrecognized option --x", "kernel.cu", "k.cu", "", {}, "")
    assert diagnostic.notes[0].text == "nvrtc: error: unrecognized option --x"


def test_damaged_cubins_are_refused() -> None:
    image = compile_cubin(TWO_KERNELS, "kernels/two.cu", "sm_90", {}).cubin
    for cut in (0, 3, 40, 64, len(image) // 2, len(image) - 1):
        with pytest.raises(FstcError) as caught:
            read_cubin(image[:cut])
        assert caught.value.diagnostics[0].code == "FST0505"
    for at in range(0, len(image), 7):  # a flipped byte is read or refused, never anything else
        damaged = bytearray(image)
        damaged[at] ^= 0xFF
        try:
            read_cubin(bytes(damaged))
        except FstcError as error:
            assert error.diagnostics[0].code == "FST0505"
