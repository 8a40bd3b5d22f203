"""Compile many kernels: each distinct source once an architecture, from the cache where it can be, else in threads.

Example: ``Compiler(headers=prelude(), cache=Cache.open()).all({("sm_90", text): kernel}, jobs=2)``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from fstc.build.cache import Cache, cache_key
from fstc.build.nvrtc import OPTIONS, Compiled, compile_cubin, compiler_version, require_arch
from fstc.codegen.artefact import KernelCode
from fstc.support.diagnostics import Diagnostic, FstcError


@dataclass(frozen=True)
class Progress:
    """One kernel is there."""

    done: int
    total: int
    kernel: str
    arch: str
    cached: bool


FORM = "cubin 2"  # of what is kept in the cache: another number when `Compiled` holds something new
Task = tuple[str, str]  # architecture, source text
Report = Callable[[Progress], None]


@dataclass
class Compiler:
    """Turns tasks into cubins, from the cache where it can."""

    headers: Mapping[str, str]
    options: tuple[str, ...] = OPTIONS
    ptx: bool = False
    cache: Cache = field(default_factory=lambda: Cache(None))
    bundle: Path | None = None
    report: Report = lambda _: None
    compiled: int = 0

    def all(self, names: Mapping[Task, KernelCode], jobs: int, frozen: bool = False) -> dict[Task, Compiled]:
        """Every task's result. Kernels that are refused are reported together."""
        keys = {task: self._key(task) for task in names}
        results: dict[Task, Compiled] = {}
        for task, key in keys.items():
            stored = _decoded(self.cache.get(key))
            if stored is not None:
                results[task] = stored
                self._tell(len(results), len(names), task, names, cached=True)
        missing = [task for task in names if task not in results]
        if missing and frozen:
            raise _not_frozen([names[task].symbol for task in missing])
        for arch in sorted({arch for arch, _ in missing}):
            require_arch(arch)
        results |= self._fresh(missing, keys, names, jobs, len(results))
        self.compiled = len(missing)
        return results

    def _fresh(
        self, missing: Sequence[Task], keys: Mapping[Task, str], names: Mapping[Task, KernelCode], jobs: int, done: int
    ) -> dict[Task, Compiled]:
        """Compile in threads: NVRTC lets go of the interpreter. The order of the answers does not matter."""
        results: dict[Task, Compiled] = {}
        problems: dict[Task, FstcError] = {}
        with ThreadPoolExecutor(max_workers=max(1, min(jobs, len(missing)))) as pool:
            futures = {pool.submit(self._compile, task, names[task]): task for task in missing}
            try:
                for future in as_completed(futures):
                    task = futures[future]
                    try:
                        results[task] = future.result()
                    except FstcError as error:
                        problems[task] = error
                        continue
                    self.cache.put(keys[task], msgspec.msgpack.encode(results[task]))
                    self._tell(done + len(results), len(names), task, names, cached=False)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if problems:
            raise FstcError(*_distinct(problems[task] for task in missing if task in problems))
        return results

    def _compile(self, task: Task, kernel: KernelCode) -> Compiled:
        arch, source = task
        bundle = self.bundle / f"{kernel.symbol}-{arch}" if self.bundle else None
        return compile_cubin(source, kernel.file, arch, self.headers, self.options, ptx=self.ptx, bundle=bundle)

    def _key(self, task: Task) -> str:
        arch, source = task
        headers = [part for name in sorted(self.headers) for part in (name, self.headers[name])]
        options = [str(len(self.options)), *self.options, "ptx" if self.ptx else ""]
        return cache_key(FORM, compiler_version(), arch, *options, *headers, source)

    def _tell(self, done: int, total: int, task: Task, names: Mapping[Task, KernelCode], *, cached: bool) -> None:
        self.report(Progress(done, total, names[task].name, task[0], cached))


def _distinct(errors: Iterable[FstcError]) -> list[Diagnostic]:
    """A mistake in a source is found once an architecture and told once."""
    told: dict[tuple[str, str, str, int], Diagnostic] = {}
    for diagnostic in (d for error in errors for d in error.diagnostics):
        span = diagnostic.label.span if diagnostic.label else None
        place = (span.source.name, span.start) if span else (diagnostic.file, 0)
        told.setdefault((diagnostic.code, diagnostic.message, *place), diagnostic)
    return list(told.values())


def _decoded(stored: bytes | None) -> Compiled | None:
    """A cached result, unless another version of fstc wrote it in another form."""
    try:
        return None if stored is None else msgspec.msgpack.decode(stored, type=Compiled)
    except msgspec.MsgspecError:
        return None


def _not_frozen(symbols: Sequence[str]) -> FstcError:
    message = f"not in the cache, and --frozen compiles nothing: {', '.join(symbols)}"
    return FstcError(Diagnostic("FST0506", message, help="build once without --frozen"))


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
