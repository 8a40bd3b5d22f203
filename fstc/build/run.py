"""Build: plans and kernels for one or more devices in, one package out.

Example::

    built = build(graph_bytes, [DeviceBuild(device, plan_bytes, codegen_bytes, sources)], cache=Cache.open())
    write_atomic(path, built.package)

A kernel is compiled once an architecture, however many devices and layers use it. What the compiler did against
the plan's wishes comes back as findings; whether one of them is an error is for the caller to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fstc.build.artefact import Constant, DeviceEntry, Finding, KernelEntry, Manifest, Round
from fstc.build.cache import Cache
from fstc.build.compile import Compiler, Report, Task, cores
from fstc.build.findings import check_kernel, estimates
from fstc.build.nvrtc import OPTIONS, Compiled, compiler_version, prelude
from fstc.build.package import MANIFEST, pack
from fstc.codegen.artefact import Codegen, KernelCode
from fstc.device.device import Device
from fstc.plan.artefact import Plan
from fstc.support.artefact import decode, encode, rerun_help
from fstc.support.diagnostics import Diagnostic, FstcError
from fstc.support.files import sha256

GRAPH = "graph.json"
DIGEST_DIGITS = 16  # of a content's digest, in its entry's name


@dataclass(frozen=True)
class DeviceBuild:
    """What one device brings: file contents as the stages wrote them, kernels by the name codegen gave them."""

    device: Device
    plan: bytes
    codegen: bytes
    sources: Mapping[str, str]
    rounds: tuple[Round, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)  # maps of kernels, host library: kept below the device


@dataclass(frozen=True)
class ConstantsFile:
    """A constants file of the graph; ``content`` embeds it."""

    name: str
    sha256: str
    size: int
    content: bytes | None = None


@dataclass(frozen=True)
class Built:
    """``package`` is the content of the .fpk file."""

    package: bytes
    manifest: Manifest
    compiled: int  # kernels that NVRTC compiled in this run
    cached: int  # kernels that came from the cache

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.manifest.findings


def build(
    graph: bytes,
    devices: Sequence[DeviceBuild],
    *,
    ptx: bool = False,
    constants: Sequence[ConstantsFile] = (),
    options: Sequence[str] = OPTIONS,
    headers: Mapping[str, str] | None = None,
    jobs: int = 0,
    cache: Cache | None = None,
    frozen: bool = False,
    progress: Report | None = None,
    bundle: Path | None = None,
) -> Built:
    """Compile and pack. ``jobs`` 0: one a core. ``frozen``: what is not in the cache is refused, not compiled.

    ``bundle`` is the folder for what a refused kernel leaves, one folder a kernel below it.
    """
    codes = [_checked_codegen(entry) for entry in devices]
    names: dict[Task, KernelCode] = {}
    for entry, code in zip(devices, codes, strict=True):
        for kernel in code.kernels:
            names.setdefault((entry.device.arch, entry.sources[kernel.file]), kernel)
    compiler = Compiler(
        headers=prelude() if headers is None else headers,
        options=tuple(options),
        ptx=ptx,
        cache=cache or Cache(None),
        bundle=bundle,
        report=progress or (lambda _: None),
    )
    results = compiler.all(names, jobs or cores(), frozen)
    entries: dict[str, bytes] = {GRAPH: graph}
    parts = [_add_device(entries, entry, code, results) for entry, code in zip(devices, codes, strict=True)]
    manifest = Manifest(
        graph=GRAPH,
        compiler=compiler_version(),
        options=tuple(options),
        devices=tuple(device for device, _ in parts),
        constants=tuple(_add_constant(entries, c) for c in constants),
        findings=tuple(finding for _, findings in parts for finding in findings),
        entries={name: sha256(data) for name, data in sorted(entries.items())},
    )
    package = pack({**entries, MANIFEST: encode(manifest)})
    return Built(package, manifest, compiler.compiled, len(names) - compiler.compiled)


def _checked_codegen(entry: DeviceBuild) -> Codegen:
    """The codegen artefact, when the sources are those it describes."""
    code = decode(entry.codegen, Codegen, f"{entry.device.name}.codegen.json")
    problems = []
    for kernel in code.kernels:
        if kernel.file not in entry.sources:
            problems.append(f"its kernel {kernel.file} is not there")
        elif sha256(entry.sources[kernel.file].encode()) != kernel.digest:
            problems.append(f"its kernel {kernel.file} has changed since")
    if problems:
        help = rerun_help("codegen")
        raise FstcError(*(Diagnostic("FST0007", f"the codegen file is stale: {p}", help=help) for p in problems))
    return code


def _add_device(
    entries: dict[str, bytes], entry: DeviceBuild, code: Codegen, results: Mapping[Task, Compiled]
) -> tuple[DeviceEntry, list[Finding]]:
    device, root = entry.device, f"devices/{entry.device.name}"
    kernels: list[KernelEntry] = []
    findings: list[Finding] = []
    planned = estimates(device, decode(entry.plan, Plan, f"{device.name}.plan.json"), code)
    for index, kernel in enumerate(code.kernels):
        source = entry.sources[kernel.file]
        result = results[device.arch, source]
        used = result.kernels.get(kernel.symbol)
        if used is None:
            message = f"{kernel.file} has no kernel called {kernel.symbol}"
            raise FstcError(Diagnostic("FST0505", message, file=kernel.file, help=rerun_help("codegen")))
        checked = check_kernel(device, kernel, planned[index], used, result.spill_lines.get(kernel.symbol, ()))
        findings += checked.findings
        name = f"{device.arch}-{sha256(result.cubin)[:DIGEST_DIGITS]}"
        entries[f"cubins/{name}.cubin"] = result.cubin
        if result.ptx:
            entries[f"ptx/{name}.ptx"] = result.ptx.encode()
        entries[f"{root}/{kernel.file}"] = source.encode()
        kernels.append(
            KernelEntry(
                symbol=kernel.symbol,
                name=kernel.name,
                source=f"{root}/{kernel.file}",
                cubin=f"cubins/{name}.cubin",
                ptx=f"ptx/{name}.ptx" if result.ptx else "",
                compiled=used,
                planned=planned[index],
                blocks_per_sm=checked.blocks_per_sm,
                limiter=checked.limiter,
            )
        )
    files = {f"{root}/{name}": data for name, data in sorted(entry.files.items())}
    entries |= {f"{root}/plan.json": entry.plan, f"{root}/codegen.json": entry.codegen} | files
    described = DeviceEntry(
        name=device.name,
        title=device.title,
        arch=device.arch,
        sms=device.sms,
        shared_per_block_max=device.shared_per_block_max,
        plan=f"{root}/plan.json",
        codegen=f"{root}/codegen.json",
        kernels=tuple(kernels),
        files=tuple(files),
        rounds=entry.rounds,
    )
    return described, findings


def _add_constant(entries: dict[str, bytes], file: ConstantsFile) -> Constant:
    entry = f"constants/{file.sha256[:DIGEST_DIGITS]}.safetensors"  # its own name may hold anything
    if file.content is None:
        return Constant(name=file.name, sha256=file.sha256, size=file.size)
    entries[entry] = file.content
    return Constant(name=file.name, sha256=file.sha256, size=file.size, entry=entry)
