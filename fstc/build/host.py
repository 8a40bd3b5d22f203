"""Compile kernels for the host target: the same ``.cu`` text, by a C++ compiler, into one library.

Example::

    kernels = [HostKernel("softmax", text, grid=64, block=256, shared=1024, params=2)]
    library = compile_host(kernels, folder, cache=Cache.open(), jobs=2)
    library.launch("softmax", [x, y], order="warp-reverse")
    report = compile_host(kernels, folder, checked=True).check("softmax", [x, y], ["x", "y"], [True, False])

The shim and the runtime are in ``templates/host``; ``docs/targets.md`` says how they work. The checked
library is slower and reports races, wild and uninitialised accesses, and exact traffic. Running a
library is :mod:`fstc.build.host_library`'s part.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache as memoize
from pathlib import Path
from secrets import token_hex

from fstc.build.cache import Cache, cache_key
from fstc.build.host_library import HostLibrary
from fstc.build.host_unit import HostKernel, balance, unit_source
from fstc.support.diagnostics import Diagnostic, FstcError, Note
from fstc.support.resources import resource

COMPILERS = ("g++", "c++", "clang++")

# No fused multiply-add, so that a product is rounded as the source says; integers wrap and shared memory
# holds one type after another, as on the device. Frame pointers and line tables name the place of a fault.
COMMON = (
    "-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti", "-ffp-contract=off",
    "-fno-math-errno", "-fno-strict-aliasing", "-fwrapv", "-fno-omit-frame-pointer",
)  # fmt: skip
# DWARF 4: some addr2line take the wrong file for the first lines of a DWARF 5 table.
KERNEL = ("-O1", "-g1", "-gdwarf-4", "-Wframe-larger-than=32768", "-Werror=frame-larger-than=32768")
RUNTIME = ("-O3", "-DNDEBUG")
CHECKED = ("-fsanitize=thread", "--param=tsan-instrument-func-entry-exit=0")
LOG_LINES = 12  # of a compiler's message that a diagnostic repeats


def find_compiler(chosen: str | None = None) -> Path:
    """``chosen`` (the option that CXX sets), or the first of g++, c++, clang++ on the PATH; FST0502 without one."""
    for name in (chosen,) if chosen else COMPILERS:
        found = shutil.which(name)
        if found:
            return Path(found)
    missing = f"the C++ compiler {chosen} is not there" if chosen else "there is no C++ compiler"
    raise FstcError(Diagnostic("FST0502", missing, help="install one: apt-get install g++"))


def compile_host(
    kernels: Sequence[HostKernel],
    folder: Path,
    *,
    checked: bool = False,
    cache: Cache | None = None,
    jobs: int = 2,
    compiler: Path | None = None,
) -> HostLibrary:
    """One library of all kernels. ``folder`` receives the sources and the library, and must outlive it."""
    names = [k.name for k in kernels]
    assert len(set(names)) == len(names), "kernels of one library need distinct names"
    tool = compiler or find_compiler()
    units = [unit_source(group) for group in balance(kernels, jobs)]
    key = library_key(kernels, units, tool, checked)
    path = folder / f"host-{'checked-' if checked else ''}{key[:24]}.so"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        library = cache.get(key) if cache else None
        if library is None:
            library = _build(kernels, units, folder, key, tool, checked, cache, jobs)
            if cache:
                cache.put(key, library)
        _write(path, library)
    return HostLibrary(path, kernels, checked=checked)


def library_key(kernels: Sequence[HostKernel], units: Sequence[str], compiler: Path, checked: bool) -> str:
    """What the library's bytes depend on."""
    parts = [p for k in kernels for p in (k.file, k.source)]
    prelude = [text for _, text in sorted(_texts(resource("templates", "lib")).items())]
    return cache_key(
        "host", _runtime_key(compiler, checked), " ".join(_kernel_flags(checked)), *prelude, *units, *parts
    )


