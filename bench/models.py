"""Whole models through every command: import, plan under three strategies, build, verify against the framework.

Example: ``python bench/models.py bert gpt2 --verify`` prints a line for each; ``--write`` renews docs/models.md.
Models are those of tests/frontends: random weights, real widths, two layers. Import is timed without the framework's
own tracing; plan and build are the time of the whole command, build with an empty cache. Bytes are the plan's, for an
H200.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fstc.driver.imports import write_imported  # noqa: E402
from fstc.frontends.artefact import Imported, ImportOptions  # noqa: E402
from fstc.frontends.passes.run import simplify  # noqa: E402

PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- output of: python bench/models.py --verify --write -->\n", "<!-- end -->"
TORCH = {
    "hugging": ("bert", "bert_base", "gpt2", "llama", "t5", "marian", "whisper", "conformer", "vit", "clip", "mamba"),
    "plain": ("crnn", "dien", "dlrm"),
}
JAX = ("bert_layer", "bert_layer_grad", "resnet_block", "resnet_block_grad", "adamw_step", "gru_scan")
STRATEGIES = ("none", "classic", "stitch")


@dataclass(frozen=True)
class Row:
    """What became of a model. ``kernels`` and ``bytes`` by strategy; seconds; ``error``: of the worst output, over the
    framework's own error against float64."""

    name: str
    frontend: str
    ops: int
    library: int
    kernels: Mapping[str, int]
    bytes: Mapping[str, int]
    floor: int
    import_s: float
    plan_s: float
    build_s: float
    verdict: str = ""


def torch_model(module: str, name: str) -> Callable[[Path], tuple[Imported, float]]:
    """Trace in torch, then import; the seconds are the importer's."""

    def make(target: Path) -> tuple[Imported, float]:
        import torch

        from fstc.frontends.torch.program import import_program

        model, args, *rest = getattr(import_module(f"tests.frontends.models.{module}"), name)()
        with torch.no_grad():
            program = torch.export.export(model, args, rest[0] if rest else {}, strict=False)
        path = target.with_suffix(".pt2")
        torch.export.save(program, path)
        start = time.perf_counter()
        imported = simplify(import_program(program, f"{name}.safetensors", source=path))
        return imported, time.perf_counter() - start

    return make


def jax_model(name: str) -> Callable[[Path], tuple[Imported, float]]:
    """Lower in JAX, then import."""

    def make(target: Path) -> tuple[Imported, float]:
        import jax

        from fstc.frontends.run import import_model

        programs = import_module("tests.frontends.jax_programs")
        function, args = programs.PROGRAMS[name](programs.WIDE)
        path = target.with_suffix(".mlir")
        path.write_text(jax.jit(function).lower(*args).as_text())
        start = time.perf_counter()
        imported = import_model(path, ImportOptions(), f"{name}.safetensors")
        return imported, time.perf_counter() - start

    return make


MODELS: dict[str, Callable[[Path], tuple[Imported, float]]] = {
    **{name: torch_model(module, name) for module, names in TORCH.items() for name in names},
    **{name: jax_model(name) for name in JAX},
}


def fstc(folder: Path, *arguments: str, fails: bool = False) -> tuple[str, float]:
    """A command's output and seconds; the cache is the folder's own."""
    environment = {**os.environ, "FSTC_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "fstc", *arguments]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode and not fails:
        raise RuntimeError(f"fstc {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout, time.perf_counter() - start


def measure(name: str, folder: Path, verify: bool) -> Row:
    target = folder / f"{name}.fir"
    imported, import_s = MODELS[name](target)
    refused = [row.operator for row in imported.coverage.refused]
    assert not refused, f"{name}: refused {refused}"
    write_imported(imported, target)
    compared = json.loads(fstc(folder, "plan", target.name, "--compare", "--format", "json")[0])["strategies"]
    _, plan_s = fstc(folder, "plan", target.name, "-o", f"{name}.plan.json")
    _, build_s = fstc(folder, "build", target.name, "-o", f"{name}.fpk")
    summary = json.loads((folder / f"{name}.plan.json").read_text())["body"]["summary"]
    verdict = ""
    if verify:
        peer = {"torch": "torch", "stablehlo": "jax", "onnx": "onnxruntime"}[imported.frontend]
        text, _ = fstc(
            folder, "verify", target.name, "--target", "host", "--against", peer, "--format", "json", fails=True
        )
        verdict = "ok" if json.loads(text)["ok"] else "FAILED"
    return Row(
        name,
        imported.frontend,
        summary["ops"],
        summary["library_calls"],
        {s: compared[s]["kernels"] for s in STRATEGIES},
        {s: compared[s]["bytes"] for s in STRATEGIES},
        summary["bytes_min"],
        import_s,
        plan_s,
        build_s,
        verdict,
    )


def table(rows: list[Row]) -> str:
    head = (
        "| model | from | ops | library calls | kernels none | classic | stitch | MB none | classic | stitch | floor "
        "| import s | plan s | build s | verified |\n|---|---|" + "--:|" * 12 + "---|\n"
    )
    return head + "".join(f"| {' | '.join(_cells(row))} |\n" for row in rows)


def _cells(row: Row) -> list[Any]:
    kernels = [str(row.kernels[s]) for s in STRATEGIES]
    megabytes = [f"{row.bytes[s] / 1e6:.1f}" for s in STRATEGIES]
    seconds = [f"{s:.1f}" for s in (row.import_s, row.plan_s, row.build_s)]
    head = [f"`{row.name}`", row.frontend, str(row.ops), str(row.library)]
    return [*head, *kernels, *megabytes, f"{row.floor / 1e6:.1f}", *seconds, row.verdict or "-"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--verify", action="store_true", help="also on the host target against the framework (slow)")
    parser.add_argument("--write", action="store_true", help="renew docs/models.md")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.models if name not in MODELS]
    if unknown:
        parser.error(f"no model {unknown[0]}")
    rows = []
    for name in chosen.models or MODELS:
        with TemporaryDirectory() as folder:
            rows.append(measure(name, Path(folder), chosen.verify))
        print(rows[-1], flush=True)
    print(table(rows))
    if chosen.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0 if all(row.verdict != "FAILED" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
