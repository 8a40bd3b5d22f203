"""Every code fstc prints: FSTnnnn for what went wrong, FSNnnn for why the planner decided so.

Example: ``CODES["FST0202"].meaning == "unknown name"``; ``fstc explain FST0202`` prints the long form.
A code is never reused or given another meaning. Ranges: 00xx files and artefacts, 01xx syntax, 02xx
names and types, 03xx attributes, shapes and extents, 04xx plan input, 05xx toolchain, 06xx runtime and
verification, 07xx comparing, 09xx bugs of ours. The exit code of a command follows from the code: a table for each.

An entry is its code and one-line meaning, then an indented text that says when it happens and what to do. Those
of decisions are in :mod:`fstc.support.decisions`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import dedent

from fstc.support.decisions import DECISIONS

DONE, REFUSED, TOOLCHAIN, DEVICE, FINDING, USAGE, INTERNAL, TEMPORARY = 0, 3, 4, 5, 1, 2, 70, 75


@dataclass(frozen=True)
class Code:
    """``meaning`` is one line; ``text`` says when it happens and what to do."""

    code: str
    meaning: str
    text: str
    exit: int = REFUSED


def _table(text: str, exit: int = REFUSED) -> tuple[Code, ...]:
    """Entries from their text form."""
    entries = re.findall(r"^(FS[TN]\d+) (.+)\n((?:(?: .*)?\n)*)", text, re.MULTILINE)
    return tuple(Code(code, meaning, dedent(body).strip("\n"), exit) for code, meaning, body in entries)


FILES = _table("""
FST0001 a file cannot be read
    The operating system refused: the file is missing, a folder, or not readable for this user. The
    message carries its reason.
FST0002 a file cannot be written
    The folder is missing, full or not writable. The target was left as it was: fstc writes beside it
    and renames.
FST0003 a file is too large
    Inputs are bounded so that a wrong file is refused at once. A .fir is at most 64 MiB; large
    constants belong into a safetensors file beside it.
FST0004 not an artefact, or a damaged one
    The file is no JSON, is cut off, lacks the envelope, or a field has the wrong type or an unknown
    name. Rerun the stage that writes it; when it was edited by hand, the message names the field.
FST0005 an artefact of another kind
    For example an analysis where a plan is needed. Every command takes its predecessor's file or any
    earlier one, never a later one.
FST0006 an artefact of another major version
    A major version changes the meaning of fields. It is refused, never migrated: rerun the stage that
    writes it with this fstc.
FST0007 a stale artefact
    An artefact names its inputs by sha256 and file name. One of them is no longer beside it, or has
    changed since. Rerun the stage, or put the right file back.
FST0008 not UTF-8
    A .fir is UTF-8 text without NUL characters. The message gives the first offset that is not. The names of files
    that fstc reads and writes are UTF-8, too, since its files name one another.
""")

FILES_USAGE = _table(
    """
FST0010 a device description is malformed
    A description is a YAML mapping of the keys that the shipped ones have, each once:
    fstc/device/h200.yaml is the reference.
FST0011 unknown device
    `--device` takes the name of a shipped description or the path of a .yaml file.
FST0012 made for another device
    Plans and kernels are for one device. Start from the .fir, the graph or the analysis to plan for
    another one.
FST0013 bindings without a .fir
    `--bind` sets extents where a .fir is read; in artefacts they are fixed.
FST0014 a bad option value
    The value of a flag, of an FSTC_ variable or in the settings file has the wrong type, is not among
    the choices or is too small.
FST0015 options of the planner beside a plan
    A plan file, a codegen file and a package hold a plan that was made; `--strategy`, `--top-k`, `--force` and the like
    act where one is made. Give the .fir, the graph or the analysis.
""",
    exit=USAGE,
)

SYNTAX = _table("""
FST0101 syntax error
    The text does not follow grammar/fir.lark. The caret stands at the first token that cannot be there;
    the help line lists what could. One statement looks like

      %y = add %x, %z {attribute = 1} : f32[4]
FST0102 the file ends too early
    A brace, parenthesis or statement is still open at the end of the file. Perhaps it was cut off on
    its way.
FST0103 nested too deeply
    Parentheses, lists and regions may nest 64 deep. No model needs more; the limit keeps hostile input
    from exhausting the stack.
FST0104 a token is too long
    A name or number may have 4,096 characters, a string 65,536.
FST0105 too many errors
    Only the first 100 errors of a file are reported.
""")

NAMES = _table("""
FST0201 unknown op
    No entry of the op table has this name. `fstc ops` lists them; names and semantics are StableHLO's.
FST0202 unknown name
    No statement defines this %name.