def _runtime_key(compiler: Path, checked: bool) -> str:
    texts = [text for _, text in sorted(_texts(resource("templates", "host")).items())]
    return cache_key("host-runtime", compiler_identity(compiler), " ".join(_runtime_flags(checked)), *texts)


def _texts(folder: Path) -> Mapping[str, str]:
    files = [p for p in folder.rglob("*") if p.suffix in (".h", ".cpp", ".cuh")]
    return {p.relative_to(folder).as_posix(): p.read_text(encoding="utf-8") for p in files}


def compiler_identity(compiler: Path) -> str:
    """Tells two compilers, or two versions of one, apart."""
    status = compiler.stat()
    return _version(compiler, status.st_mtime_ns, status.st_size)


@memoize
def _version(compiler: Path, modified: int, size: int) -> str:
    return f"{compiler} {modified} {size} {_run([str(compiler), '--version'], Path.cwd())}"


def _kernel_flags(checked: bool) -> tuple[str, ...]:
    return (*COMMON, *KERNEL, *((*CHECKED, "-DFST_HOST_CHECKED") if checked else ()))


def _runtime_flags(checked: bool) -> tuple[str, ...]:
    return (*COMMON, *RUNTIME, *(("-DFST_HOST_CHECKED",) if checked else ()))


def _build(
    kernels: Sequence[HostKernel],
    units: Sequence[str],
    folder: Path,
    key: str,
    compiler: Path,
    checked: bool,
    cache: Cache | None,
    jobs: int,
) -> bytes:
    build = folder / f"build-{key[:24]}-{token_hex(4)}"
    build.mkdir()
    try:
        for kernel in kernels:
            (build / kernel.file).write_text(kernel.source, encoding="utf-8")
        for i, text in enumerate(units):
            (build / f"unit{i}.cpp").write_text(text, encoding="utf-8")

        def unit(i: int) -> None:
            shim, prelude = resource("templates", "host"), resource("templates", "lib")
            command = [str(compiler), *_kernel_flags(checked), f"-I{shim}", f"-I{prelude}", "-include", "cuda_on_cpu.h"]
            _run([*command, "-c", f"unit{i}.cpp", "-o", f"unit{i}.o"], build)

        def runtime() -> None:
            (build / "runtime.o").write_bytes(_runtime(compiler, checked, cache, build))

        with ThreadPoolExecutor(max(1, jobs)) as pool:
            for result in [pool.submit(runtime), *(pool.submit(unit, i) for i in range(len(units)))]:
                result.result()
        objects = [f"unit{i}.o" for i in range(len(units))]
        _run([str(compiler), "-shared", *objects, "runtime.o", "-lm", "-o", "library.so"], build)
        return (build / "library.so").read_bytes()
    finally:
        shutil.rmtree(build, ignore_errors=True)


def _runtime(compiler: Path, checked: bool, cache: Cache | None, build: Path) -> bytes:
    key = _runtime_key(compiler, checked)
    code = cache.get(key) if cache else None
    if code is None:
        source = resource("templates", "host", "runtime.cpp")
        _run([str(compiler), *_runtime_flags(checked), "-c", str(source), "-o", "runtime.tmp.o"], build)
        code = (build / "runtime.tmp.o").read_bytes()
        if cache:
            cache.put(key, code)
    return code


def _run(command: Sequence[str], folder: Path) -> str:
    """Run the compiler; FST0507 with its first lines when it refuses."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()[:LOG_LINES] or [f"exit code {done.returncode}"]
        message = f"{Path(command[0]).name} rejected a kernel"
        raise FstcError(Diagnostic("FST0507", message, notes=tuple(Note(line) for line in lines)))
    return done.stdout


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{token_hex(4)}")
    temporary.write_bytes(data)
    temporary.replace(path)


__all__ = ["HostKernel", "HostLibrary", "compile_host", "find_compiler", "library_key"]
