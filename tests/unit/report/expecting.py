"""A small model with two equal layers, and what tests of expectations need of it.

Example: ``broken("kernels: <= 1\\n")`` are the lines of the verdicts that do not hold, without the file's name.
"""

from __future__ import annotations

from functools import cache

from fstc.analysis.run import analyze
from fstc.build.artefact import DeviceEntry, Estimate, KernelEntry, Resources
from fstc.codegen.run import generate
from fstc.device.device import load_device
from fstc.ir.parser import parse_bytes
from fstc.plan.options import PlanOptions
from fstc.plan.run import make_plan
from fstc.report.expect.check import Verdict, check
from fstc.report.expect.facts import PlanFacts, plan_facts
from fstc.report.expect.parse import parse_expectations

FILE = "plan.expect.yaml"


def _layer(name: str, source: str) -> str:
    return f"""
  %{name}.product = dot_general %{source}, %w
      {{lhs_contract = [1], rhs_contract = [0]}} : f32[256,512]
  %{name}.max = reduce_max %{name}.product {{axes = [1]}} : f32[256]
  %{name}.max_b = broadcast_in_dim %{name}.max {{dims = [0]}} : f32[256,512]
  %{name}.shifted = subtract %{name}.product, %{name}.max_b : f32[256,512]
  %{name}.exp = exponential %{name}.shifted : f32[256,512]
  %{name}.sum = reduce_sum %{name}.exp {{axes = [1]}} : f32[256]
  %{name}.sum_b = broadcast_in_dim %{name}.sum {{dims = [0]}} : f32[256,512]
  %{name}.y = divide %{name}.exp, %{name}.sum_b : f32[256,512]"""


TEXT = f"""func @two(%x: f32[256,512], %w: f32[512,512]) -> f32[256,512] {{{_layer("a", "x")}{_layer("b", "a.y")}
  return %b.y
}}
"""


@cache
def facts(strategy: str = "stitch", text: str = TEXT) -> PlanFacts:
    graph = parse_bytes(text.encode(), "two.fir", {})
    plan = make_plan(graph, analyze(graph), load_device("h200"), PlanOptions(strategy=strategy))
    return plan_facts(graph, plan)


@cache
def built(spilled: int = 0, registers: int = 40, blocks_per_sm: int = 1, plan: str = "stitch") -> PlanFacts:
    """The same as if a compiler had used these; no compiler is asked. ``plan``: the strategy of another one."""
    planned = facts()
    codegen, _ = generate(planned.graph, planned.plan, load_device("h200"))
    used = Resources(
        registers=registers, stack=spilled, spill_stores=spilled, spill_loads=spilled,
        shared=0, barriers=1, max_threads=1024, parameters=16, code=100,
    )  # fmt: skip
    estimate = Estimate(registers=32, shared=0, blocks_per_sm=2, limiter="threads")
    kernels = tuple(
        KernelEntry(
            symbol=k.symbol, name=k.name, source=k.file, cubin="c",
            compiled=used, planned=estimate, blocks_per_sm=blocks_per_sm, limiter="registers",
        )
        for k in codegen.kernels
    )  # fmt: skip
    entry = DeviceEntry(
        name="h200", title="", arch="sm_90", sms=132, shared_per_block_max=0, plan="p", codegen="c", kernels=kernels
    )
    return plan_facts(planned.graph, facts(plan).plan, (codegen, entry))


def verdicts(text: str, about: PlanFacts | None = None) -> tuple[Verdict, ...]:
    return check(parse_expectations(text.encode(), FILE), about or facts())


def broken(text: str, about: PlanFacts | None = None) -> list[str]:
    return [v.line.removeprefix(f"{FILE}:") for v in verdicts(text, about) if not v.holds]