FST0203 a name is defined twice
    The text is SSA: each %name is defined once in its function or region. The note points at the first
    definition.
FST0204 used before its definition
    Statements stand in execution order; move the definition up.
FST0205 wrong number of operands
    The op table gives the number of operands of each op.
FST0206 wrong number of results
    Names on the left, types after the colon and results of the op must be equally many.
FST0207 wrong number of regions
    Ops with a body (reduce, scatter, reduce_window) take one region `(%a: f32[], %b: f32[]) { ...
    return %c }`; other ops take none.
FST0208 unknown element type
    Element types are f64 f32 f16 bf16 f8e4m3fn f8e5m2 i8 i16 i32 i64 u8 u16 u32 u64 bool.
FST0209 operand types do not fit
    The op's rule refuses the element types or shapes of its operands. Nothing is broadcast or converted
    implicitly: write broadcast_in_dim or convert.
FST0210 the declared result type is wrong
    The type after the colon differs from what the operands and attributes give. The help line shows the
    right one.
FST0211 the returned values do not fit the signature
    Their number and types must be those after `->`.
FST0212 a region is malformed
    A body works on scalars: parameters, statements and results of rank 0; it sees its parameters only,
    not the values around it.
FST0213 an op may not stand in a region
    Only element-wise ops and constants may.
""")

EXTENTS = _table("""
FST0301 a required attribute is missing
    `fstc ops NAME` shows the attributes of an op.
FST0302 unknown attribute
    The op has no attribute of this name.
FST0303 an attribute has the wrong type
    For example a float where a list of integers is needed.
FST0304 an attribute is given twice
    Attribute names are unique within braces: remove one of the two.
FST0305 an attribute does not fit
    The op's rule refuses the value, for example an axis out of range.
FST0306 a constant does not fit its type
    The value is outside the element type's range, has a fraction where an integer is needed, or nests
    differently from the shape.
FST0310 a negative extent
    Extents are 0 or more after named extents are bound.
FST0311 a tensor is too large
    A tensor has at most 2^63-1 elements and bytes. One dimension and any intermediate result of an
    extent expression have the same limit.
FST0312 the rank is too large
    Ranks 0 to 8 are supported. Reshape axes that are always used together into one.
FST0313 an extent does not divide
    Division in extents is exact: `N/4` with N = 6 is refused.
FST0314 unknown named extent
    The extent is not declared. Declare it above the function: `dim B = 32`.
FST0315 an extent is unbound
    `dim B` without a default needs `--bind B=...`.
FST0316 a bad binding
    `--bind NAME=VALUE` takes a declared name and a positive integer, once.
FST0317 a named extent is declared twice
    Each `dim` is declared once, above the function. Give the second another name or remove it.
FST0320 the constants file cannot be used
    `data = "file.safetensors:tensor"` names a file in the folder of the .fir or below it. It is
    missing, leads elsewhere, or is no safetensors file.
FST0321 no such tensor in the constants file
    The safetensors header has no tensor of this name.
FST0322 a stored constant has another type
    The tensor in the constants file differs in element type or shape from the type that is declared.
""")

PLAN_INPUT = _table("""
FST0401 an op that this command cannot handle
    The op is typed and known but has no lowering here.
FST0410 the placements of the real extents cannot be kept
    `verify --bind ... --as-real` checks the kernels that ship: the model is planned at the extents of
    the file, and that plan is carried over to the bound ones. Only axes on the grid may shrink, since
    fewer blocks run the same code. An axis that is reduced, or that lies within a block, keeps its
    extent; an axis that was cut into chunks stays a multiple of its chunk. Bind another extent, a
    larger value, or leave --as-real away: then the plan is made anew for the bound extents.
FST0411 an operator that no kernel can hold
    Alone in a kernel, the operator still exceeds what a launch can be: more than 2^31 - 1 blocks, or more
    memory than a block has. Its extents are those of no tensor that a device holds; bind smaller ones.
FST0420 a wish that no plan can keep
    `--force`, `--forbid` and `--pins` name values of the .fir. The message says what is in the way: a name
    that is not there, an input or a constant, which no kernel computes, a library call between two
    values, a wish against another, or the reason (FSN...) for which no kernel holds them all. Leave the wish
    away; `fstc plan --why-not A B` says what it would take.
FST0421 a file of pins cannot be understood
    `--pins` reads a YAML mapping with one key, `kernels`: a list of kernels, each a list of the values that it
    computes, with or without their %. A list of lists is a launch of several independent parts. It also reads a
    .plan.json of the same model, and then every kernel of that plan is a pin; a value that several kernels compute is
    computed by each of them again.
