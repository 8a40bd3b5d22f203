"""Read a StableHLO module, as text or bytecode: ``read(path, options, "model.safetensors")``.

Example: ``read(Path("step.mlirbc"), ImportOptions(), "step.safetensors").graph``. Arguments of @main become inputs,
under the names that JAX gave them; donated ones may lend their memory to an output.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from fstc.frontends.artefact import Coverage, Imported, ImportOptions
from fstc.frontends.builder import Builder, Val
from fstc.frontends.emitter import LimitError
from fstc.frontends.stablehlo.decode import Malformed, decode
from fstc.frontends.stablehlo.extents import UnknownExtent, bound_shapes, extent_names
from fstc.frontends.stablehlo.parse import load
from fstc.frontends.stablehlo.program import Foreign, Program
from fstc.frontends.stablehlo.table import TABLE
from fstc.frontends.stablehlo.walk import Alien, Contradiction, Value, Walk
from fstc.ir.types import TensorType
from fstc.support.diagnostics import Diagnostic, FstcError

LONGEST_NAME = 200
PLATFORM = "_platform_index"


def read(path: Path | None, options: ImportOptions, file: str) -> Imported:
    """The module's @main as a graph, with all its operators in the coverage."""
    assert path is not None, "only the torch importer works without a file"
    try:
        return load(path, lambda module: _imported(decode(module, path.name), path, options, file))
    except Malformed as error:
        raise FstcError(Diagnostic("FST0802", f"{path.name}: {error}", file=str(path))) from None
    except Contradiction as error:
        raise FstcError(Diagnostic("FST0804", f"{path.name}: {error}", file=str(path))) from None
    except (LimitError, RecursionError, MemoryError) as error:
        message = str(error) or "the model needs more memory than there is"
        raise FstcError(Diagnostic("FST0808", f"{path.name}: {message}", file=str(path))) from None


def _imported(program: Program, path: Path, options: ImportOptions, file: str) -> Imported:
    b, coverage = Builder(), Coverage()
    walk = Walk(program, b, coverage, TABLE)
    args = _inputs(program, b, path, options)
    results = walk.call(program.main.name, args)
    names = _names([str(a.get("jax.result_info", "")) for a in program.main.result_attrs], "result")
    for i, (name, value) in enumerate(zip(names, results, strict=True)):
        if not isinstance(value, Val):
            reason = value.reason if isinstance(value, Alien) else "it is a tuple"
            raise _unusable(path, f"result {i} cannot be an output: {reason}")
        b.output(name, value)
    _donate(program, b, args, results)
    built = b.finish(file)
    return Imported(built.graph, built.tensors, file, coverage, "stablehlo", path)


def _inputs(program: Program, b: Builder, path: Path, options: ImportOptions) -> list[Value]:
    main = program.main
    names = _names(main.arg_names, "arg")
    found: list[Value] = []
    constants = [str(a.get("jax.global_constant", "")) for a in main.arg_attrs]
    missing = [n for n in constants if n and n not in options.binds]
    try:
        shapes = bound_shapes(program, names, options.binds)
    except UnknownExtent as error:
        missing = list(dict.fromkeys(error.names + missing))
        shapes = []
    if missing:
        known = " ".join(f"--bind {n}=N" for n in missing)
        help = f"give them: {known}; or export with static shapes (jax.ShapeDtypeStruct with numbers)"
        if PLATFORM in missing:
            help += f"; {PLATFORM} is the number of the platform, in the order of the export"
        message = f"{path.name} does not say {', '.join(missing)}"
        raise FstcError(Diagnostic("FST0805", message, file=str(path), help=help))
    idle = options.binds.keys() - extent_names(program, names) - set(constants)
    if idle:
        message = f"no argument has an extent {', '.join(sorted(idle))}"
        raise FstcError(Diagnostic("FST0805", message, file=str(path), help="leave that --bind away"))
    for name, type, shape, constant in zip(names, main.body.types, shapes, constants, strict=True):
        if not isinstance(type, TensorType) or shape is None:
            reason = type.reason if isinstance(type, Foreign) else "it is a tuple"
            raise _unusable(path, f"argument {name} cannot be an input: {reason}")
        if constant:
            found.append(b.full(options.binds[constant], type.dtype, shape))
        else:
            found.append(b.input(name, TensorType(type.dtype, shape)))
    return found


def _donate(program: Program, b: Builder, args: Sequence[Value], results: Sequence[Value]) -> None:
    """``alias`` on donated inputs: the output that JAX names, or the first of the same type that is free."""
    taken: set[int] = set()
    for arg, attrs in zip(args, program.main.arg_attrs, strict=True):
        index = attrs.get("tf.aliasing_output")
        if index is None and attrs.get("jax.buffer_donor"):
            free = (i for i, r in enumerate(results) if i not in taken and r.type == arg.type and r is not arg)
            index = next(free, None)
        if index is None or index in taken or not 0 <= index < len(results):
            continue
        result = results[index]
        if arg.known is None and result.type == arg.type and result is not arg and results.count(result) == 1:
            taken.add(index)
            b.hint(arg, alias=index)


def _names(given: Sequence[str], default: str) -> list[str]:
    """``params['w']`` is params.w, ``args[0]`` args.0; a name that occurs twice, or none, gets its number."""
    found: list[str] = []
    counts: dict[str, int] = {}
    for i, name in enumerate(given):
        plain = re.sub(r"[^\w]+", ".", name).strip(".")[:LONGEST_NAME]
        plain = plain if plain and not plain[0].isdigit() else f"{default}{i}"
        while plain in counts:
            counts[plain] += 1
            plain = f"{plain}.{counts[plain]}"
        counts[plain] = 0
        found.append(plain)
    return found


def _unusable(path: Path, message: str) -> FstcError:
    return FstcError(Diagnostic("FST0803", f"{path.name}: {message}", file=str(path)))
