"""The CUDA runtime: its guard, its use of the driver's API on a stand-in, and the same steps on a GPU where one is."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from cuda.bindings import driver as real
from fake_driver import FakeDriver

from fstc.build.nvrtc import compile_cubin
from fstc.codegen.artefact import Codegen, KernelCode, Param, Step
from fstc.ir.graph import Graph
from fstc.ir.parser import parse_text
from fstc.runtime.cuda import CudaRunner
from fstc.runtime.cuda_driver import Session, require_driver
from fstc.runtime.library import DeviceArray, einsum_of, host_library
from fstc.support.diagnostics import FstcError

TEXT = """
func @main(%x: f32[3,4], %w: f32[4,5]) -> (f32[3,5]) {
  %two = constant {value = 2.0} : f32[3,4]
  %d = mul %x, %two : f32[3,4]
  %y = dot_general %d, %w {lhs_contract = [1], rhs_contract = [0]} : f32[3,5]
  %z = neg %y : f32[3,5]
  return %z
}
"""
MUL = """extern "C" __global__ void mul(const float* a, const float* b, float* q) {
    q[threadIdx.x] = a[threadIdx.x] * b[threadIdx.x];
}"""
NEG = 'extern "C" __global__ void neg(float* q) { q[threadIdx.x] = -q[threadIdx.x]; }'


def view(pointer: int, size: int) -> Any:
    return np.ctypeslib.as_array((ctypes.c_float * size).from_address(pointer))


def mul(pointers: list[int]) -> None:
    a, b, q = (view(p, 12) for p in pointers)
    q[:] = a * b


def neg(pointers: list[int]) -> None:
    (q,) = (view(p, 15) for p in pointers)
    q[:] = -q


def code(symbol: str, block: int, params: str, elements: int, shared: int = 0) -> KernelCode:
    modes = {"r": "read", "w": "write", "u": "update"}
    return KernelCode(
        symbol=symbol, name=symbol, file=f"kernels/{symbol}.cu", digest="", grid=1, block=block, shared=shared,
        min_blocks=0, params=tuple(Param(modes[m], "f32", elements) for m in params), origins=(),
    )  # fmt: skip


def program() -> tuple[Graph, Codegen]:
    graph = parse_text(TEXT, "t.fir")
    ids = {v.name: v.id for v in graph.values}
    dot = next(n.id for n in graph.nodes if len(n.inputs) == 2 and ids["w"] in n.inputs)
    steps = (
        Step(kind="kernel", kernel=0, reads=(ids["x"], ids["two"]), writes=(ids["d"],)),
        Step(kind="library", node=dot, reads=(ids["d"], ids["w"]), writes=(ids["y"],)),
        Step(kind="kernel", kernel=1, reads=(ids["y"],), writes=(ids["z"],)),
    )
    kernels = (code("mul", 12, "rrw", 12, shared=60_000), code("neg", 15, "u", 15))
    return graph, Codegen(device="h200", kernels=kernels, steps=steps, scratch=())


def feeds_of(graph: Graph) -> dict[int, Any]:
    numbers = np.random.default_rng(0)
    return {i: numbers.standard_normal(graph.type(i).shape).astype(np.float32) for i in graph.inputs}


def runner_on(fake: FakeDriver) -> CudaRunner:
    graph, codegen = program()
    return CudaRunner(graph, codegen, {"mul": b"A", "neg": b"B"}, session=Session(driver=fake), library=host_library)


@pytest.fixture
def fake() -> FakeDriver:
    return FakeDriver({"mul": (3, mul), "neg": (1, neg)})


def test_no_driver_is_a_diagnostic() -> None:
    with pytest.raises(FstcError) as caught:
        require_driver("libno-such-driver.so")
    assert caught.value.exit_code == 5
    assert "--target host" in caught.value.diagnostics[0].help


def test_the_steps_run_in_order(fake: FakeDriver) -> None:
    runner = runner_on(fake)
    feeds = feeds_of(runner.graph)
    (z,) = runner.run(feeds).values()
    x, w = (feeds[i] for i in runner.graph.inputs)
    np.testing.assert_allclose(z, -(2 * x @ w), rtol=1e-6)
    assert fake.launches == [("mul", 1, 12, 60_000), ("neg", 1, 15, 0)]
    assert fake.allowed == {"mul": 60_000}
    held = len(fake.memory)
    runner.run(feeds)
    assert len(fake.memory) == held  # memory is taken once
    runner.session.close()
    assert not fake.memory
    assert fake.calls[-1] == "cuDevicePrimaryCtxRelease"


def test_an_update_leaves_what_it_replaces(fake: FakeDriver) -> None:
    runner = runner_on(fake)
    runner.run(feeds_of(runner.graph))
    ids = {v.name: v.id for v in runner.graph.values}
    np.testing.assert_array_equal(runner.fetch(ids["z"]), -runner.fetch(ids["y"]))


def test_a_launch_on_host_arrays(fake: FakeDriver) -> None:
    runner = runner_on(fake)
    before = len(fake.memory)
    a, b = np.arange(12, dtype=np.float32), np.full(12, 3, np.float32)
    q = np.zeros(12, np.float32)
    runner.launch(0, [a, b, q])
    np.testing.assert_array_equal(q, a * 3)
    assert len(fake.memory) == before


def test_times(fake: FakeDriver) -> None:
    runner = runner_on(fake)
    timing = runner.time(feeds_of(runner.graph), runs=3)
    assert timing.total_us == 1.0
    assert timing.steps_us == (1.0, 1.0, 1.0)
    assert fake.calls.count("cuEventDestroy") == fake.calls.count("cuEventCreate")


def test_the_callers_memory_must_be_aligned(fake: FakeDriver) -> None:
    runner = runner_on(fake)
    pointer = runner.session.allocate(64)
    runner.bind(0, pointer)
    with pytest.raises(FstcError) as caught:
        runner.bind(0, pointer + 4)
    assert "not aligned to 16 bytes" in caught.value.diagnostics[0].message
    runner.session.upload(pointer, np.ones(12, np.float32))
    feeds = feeds_of(runner.graph)
    (z,) = runner.run(feeds).values()
    np.testing.assert_allclose(z, -(2 * np.ones((3, 4)) @ feeds[1]), rtol=1e-6)


def test_poison_shows_what_is_not_written(fake: FakeDriver) -> None:
    runner = runner_on(fake)
    runner.run(feeds_of(runner.graph))
    runner.poison()
    assert np.isnan(runner.fetch(runner.graph.outputs[0])).all()


@pytest.mark.parametrize("call", ["cuMemAlloc", "cuLaunchKernel", "cuModuleLoadData", "cuStreamSynchronize"])
def test_a_cuda_error_is_a_diagnostic(call: str) -> None:
    fake = FakeDriver({"mul": (3, mul), "neg": (1, neg)}, {call: real.CUresult.CUDA_ERROR_OUT_OF_MEMORY})
    with pytest.raises(FstcError) as caught:
        runner_on(fake).run(feeds_of(program()[0]))
    assert caught.value.exit_code == 5
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == f"{call}: CUDA_ERROR_OUT_OF_MEMORY (as the test wants it)"
    assert "--bind" in diagnostic.help


def test_what_the_device_is(fake: FakeDriver) -> None:
    session = Session(driver=fake)
    assert (session.title, session.arch, session.sms, session.shared_per_block_max) == (
        "NVIDIA Pretended", "sm_90", 132, 232448,
    )  # fmt: skip


def test_a_contraction_as_einsum() -> None:
    text = """
    func @main(%a: f32[2,3,4,5], %b: f32[5,2,6,3]) -> (f32[2,3,4,6]) {
      %y = dot_general %a, %b
        {lhs_batch = [0,1], rhs_batch = [1,3], lhs_contract = [3], rhs_contract = [0]} : f32[2,3,4,6]
      return %y
    }
    """
    graph = parse_text(text, "t.fir")
    node = graph.nodes[-1]
    reads, writes = [graph.type(i) for i in node.inputs], [graph.type(o) for o in node.outputs]
    spec = einsum_of(node, reads, writes)
    assert spec is not None
    a, b = (np.random.default_rng(1).standard_normal(t.shape) for t in reads)
    np.testing.assert_allclose(np.einsum(spec, a, b), np.einsum("uvmk,kunv->uvmn", a, b))
    assert einsum_of(parse_text(TEXT, "t.fir").nodes[-1], writes, writes) is None


def test_device_arrays_speak_the_protocol() -> None:
    graph = parse_text("func @f(%x: bf16[2,3], %y: f16[2,0], %z: bool[4]) -> (bf16[2,3]) { return %x }", "t.fir")
    bf16, empty, flags = (DeviceArray(4096, graph.type(i)).__cuda_array_interface__ for i in graph.inputs)
    assert (bf16["typestr"], bf16["shape"], bf16["data"]) == ("<i2", (2, 3), (4096, False))
    assert (empty["typestr"], empty["data"]) == ("<f2", (0, False))
    assert flags["typestr"] == "|b1"


@pytest.mark.gpu
def test_on_a_gpu() -> None:
    graph, codegen = program()
    with Session() as session:
        cubins = {
            name: compile_cubin(text, f"kernels/{name}.cu", session.arch, {}).cubin
            for name, text in (("mul", MUL), ("neg", NEG))
        }
        runner = CudaRunner(graph, codegen, cubins, session=session)
        feeds = feeds_of(graph)
        (z,) = runner.run(feeds).values()
        x, w = (feeds[i] for i in graph.inputs)
        np.testing.assert_allclose(z, -(2 * x @ w), rtol=1e-5)
        assert runner.time(feeds, runs=5).total_us > 0
