"""What goes wrong in the plain build ends the launch with a HostFault, and the process goes on."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fstc.build.host import HostKernel, HostLibrary, compile_host, find_compiler
from fstc.build.host_fault import Fault, HostFault
from fstc.build.host_library import ORDERS
from fstc.build.host_unit import balance, unit_source
from fstc.support.diagnostics import FstcError
from tests.unit.host.conftest import Build, kernel, line_of

BODIES = {
    "well": "p[threadIdx.x] = int(threadIdx.x);",
    "half_barrier": "if (threadIdx.x < 40)\n __syncthreads();  // @here\n else\n __syncwarp(1u << 31);\n p[0] = 1;",
    "two_barriers": "if (threadIdx.x < 32)\n __syncthreads();\n else\n __syncthreads();  // @here\n p[0] = 1;",
    "half_shuffle": "if (threadIdx.x % 32 < 16)\n p[0] = __shfl_xor_sync(~0u, 1, 1);  // @here\n else __syncthreads();",
    "two_masks": "const unsigned m = ~0u >> (1 - threadIdx.x % 2);\n p[0] = __shfl_xor_sync(m, 1, 1);  // @here",
    "null": "int* q = p + (1LL << 40);\n q[0] = 1;  // @here",
    "divide": "p[0] = 7 / (p[1] - p[1]);  // @here",
    "spin": "while (*(volatile int*)p == 0) {}  // @here",
    "trap": "if (threadIdx.x == 5)\n __trap();  // @here",
}  # fmt: skip

RECURSE = """
__device__ __attribute__((noinline)) int deep(volatile int* p, int n) {
    volatile int local[64];
    local[n % 64] = *p;
    __syncthreads();
    return n == 0 ? 0 : deep(p, n - 1) + local[n % 64];
}
extern "C" __global__ void recurse(int* p) { p[threadIdx.x] = deep(p, 100000); }
"""


def snippet(name: str) -> HostKernel:
    return HostKernel(name, f'extern "C" __global__ void {name}(int* p) {{\n {BODIES[name]}\n}}\n', 2, 64, 0, 1)


@pytest.fixture(scope="module")
def broken(build: Build) -> HostLibrary:
    return build([*map(snippet, BODIES), HostKernel("recurse", RECURSE, 1, 64, 0, 1)])


def fault_of(library: HostLibrary, name: str, timeout: float = 20.0) -> Fault:
    with pytest.raises(HostFault) as raised:
        library.launch(name, [np.zeros(64, np.int32)], timeout=timeout)
    p = np.zeros(64, np.int32)
    library.launch("well", [p])  # the library works on
    assert p.tolist() == list(range(64))
    return raised.value.fault


@pytest.mark.parametrize(
    ("name", "kind", "thread"),
    [
        ("two_barriers", "divergent-barrier", 32),
        ("half_shuffle", "deadlock", 0),
        ("two_masks", "deadlock", 0),
        ("null", "crash", 0),
        ("divide", "crash", 0),
        ("trap", "trap", 5),
    ],
)
def test_faults_of_the_plain_build(broken: HostLibrary, name: str, kind: str, thread: int) -> None:
    fault = fault_of(broken, name)
    assert (fault.kind, fault.thread, fault.block) == (kind, thread, 0), str(fault)
    assert fault.line == line_of(snippet(name), "here"), str(fault)


def test_a_lane_outside_its_mask(broken: HostLibrary) -> None:
    assert fault_of(broken, "half_barrier").kind == "bad-mask"


def test_a_deadlock_says_who_waits_where(broken: HostLibrary) -> None:
    fault = fault_of(broken, "half_shuffle")
    assert "threads 0 to 15: a warp operation (mask 0xffffffff); threads 16 to 31: __syncthreads" in fault.message
    assert (fault.other_thread, fault.other_line) == (16, 4)


def test_an_endless_loop_times_out(broken: HostLibrary, build: Build) -> None:
    checked = build([snippet("spin"), snippet("well")], checked=True)
    for library in (broken, checked):
        started = time.monotonic()
        fault = fault_of(library, "spin", timeout=0.2)
        assert fault.kind == "timeout" and fault.line == line_of(snippet("spin"), "here")
        assert time.monotonic() - started < 10
    report = checked.check("spin", [np.zeros(64, np.int32)], ["p"], [True], timeout=0.2)
    assert report.fault is not None and report.fault.kind == "timeout"


def test_a_stack_that_overflows(broken: HostLibrary) -> None:
    assert fault_of(broken, "recurse").kind == "stack-overflow"


def test_a_large_frame_is_refused_by_the_compiler(build: Build) -> None:
    source = 'extern "C" __global__ void big(int* p) { volatile int a[20000]; a[p[0]] = 1; p[1] = a[p[2]]; }\n'
    with pytest.raises(FstcError) as raised:
        build([HostKernel("big", source, 1, 32, 0, 1)])
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.code == "FST0507" and any("big.cu:1" in note.text for note in diagnostic.notes)


@pytest.mark.parametrize("symbol_edit", [
    ("rowsum", "__syncthreads();  // @after-put"),
    ("rowsum", "__syncthreads();  // @before-reuse"),
    ("transpose", "__syncthreads();  // @after-fill"),
])  # fmt: skip
def test_some_order_shows_a_missing_barrier(build: Build, symbol_edit: tuple[str, str]) -> None:
    symbol, barrier = symbol_edit
    library = build([kernel(symbol, (barrier, ""))])
    rng = np.random.default_rng(3)
    x, shape = (
        (rng.random((3, 1000), np.float32), (3, 2))
        if symbol == "rowsum"
        else (rng.random((64, 64), np.float32), (64, 64))
    )
    wanted = x.T if symbol == "transpose" else np.outer(x.sum(1), [1, 2])
    wrong = []
    for order in ORDERS:
        y = np.zeros(shape, np.float32)
        library.launch(symbol, [x, y], order=order)
        wrong.append(not np.allclose(y, wanted, rtol=1e-4))
    assert any(wrong)


def test_libraries_run_side_by_side(plain: HostLibrary, build: Build) -> None:
    other = build([kernel("rowsum", name="rowsum_again")])
    x = np.ones((3, 1000), np.float32)

    def many(library: HostLibrary, name: str) -> bool:
        results = [np.zeros((3, 2), np.float32) for _ in range(20)]
        for y in results:
            library.launch(name, [x, y])
        return all((y == [1000.0, 2000.0]).all() for y in results)

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(many, *pair) for pair in [(plain, "rowsum"), (other, "rowsum_again")] * 4]
        assert all(job.result() for job in jobs)


def test_a_launch_releases_the_interpreter(broken: HostLibrary) -> None:
    ticks = 0
    stop = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not stop.wait(0.01):
            ticks += 1

    thread = threading.Thread(target=tick)
    thread.start()
    with pytest.raises(HostFault, match="timeout"):
        broken.launch("spin", [np.zeros(64, np.int32)], timeout=0.3)
    stop.set()
    thread.join()
    assert ticks >= 5


def test_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FstcError) as raised:
        find_compiler()
    assert raised.value.diagnostics[0].code == "FST0502" and "apt-get install g++" in raised.value.diagnostics[0].help
    with pytest.raises(FstcError, match="no-such-compiler is not there"):
        find_compiler("no-such-compiler")


def test_a_kernel_that_does_not_compile(build: Build) -> None:
    with pytest.raises(FstcError) as raised:
        build([HostKernel("bad", 'extern "C" __global__ void bad(int* p) {\n    p[0] = nothing;\n}\n', 1, 32, 0, 1)])
    assert any("bad.cu:2:12: error" in note.text for note in raised.value.diagnostics[0].notes)


def test_kernels_of_different_plans_share_a_library(build: Build) -> None:
    code = (
        'struct Helper {{ int v = {0}; }};\nextern "C" __global__ void k0(int* p) {{ p[threadIdx.x] = Helper().v; }}\n'
    )
    library = build([HostKernel("k0", code.format(i), 1, 32, 0, 1, name=f"plan{i}_k0") for i in range(3)])
    for i in range(3):
        p = np.zeros(32, np.int32)
        library.launch(f"plan{i}_k0", [p])
        assert (p == i).all()


def test_long_sources_are_shared_out() -> None:
    kernels = [HostKernel(f"k{i}", "x" * size, 1, 32, 0, 1) for i, size in enumerate((9000, 5000, 4000, 8000))]
    assert [[k.name for k in group] for group in balance(kernels, 2)] == [["k0", "k2"], ["k1", "k3"]]
    assert [[k.name for k in group] for group in balance(kernels[:2], 2)] == [["k0", "k1"]]
    assert '#include "k0.cu"' in unit_source(kernels)


def test_the_portable_context_switch(build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from fstc.build import host

    monkeypatch.setattr(host, "RUNTIME", (*host.RUNTIME, "-DFST_HOST_UCONTEXT"))
    library = compile_host([kernel("rowsum"), kernel("warps")], tmp_path)
    x, y = np.ones((3, 1000), np.float32), np.zeros((3, 2), np.float32)
    library.launch("rowsum", [x, y], order="warp-reverse")
    assert (y == [1000.0, 2000.0]).all()
