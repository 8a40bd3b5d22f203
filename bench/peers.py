"""``make bench-gpu``: every sample at its real extents against torch eager, torch.compile and JAX, on the GPU at hand.

Example: ``python bench/peers.py --samples swiglu,adam --minutes 4``; ``--dry-run`` says what would be done and needs
no GPU. A result is first compared with the float64 reference; what is wrong is not timed, and a wrong fstc ends in
exit 1. Every program computes under fstc's policy ``strict``; f32 matrix products stay f32. How times are
taken: bench/peers_gpu.py. The table and the JSON under bench/results/ are written anew after each
sample, so that what a time limit leaves is complete so far (exit 75).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fstc.build.cache import Cache  # noqa: E402
from fstc.runtime.cuda_driver import require_driver  # noqa: E402
from fstc.support.diagnostics import FstcError  # noqa: E402

PEERS = ("fstc", "torch eager", "torch.compile", "JAX jit")
NEEDS = {"torch eager": "torch", "torch.compile": "torch", "JAX jit": "jax"}
MINUTES = 9.5
LEAST_SECONDS = 10.0  # that a peer gets for one sample, its compiling included
EXIT_WRONG, EXIT_DEVICE, EXIT_TIME = 1, 5, 75


class OverTime(Exception):
    """A peer used up its share."""


class Results:
    """What is known so far, as JSON and as a table; safe to write from the timer's thread."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.about = about
        self.samples: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        stamp = about["date"].replace(":", "").replace("-", "")[:15]
        self.path = folder / f"{stamp}-{about['device']}.json"

    def write(self, complete: bool) -> None:
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            document = {**self.about, "complete": complete, "samples": self.samples}
            self.path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
            self.path.with_suffix(".md").write_text(self.table(), encoding="utf-8")

    def table(self) -> str:
        """Microseconds; the last column is the fastest peer's time over fstc's."""
        head = ("sample", "kernels", *PEERS, "best peer / fstc")
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(self.row(name)) + " |" for name in self.samples]
        about = "; ".join(f"{k}: {v}" for k, v in self.about.items() if k != "method")
        return "\n".join([*lines, "", f"Microseconds. {self.about['method']}", "", about, ""])

    def row(self, name: str) -> list[str]:
        found = self.samples[name]
        times = {p: found["peers"].get(p, {}).get("us") for p in PEERS}
        others = [t for p, t in times.items() if t and p != "fstc"]
        ours = times["fstc"]
        ratio = f"{min(others) / ours:.2f}" if ours and others else "-"
        cells = [_cell(found["peers"].get(p, {})) for p in PEERS]
        return [name, f"{found['kernels']} + {found['library_calls']}", *cells, ratio]


def _cell(peer: dict[str, Any]) -> str:
    if peer.get("us") is not None:
        return f"{peer['us']:.1f}"
    return "wrong" if peer.get("error", 0) > 1 else str(peer.get("note", "-")).partition(":")[0]


def main() -> int:
    chosen = arguments()
    names = chosen.samples.split(",") if chosen.samples else [p.stem for p in sorted((ROOT / "samples").glob("*.fir"))]
    unknown = [n for n in names if not (ROOT / "samples" / f"{n}.fir").is_file()]
    peers = chosen.peers.split(",") if chosen.peers else list(PEERS)
    if unknown or not set(peers) <= set(PEERS):
        print(f"no such sample or peer: {', '.join(unknown or sorted(set(peers) - set(PEERS)))}", file=sys.stderr)
        return 2
    if chosen.dry_run:
        return dry_run(names, peers, chosen)
    try:
        require_driver()
    except FstcError as error:
        print(f"{error.diagnostics[0].message}; --dry-run shows what would be measured", file=sys.stderr)
        return EXIT_DEVICE
    if importlib.util.find_spec("torch") is None:
        print("torch is not installed: it holds the memory and is the reference (pip install torch)", file=sys.stderr)
        return EXIT_DEVICE
    peers = [p for p in peers if p not in NEEDS or importlib.util.find_spec(NEEDS[p])]
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # torch needs memory too
    from fstc.driver.execution import device_at_hand

    return measure(names, peers, chosen.device or device_at_hand(), chosen)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--samples", help="names, separated by commas; all without")
    parser.add_argument("--peers", help=f"of {', '.join(PEERS)}, separated by commas")
    parser.add_argument("--device", help="plan for this device; the one at hand without")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="stop after so many, whatever is running")
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results", help="folder of the results")
    parser.add_argument("--dry-run", action="store_true", help="list what would be done")
    return parser.parse_args()


