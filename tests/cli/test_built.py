"""``fstc build --replan`` and ``fstc plan --built``: the compiler's figures beside the plan's."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import SAMPLES, Fstc

SOFTMAX = SAMPLES / "softmax_mask.fir"
pytestmark = pytest.mark.nvrtc


def test_the_compilers_figures_stand_beside_the_plan(fstc: Fstc) -> None:
    done = fstc("build", SOFTMAX, "-o", "s.fpk", "--replan", "--format", "json")
    assert done.code == 0
    (device,) = json.loads(done.out)["manifest"]["devices"]
    assert [r["kept"] for r in device["rounds"]] == [True]
    used = device["kernels"][0]["compiled"]
    done = fstc("plan", SOFTMAX, "--built", "s.fpk")
    assert done.code == 0
    head, row = done.out.splitlines()[-2:]
    assert "as compiled by nvrtc 13.0" in done.out and head.count("real") == 4
    assert f" {used['registers']} " in row and f" {used['instructions']['total']} " in row
    assert fstc("plan", "s.fpk", "--built", "s.fpk").out.splitlines()[-2:] == [head, row]


def test_a_package_of_another_plan_or_device_is_refused(fstc: Fstc) -> None:
    assert fstc("build", SOFTMAX, "-o", "s.fpk").code == 0
    other = fstc("plan", SOFTMAX, "--strategy", "none", "--built", "s.fpk")
    assert other.code == 3 and "FST0524" in other.err and "strategy stitch, here none" in other.err
    assert "rerun `fstc build`" in other.err and "Traceback" not in other.err
    smaller = fstc("plan", SOFTMAX, "--bind", "B=1", "--built", "s.fpk")
    assert smaller.code == 3 and "other extents" in smaller.err
    device = fstc("plan", SOFTMAX, "--device", "a100", "--built", "s.fpk")
    assert device.code == 3 and "FST0522" in device.err
    missing = fstc("plan", SOFTMAX, "--built", "nowhere.fpk")
    assert missing.code == 3 and "FST0001" in missing.err


def test_what_is_planned_already_is_not_planned_again(fstc: Fstc) -> None:
    assert fstc("plan", SOFTMAX, "-o", "s.plan.json").code == 0
    done = fstc("build", "s.plan.json", "--replan", "-o", "s.fpk")
    assert done.code == 2 and "FST0014" in done.err


def test_a_chip_that_the_compiler_does_not_know_can_be_planned_for(fstc: Fstc) -> None:
    assert fstc("plan", SOFTMAX, "--device", "v100").code == 0
    done = fstc("build", SOFTMAX, "--device", "v100", "-o", "s.fpk")
    assert done.code == 4 and "no longer compiles for sm_70" in done.err