FST0422 a question about nothing in the plan
    `--explain A,B` and `--why-not A B` take names of values as the .fir has them, with or without their %, or those
    of kernels, which stand for their last result. Names hold for one model: the help line has the closest ones.
""")

EXPECTATIONS = _table("""
FST0430 a file of expectations cannot be understood
    `--expect` reads a YAML mapping. Its keys are `device`, `kernels`, `library_calls`, `bytes`,
    `bytes_over_floor`, `l2_bytes`, `predicted_us`, `spills`, `stitched`, `apart`, `kernel` and `decisions`; the
    section on expectations in docs/ci.md shows each. A bound is a number with its unit, alone or after <=, <, >=, > or
    ==. YAML keeps some signs for itself at the start of a value: quote `">= 50%"` and `"*softmax*"`. Tags and
    aliases are not read. `fstc plan --write-expect FILE` writes a file to start from.
""")

PLAN_FINDING = _table(
    """
FST0431 an expectation is broken
    The plan is not what the file of `--expect` says. The finding names the place in that file, what is, what was
    expected and by how much; `fstc plan --explain` and `fstc diff` show what changed. Change the model back, or
    the expectation when the change is meant.
FST0432 an expectation that cannot be checked
    Spills are known when kernels are compiled, not when they are planned. Such an expectation fails rather than pass
    unseen: check it with `fstc build --expect`, or of a package with `fstc plan model.fpk --expect`, and keep it in a
    file of its own.
""",
    exit=FINDING,
)

BUILD_TOOLCHAIN = _table(
    """
FST0501 NVRTC rejected a kernel
    Sources, options, log and the command to rerun were left in a bundle.
FST0502 no C++ compiler
    The host target compiles kernels with g++ or clang++. On Debian: apt-get install g++. CXX names
    another one.
FST0503 NVRTC is not installed
    Kernels are compiled by NVRTC, which comes in wheels: cuda-bindings and nvidia-cuda-nvrtc. No CUDA
    toolkit, driver or GPU is needed.
FST0504 NVRTC has no such architecture
    The installed NVRTC cannot compile for the device. A device can be planned for all the same; sm_70
    (V100) left with CUDA 13.
FST0505 a cubin cannot be read
    The compiled image is no CUDA ELF file, is cut off, or lacks a kernel that the plan needs.
FST0506 not in the cache
    `--frozen` compiles nothing: every kernel must be in the cache already.
FST0507 the C++ compiler rejected a kernel
    The host target compiles the same text as NVRTC does. The compiler's first lines follow; an old
    compiler may lack C++17.
""",
    exit=TOOLCHAIN,
)

BUILD_FINDING = _table(
    """
FST0510 registers spill
    The kernel needs more registers than its launch bounds leave and keeps values in local memory, which
    is device memory. Fewer values a thread or fewer blocks an SM cure it.
FST0511 stack in local memory
    The kernel has a stack frame without spilling: an array that is indexed by a variable, or a call
    that was not inlined.
FST0512 occupancy below the plan
    With the registers and shared memory that the compiler used, fewer blocks fit on an SM than the plan
    counted on.
""",
    exit=FINDING,
)

BUILD = _table("""
FST0520 not a package
    A package is a zip file with a manifest. It is another file, or it is cut off.
FST0521 a package that is not safe to read
    An entry is compressed, too large, outside its folder, listed twice, or differs from its digest in
    the manifest. fstc writes none of these.
FST0522 no code for this device
    The package was built for other devices. Build it again with `--device`.
FST0523 kernels that this fstc would not generate
    On the host target kernels run as native code, so those of a package are checked first: they are
    generated once more from its graph and plan and must be the same text. They differ when the package
    was made by another version of fstc, or was changed by hand. Build it again from its .fir. Where you
    know who made it, --trust runs its kernels, and its host library, as they are. Another target needs
    no trust: a GPU runs kernels in an address space of its own.
FST0524 a package of another plan
    `plan --built` sets what the compiler used beside the plan's estimates, kernel by kernel. The package
    must hold just this plan: the same model, extents, device, options and version of fstc. Build it
    again, or give the package itself: `fstc plan model.fpk --built model.fpk`.
""")

RUNTIME_DEVICE = _table(
    """
FST0601 no usable CUDA device
    No driver, no device, or an error while talking to it.
FST0604 not enough memory
    `run` and `verify` hold inputs and results in the memory of this machine, `verify` the float64 reference
    besides. Bind smaller extents: `fstc verify --bind B=1 --as-real` checks the kernels of the real ones.
""",
    exit=DEVICE,
)

RUNTIME_INPUT = _table("""
FST0603 the inputs do not fit
    The .npz or .safetensors file holds one tensor per input of the function, by its name without
    the %, with exactly its element type and shape.
