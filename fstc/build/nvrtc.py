"""Compile CUDA text to a cubin with NVRTC: no toolkit, no driver, no GPU.

Example::

    compiled = compile_cubin(source, "kernels/softmax.cu", "sm_90", prelude())
    compiled.kernels["softmax"].spill_stores, len(compiled.cubin)

Headers are handed over in memory and the compiler looks nowhere else, so equal arguments and an equal
NVRTC give equal bytes. NVRTC releases the GIL: call from several threads.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from fstc.build.artefact import Resources
from fstc.build.cubin import read_cubin
from fstc.build.nvrtc_log import error_diagnostics, stable_log, used_by_function
from fstc.build.spill_lines import spill_lines
from fstc.support.diagnostics import Diagnostic, FstcError, Note
from fstc.support.resources import resource

OPTIONS = (
    "--std=c++17",
    "--no-source-include",  # never a header that happens to lie in the current folder
    "--no-cache",  # NVRTC's own cache, which our cache keys know nothing of
    "--ptxas-options=-v",  # spill bytes are only in the log
)

UNIT = "kernel.cu"  # the same for every source: NVRTC derives internal names from it


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """One compiled source. ``kernels`` is by symbol, and so are the source lines that spill, worst first."""

    cubin: bytes
    log: str
    kernels: dict[str, Resources]
    ptx: str = ""
    spill_lines: dict[str, tuple[int, ...]] = {}


def compile_cubin(
    source: str,
    name: str,
    arch: str,
    headers: Mapping[str, str],
    options: Sequence[str] = OPTIONS,
    *,
    ptx: bool = False,
    bundle: Path | None = None,
) -> Compiled:
    """Compile one source for ``arch`` ("sm_90").

    ``name`` is the source's file in diagnostics and has no part in the result. When NVRTC refuses the source,
    ``bundle`` (a folder, made here) receives what is needed to see the error again.
    """
    require_arch(arch)
    flags = (f"--gpu-architecture={arch}", *options)
    ok, log, cubin, ptx_text = _compile(source, headers, flags)
    if not ok:
        raise _failed(source, name, headers, flags, log, bundle)
    kernels = _resources(cubin, log)
    lines: dict[str, tuple[int, ...]] = {}
    if any(k.spill_stores or k.spill_loads for k in kernels.values()):
        # The same code once more, with a line table. It is not kept: it names the current folder.
        _, _, with_lines, _ = _compile(source, headers, (*flags, "-lineinfo"))
        lines = spill_lines(with_lines)
    return Compiled(cubin=cubin, log=log, kernels=kernels, ptx=ptx_text if ptx else "", spill_lines=lines)


def require_arch(arch: str) -> None:
    """Refuse an architecture that the installed NVRTC cannot compile for."""
    number = arch.removeprefix("sm_").rstrip("af")
    supported = _supported()
    if number.isdigit() and int(number) in supported:
        return
    known = ", ".join(f"sm_{n}" for n in supported)
    older = number.isdigit() and int(number) < supported[0]
    reason = f"{compiler_version()} no longer compiles for {arch}" if older else f"no {arch} in {compiler_version()}"
    help = f"it compiles for {known}" + ("; plan for this device, but build for another" if older else "")
    raise FstcError(Diagnostic("FST0504", reason, help=help))


@cache
def prelude() -> dict[str, str]:
    """The headers that generated kernels include, by the name they include them by."""
    root = resource("templates", "lib")
    files = sorted(root.rglob("*.cuh"))
    return {str(path.relative_to(root).as_posix()): path.read_text(encoding="utf-8") for path in files}


@cache
def compiler_version() -> str:
    """For manifests and cache keys, for example "nvrtc 13.0.88".

    The wheel's version is read from its folder's name: it has the patch level, which NVRTC itself does not tell,
    and a warm build need not load the compiler.
    """
    for folder in map(Path, sys.path):
        for found in sorted(folder.glob("nvidia_cuda_nvrtc-*.dist-info")):
            return f"nvrtc {found.name.split('-')[1].removesuffix('.dist')}"
    major, minor = _call(_nvrtc().nvrtcVersion())
    return f"nvrtc {major}.{minor}"


@cache
def _supported() -> tuple[int, ...]:
    return tuple(_call(_nvrtc().nvrtcGetSupportedArchs()))


@cache
def _nvrtc() -> Any:
    """The bindings, with the library loaded."""
    help = 'pip install "cuda-bindings>=13,<14" "nvidia-cuda-nvrtc==13.0.*"'
    try:
        from cuda.bindings import nvrtc
    except ImportError:
        raise FstcError(Diagnostic("FST0503", "the package cuda-bindings is not installed", help=help)) from None
    try:
        nvrtc.nvrtcVersion()
    except (RuntimeError, OSError) as error:  # pathfinder's DynamicLibNotFoundError is a RuntimeError
        reason = (str(error).splitlines() or ["it cannot be loaded"])[0]
        note = Note(f"loading it said: {reason}")
        raise FstcError(Diagnostic("FST0503", "NVRTC's library is not there", notes=(note,), help=help)) from None
    return nvrtc


def _call(answer: tuple[Any, ...]) -> Any:
    """The value of a bindings call that cannot fail for a reason of the user's."""
    status, *values = answer
    assert int(status) == 0, f"NVRTC said {status}"
    return values[0] if len(values) == 1 else tuple(values)


def _compile(source: str, headers: Mapping[str, str], flags: Sequence[str]) -> tuple[bool, str, bytes, str]:
    """(accepted, log, cubin, PTX)"""
    nvrtc = _nvrtc()
    names = sorted(headers)
    program = _call(
        nvrtc.nvrtcCreateProgram(
            source.encode(),
            UNIT.encode(),
            len(names),
            [headers[n].encode() for n in names],
            [n.encode() for n in names],
        )
    )
    try:
        encoded = [flag.encode() for flag in flags]
        (status,) = nvrtc.nvrtcCompileProgram(program, len(encoded), encoded)
        log = stable_log(_buffer(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program))
        if int(status) != 0:
            return False, log or str(status), b"", ""
        cubin = _buffer(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program)
        ptx = _buffer(nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX, program)
        return True, log, cubin, ptx.rstrip(b"\0").decode()
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _buffer(size: Any, get: Any, program: Any) -> bytes:
    data = bytes(_call(size(program)))
    (status,) = get(program, data)  # the bindings fill the bytes object in place
    assert int(status) == 0, f"NVRTC said {status}"
    return data


def _resources(cubin: bytes, log: str) -> dict[str, Resources]:
    """The cubin's figures, and ptxas' where the cubin has none."""
    used = used_by_function(log)
    return {
        name: Resources(
            registers=kernel.registers,
            stack=max(kernel.stack, used[name].stack),
            spill_stores=used[name].spill_stores,
            spill_loads=used[name].spill_loads,
            shared=kernel.shared,
            barriers=kernel.barriers,
            max_threads=kernel.max_threads,
            parameters=kernel.parameters,
            code=kernel.code,
            instructions=kernel.instructions,
        )
        for name, kernel in read_cubin(cubin).items()
    }


def _failed(
    source: str, name: str, headers: Mapping[str, str], flags: Sequence[str], log: str, bundle: Path | None
) -> FstcError:
    from fstc.build.bundle import write_bundle

    left = ""
    if bundle is not None:
        write_bundle(bundle, source, headers, flags, log, compiler_version())
        left = f"see {bundle} (run {bundle / 'repro.sh'})"
    return FstcError(*error_diagnostics(log, UNIT, name, source, headers, left))
