"""Read MLIR text or bytecode with jaxlib's bindings; whatever they refuse becomes a diagnostic.

Example: ``with parsed(Path("model.mlirbc")) as module: ...``. Bytecode of jax.export is a portable artefact (VHLO) and
is converted to the StableHLO that jaxlib knows. The native parser recurses, so nesting is bounded before it runs, and
it runs on a thread with a large stack.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from fstc.frontends.stablehlo.trial import is_risky, try_out
from fstc.support.diagnostics import Diagnostic, FstcError

MAGIC = b"ML\xefR"
MOST_BYTES = 2**31
DEEPEST = 64
STACK = 512 << 20  # bytes of address space; pages are touched when needed
ELIDED = ("__elided__", "dense<...>")
SYNTAX = re.compile(
    r"^(line \d+:\d+: )?(expected|unexpected|unknown|custom op|use of|undefined|redefinition|invalid|missing|Dialect)|"
    r"unregistered|undeclared|not found|bytecode|attempting|portable artifact|deserialize|unterminated"
)

T = TypeVar("T")


def load(path: Path, use: Callable[[Any], T], trusted: bool = False) -> T:
    """``use(module)`` on the parsed and verified module, all on a thread with a large stack.

    ``trusted``: without trying the file out in another process.
    """
    data = _bytes(path)
    if not trusted and is_risky(data, data.startswith(MAGIC)):
        try_out(path)
    found: list[T] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(use(_module(data, path)))
        except BaseException as error:  # handed over to the caller's thread
            failed.append(error)

    before = threading.stack_size(STACK)
    try:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise FstcError(Diagnostic("FST0808", f"{path.name} has {size:,} bytes, allowed are 2 GiB", file=str(path)))
        return path.read_bytes()
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}"
        raise FstcError(Diagnostic("FST0802", message, file=str(path))) from None


def _module(data: bytes, path: Path) -> Any:
    from jaxlib.mlir import ir

    notes: list[tuple[str, str]] = []
    context = make_context()
    context.attach_diagnostic_handler(lambda d: _noted(notes, d))
    with context:
        try:
            if data.startswith(MAGIC):
                module = _bytecode(context, data)
            else:
                module = ir.Module.parse(_text(data, path))
        except (ir.MLIRError, ValueError, TypeError) as error:
            raise refusal(path, error, notes, "FST0802" if data.startswith(MAGIC) else "") from None
        try:
            module.operation.verify()
        except ir.MLIRError as error:
            raise refusal(path, error, notes, "FST0804") from None
    return module


def make_context() -> Any:
    """A context that knows the dialects in which JAX and TensorFlow write models."""
    from jaxlib.mlir import ir
    from jaxlib.mlir._mlir_libs._jax_mlir_ext import register_dialects
    from jaxlib.mlir.dialects import chlo, mhlo, sdy, stablehlo

    context = ir.Context()
    registry = ir.DialectRegistry()
    register_dialects(registry)
    context.append_dialect_registry(registry)
    context.load_all_available_dialects()
    stablehlo.register_dialect(context)
    chlo.register_dialect(context)
    mhlo.register_mhlo_dialect(context)
    sdy.register_dialect(context)
    return context


def _bytecode(context: Any, data: bytes) -> Any:
    """A portable artefact, or else ordinary bytecode of StableHLO."""
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo

    if b"StableHLO_v" in data[:64]:
        return stablehlo.deserialize_portable_artifact(context, data)
    return ir.Module.parse(data)


def _noted(notes: list[tuple[str, str]], diagnostic: Any) -> bool:
    """Keeps what MLIR would print."""
    try:
        if len(notes) < 20:
            notes.append((str(diagnostic.message), str(diagnostic.location)))
    except (UnicodeDecodeError, RuntimeError):  # an exception that goes back into MLIR ends the process
        notes.append(("the message of MLIR is not text", ""))
    return True


def refusal(path: Path, error: Exception, notes: list[tuple[str, str]], code: str = "") -> FstcError:
    """MLIR's first message, with its place in the file."""
    lines = [line.strip() for line in str(error).splitlines() if "error:" in line]
    message, place = notes[0] if notes else (lines[0] if lines else str(error), "")
    message = message.removeprefix("error:").strip().replace('"-":', "line ")
    place = place.removeprefix("loc(").removesuffix(")").replace('"-":', "line ")
    where = f" (at {place})" if place and place not in ("unknown", "line 0:0") else ""
    code = code or ("FST0804" if _is_contradiction(message) else "FST0802")
    what = "is not valid StableHLO" if code == "FST0804" else "is not a StableHLO module that jaxlib reads"
    return FstcError(
        Diagnostic(
            code,
            f"{path.name} {what}: {message[:2000]}{where}",
            file=str(path),
            help="write it with jax.export, or with an MLIR tool of a version that jaxlib still reads",
        )
    )


def _is_contradiction(message: str) -> bool:
    """Did the parser understand the text, and the verifier refuse an op?"""
    return SYNTAX.search(message) is None


def _text(data: bytes, path: Path) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"{path.name} is neither MLIR text nor bytecode: {error.reason} at byte {error.start}"
        raise FstcError(Diagnostic("FST0802", message, file=str(path))) from None
    if "\0" in text:
        raise FstcError(Diagnostic("FST0802", f"{path.name} is neither MLIR text nor bytecode", file=str(path)))
    found = next((mark for mark in ELIDED if mark in text), None)
    if found:
        message = f"{path.name} was printed without its large constants ({found})"
        help = "write it with large constants: as_text(print_large_constants=True), or as bytecode by jax.export"
        raise FstcError(Diagnostic("FST0802", message, file=str(path), help=help))
    depth = nesting(data)
    if depth > DEEPEST:
        message = f"brackets of {path.name} are nested {depth} deep, allowed are {DEEPEST}"
        raise FstcError(Diagnostic("FST0808", message, file=str(path)))
    return text


def nesting(data: bytes) -> int:
    """How deep brackets are nested, strings and comments left out; ``<`` counts where it opens a type or attribute."""
    depth = deepest = 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*"|//[^\n]*|->|[(\[{<>}\])]|[-~!]{32,}', data):
        text = token.group()
        if text in (b"(", b"[", b"{", b"<"):
            depth += 1
            deepest = max(deepest, depth)
        elif text in (b")", b"]", b"}", b">"):
            depth -= 1
        elif text[:1] in b"-~!" and text != b"->":
            deepest = max(deepest, depth + len(text))
    return deepest