""")

RUNTIME_FINDING = _table(
    """
FST0602 results differ
    A tensor is outside its tolerance, a kernel misbehaved, or, with --strict-traffic, it moved other bytes
    than predicted. `fstc verify` says so in its tables, the worst tensor first; the code itself is not printed.
""",
    exit=FINDING,
)

COMPARING = _table("""
FST0701 files that cannot be compared with each other
    `fstc diff` compares two plans or two packages; a .fir, a graph or an analysis counts as the plan that is made from
    it. A package holds plans for several devices, and code: against a plan there is nothing to compare that with.
""")

COMPARING_USAGE = _table(
    """
FST0702 a --fail-if expression that cannot be read
    An expression is a figure, a comparison and a number: `predicted_us>50` bounds the new value,
    `bytes>+1MB` the change, `predicted_us>+2%` the change in per cent of the old value. The caret stands at
    what is wrong; the help line lists what could be there. `docs/ci.md` has the figures and units.
""",
    exit=USAGE,
)

IMPORTING_SETUP = _table(
    """
FST0801 an importer's package is not installed
    Models of a framework are read by its own package, which fstc does not require: `pip install "fstc[onnx]"`,
    `"fstc[torch]"` or `"fstc[jax]"`. Everything else works without them.
""",
    exit=TOOLCHAIN,
)

IMPORTING = _table("""
FST0802 a model file that cannot be read
    The file is cut off, damaged, or of a format that `fstc import` does not know: .onnx, a torch.export program
    (.pt2), StableHLO as text or bytecode (.mlir, .mlirbc, .stablehlo). Pickles are never loaded: export the module with
    torch.export.save, or name a function that makes it with --torch.
FST0803 operators that cannot be imported
    The table shows each, with the reason and where it stands in the model. --allow-unsupported leaves them in
    the graph as calls that only the framework can run: such a model can be planned and built, not run.
FST0804 a model that is wrong
    A node contradicts itself or its neighbours: shapes that do not fit, a value that nothing makes, a cycle, an
    attribute out of its range. The message names the node; the framework would refuse it too, or compute nonsense.
FST0805 an extent that is not known
    The model has a symbolic dimension. `--bind NAME=N` gives it a value; the message lists the names.
FST0806 a shape that depends on data
    The extent of a tensor follows from elements that are known at run time only (NonZero, unique, a mask that selects).
    fstc compiles static shapes: fold what makes the shape into constants, or cut the model before it.
FST0807 external data that cannot be used
    Weights beside the model are missing, shorter than the model says, or outside its folder (an absolute path,
    `..`, a link that leads out), which is refused: a model from elsewhere must not choose what is read.
FST0808 a model beyond the limits
    More than a million ops after expansion, deeper nesting than 64, or a file larger than 2 GiB without external data.
    Loops are unrolled, so a long trip count counts.
FST0809 the function of --torch does not work
    `--torch package.module:factory` imports the module from the current folder and calls the function. It returns
    (module, inputs), or (module, inputs, keyword inputs), with example inputs of the right shapes. The message has
    the framework's own words.
FST0810 the framework cannot run the model
    `fstc verify --against onnxruntime`, `torch` or `jax` runs the model that the .fir was imported from. Its file must
    be where the .fir says, or be given with --model, and be unchanged since.
""")

BUGS = _table(
    """
FST0900 a bug in fstc
    An invariant does not hold. The message names a folder with the traceback and a script that reproduces it;
    please report it with these. The code itself is not printed.
""",
    exit=INTERNAL,
)

PLANNER = _table(DECISIONS, exit=DONE)

_FAMILIES = (
    FILES,
    FILES_USAGE,
    SYNTAX,
    NAMES,
    EXTENTS,
    PLAN_INPUT,
    EXPECTATIONS,
    PLAN_FINDING,
    BUILD_TOOLCHAIN,
    BUILD_FINDING,
    BUILD,
    RUNTIME_DEVICE,
    RUNTIME_INPUT,
    RUNTIME_FINDING,
    COMPARING,
    COMPARING_USAGE,
    IMPORTING_SETUP,
    IMPORTING,
    BUGS,
    PLANNER,
)

CODES: dict[str, Code] = {c.code: c for family in _FAMILIES for c in family}

assert len(CODES) == sum(map(len, _FAMILIES)), "a code stands for two things"


def exit_code(code: str) -> int:
    """The exit code that a diagnostic of this code leads to."""
    return CODES[code].exit if code in CODES else REFUSED


def explain(code: str) -> str | None:
    """The long page of a code, or None when there is no such code."""
    entry = CODES.get(code.upper())
    return f"{entry.code}: {entry.meaning}\n\n{entry.text}\n" if entry else None