def dry_run(names: list[str], peers: list[str], chosen: argparse.Namespace) -> int:
    """Plans are made, nothing is compiled or run; the models must have every sample."""
    from fstc.driver.files import open_work
    from fstc.stages import Settings

    for module in ("models_torch", "models_jax"):
        text = (ROOT / "bench" / f"{module}.py").read_text(encoding="utf-8")
        missing = [name for name in names if f"\ndef {name}(" not in text]
        if missing:
            print(f"bench/{module}.py lacks {', '.join(missing)}", file=sys.stderr)
            return EXIT_WRONG
    for name in names:
        work = open_work(str(ROOT / "samples" / f"{name}.fir"), Settings(device=chosen.device or "h200"))
        sums = work.value("plan").summary
        graph = work.value("graph")
        size = sum(graph.type(v).nbytes for v in (*graph.inputs, *graph.outputs))
        print(
            f"{name:22} {sums.kernels:3} kernels + {sums.library_calls} library calls, predicted "
            f"{sums.predicted_us:9.1f} us, {size / 1e6:9.1f} MB in and out: {', '.join(peers)}"
        )
    print(f"at most {chosen.minutes} minutes; results in {os.path.relpath(chosen.output)}")
    return 0


def measure(names: list[str], peers: list[str], device: str, chosen: argparse.Namespace) -> int:
    from peers_gpu import Trial

    end = time.monotonic() + chosen.minutes * 60
    results = Results(chosen.output, about(device))
    timer = threading.Timer(chosen.minutes * 60, _stop, (results,))
    timer.daemon = True
    timer.start()
    cache = Cache.open()
    print(results.table().splitlines()[0], flush=True)
    wrong = False
    for number, name in enumerate(names):
        trial = Trial(name, device, cache)
        summary = trial.work.value("plan").summary
        entry: dict[str, Any] = {
            "kernels": summary.kernels, "library_calls": summary.library_calls, "predicted_us": summary.predicted_us,
            "bytes": summary.bytes, "peers": {},
        }  # fmt: skip
        results.samples[name] = entry
        share = max(LEAST_SECONDS, (end - time.monotonic()) / (len(names) - number))
        for peer in peers:
            entry["peers"][peer] = attempt(trial, peer, share)
        wrong = wrong or entry["peers"].get("fstc", {}).get("us") is None
        trial.close()
        results.write(complete=False)
        print("| " + " | ".join(results.row(name)) + " |", flush=True)
        del trial
        release()
    timer.cancel()
    results.write(complete=True)
    print(f"written to {results.path.name} and {results.path.with_suffix('.md').name}")
    return EXIT_WRONG if wrong else 0


def _stop(results: Results) -> None:
    """The hard limit: a compiler that hangs does not see exceptions."""
    results.write(complete=False)
    os._exit(EXIT_TIME)


def attempt(trial: Any, peer: str, seconds: float) -> dict[str, Any]:
    """One peer's error and time; whatever stops it becomes a note, the others go on."""
    try:
        with limited(seconds):
            return dict(trial.measure(peer))
    except OverTime:
        return {"us": None, "note": f"over time: {seconds:.0f} s"}
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        print(f"{trial.name}, {peer}: {text[:2000]}", file=sys.stderr, flush=True)
        return {"us": None, "note": f"failed: {text[:200]}"}


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise OverTime in the main thread."""

    def over(signum: int, frame: Any) -> None:
        raise OverTime

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def release() -> None:
    import gc

    import torch

    gc.collect()
    torch.cuda.empty_cache()


def about(device: str) -> dict[str, Any]:
    """What a figure means without: the machine, the versions, the command."""
    import torch

    from fstc import __version__

    installed = {"torch": torch.__version__, "CUDA of torch": torch.version.cuda or ""}
    if importlib.util.find_spec("jax"):
        import jax

        installed["jax"] = jax.__version__
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device,
        "gpu": torch.cuda.get_device_name(0),
        "driver": _said("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        "fstc": f"{__version__} {_said('git', 'rev-parse', '--short', 'HEAD')}".strip(),
        "python": platform.python_version(),
        **installed,
        "policy": "strict",
        "command": shlex.join(["python", "bench/peers.py", *sys.argv[1:]]),
        "method": (
            "Device time between CUDA events, median of batches of queued calls, buffers rotating through more than "
            "twice the L2 cache; JAX's with its dispatch."
        ),
    }


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else ""


if __name__ == "__main__":
    sys.exit(main())
