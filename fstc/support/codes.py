"""Every code fstc prints: FSTnnnn for what went wrong, FSNnnn for why the planner decided so.

Example: ``CODES["FST0202"].meaning == "unknown name"``; ``fstc explain FST0202`` prints the long form.
A code is never reused or given another meaning. Ranges: 00xx files and artefacts, 01xx syntax, 02xx
names and types, 03xx attributes, shapes and extents, 04xx plan input, 05xx toolchain, 06xx runtime and
verification, 09xx bugs of ours. The exit code of a command follows from the code.
"""

from __future__ import annotations

from dataclasses import dataclass

REFUSED, TOOLCHAIN, DEVICE, FINDING, USAGE, INTERNAL, TEMPORARY = 3, 4, 5, 1, 2, 70, 75


@dataclass(frozen=True)
class Code:
    """``meaning`` is one line; ``text`` says when it happens and what to do."""

    code: str
    meaning: str
    text: str
    exit: int = REFUSED


FILES = (
    Code("FST0001", "a file cannot be read", "The operating system refused: the file is missing, a folder, or not\n"
         "readable for this user. The message carries its reason."),
    Code("FST0002", "a file cannot be written", "The folder is missing, full or not writable. The target was left as\n"
         "it was: fstc writes beside it and renames."),
    Code("FST0003", "a file is too large", "Inputs are bounded so that a wrong file is refused at once. A .fir is at\n"
         "most 64 MiB; large constants belong into a safetensors file beside it."),
    Code("FST0004", "not an artefact, or a damaged one", "The file is no JSON, is cut off, lacks the envelope, or a\n"
         "field has the wrong type or an unknown name. Rerun the stage that writes it; when it was edited by\n"
         "hand, the message names the field."),
    Code("FST0005", "an artefact of another kind", "For example an analysis where a plan is needed. Every command\n"
         "takes its predecessor's file or any earlier one, never a later one."),
    Code("FST0006", "an artefact of another major version", "A major version changes the meaning of fields. It is\n"
         "refused, never migrated: rerun the stage that writes it with this fstc."),
    Code("FST0007", "a stale artefact", "An artefact names its inputs by sha256 and file name. One of them is no\n"
         "longer beside it, or has changed since. Rerun the stage, or put the right file back."),
    Code("FST0008", "not UTF-8", "A .fir is UTF-8 text without NUL characters. The message gives the first offset\n"
         "that is not."),
    Code("FST0010", "a device description is malformed", "A description is a YAML mapping of the keys that the shipped\n"
         "ones have, each once: fstc/device/h200.yaml is the reference.", exit=USAGE),
    Code("FST0011", "unknown device", "`--device` takes the name of a shipped description or the path of a .yaml file.",
         exit=USAGE),
    Code("FST0012", "made for another device", "Plans and kernels are for one device. Start from the .fir, the graph or the\n"
         "analysis to plan for another one.", exit=USAGE),
    Code("FST0013", "bindings without a .fir", "`--bind` sets extents where a .fir is read; in artefacts they are fixed.",
         exit=USAGE),
)

SYNTAX = (
    Code("FST0101", "syntax error", "The text does not follow grammar/fir.lark. The caret stands at the first token\n"
         "that cannot be there; the help line lists what could. One statement looks like\n\n"
         "  %y = add %x, %z {attribute = 1} : f32[4]"),
    Code("FST0102", "the file ends too early", "A brace, parenthesis or statement is still open at the end of the\n"
         "file. Perhaps it was cut off on its way."),
    Code("FST0103", "nested too deeply", "Parentheses, lists and regions may nest 64 deep. No model needs more; the\n"
         "limit keeps hostile input from exhausting the stack."),
    Code("FST0104", "a token is too long", "A name or number may have 4,096 characters, a string 65,536."),
    Code("FST0105", "too many errors", "Only the first 100 errors of a file are reported."),
)

NAMES = (
    Code("FST0201", "unknown op", "No entry of the op table has this name. `fstc ops` lists them; names and\n"
         "semantics are StableHLO's."),
    Code("FST0202", "unknown name", "No statement defines this %name."),
    Code("FST0203", "a name is defined twice", "The text is SSA: each %name is defined once in its function or\n"
         "region. The note points at the first definition."),
    Code("FST0204", "used before its definition", "Statements stand in execution order; move the definition up."),
    Code("FST0205", "wrong number of operands", "The op table gives the number of operands of each op."),
    Code("FST0206", "wrong number of results", "Names on the left, types after the colon and results of the op must\n"
         "be equally many."),
    Code("FST0207", "wrong number of regions", "Ops with a body (reduce, scatter, reduce_window) take one region\n"
         "`(%a: f32[], %b: f32[]) { ... return %c }`; other ops take none."),
    Code("FST0208", "unknown element type", "Element types are f64 f32 f16 bf16 f8e4m3fn f8e5m2 i8 i16 i32 i64 u8 u16\n"
         "u32 u64 bool."),
    Code("FST0209", "operand types do not fit", "The op's rule refuses the element types or shapes of its operands.\n"
         "Nothing is broadcast or converted implicitly: write broadcast_in_dim or convert."),
    Code("FST0210", "the declared result type is wrong", "The type after the colon differs from what the operands and\n"
         "attributes give. The help line shows the right one."),
    Code("FST0211", "the returned values do not fit the signature", "Their number and types must be those after `->`."),
    Code("FST0212", "a region is malformed", "A body works on scalars: parameters, statements and results of rank 0;\n"
         "it sees its parameters only, not the values around it."),
    Code("FST0213", "an op may not stand in a region", "Only element-wise ops and constants may."),
)

EXTENTS = (
    Code("FST0301", "a required attribute is missing", "`fstc ops NAME` shows the attributes of an op."),
    Code("FST0302", "unknown attribute", "The op has no attribute of this name."),
    Code("FST0303", "an attribute has the wrong type", "For example a float where a list of integers is needed."),
    Code("FST0304", "an attribute is given twice", "Attribute names are unique within braces."),
    Code("FST0305", "an attribute does not fit", "The op's rule refuses the value, for example an axis out of range."),
    Code("FST0306", "a constant does not fit its type", "The value is outside the element type's range, has a fraction\n"
         "where an integer is needed, or nests differently from the shape."),
    Code("FST0310", "a negative extent", "Extents are 0 or more after named extents are bound."),
    Code("FST0311", "a tensor is too large", "A tensor has at most 2^63-1 elements and bytes. One dimension and any\n"
         "intermediate result of an extent expression have the same limit."),
    Code("FST0312", "the rank is too large", "Ranks 0 to 8 are supported."),
    Code("FST0313", "an extent does not divide", "Division in extents is exact: `N/4` with N = 6 is refused."),
    Code("FST0314", "unknown named extent", "The extent is not declared. Declare it above the function: `dim B = 32`."),
    Code("FST0315", "an extent is unbound", "`dim B` without a default needs `--bind B=...`."),
    Code("FST0316", "a bad binding", "`--bind NAME=VALUE` takes a declared name and a positive integer, once.",
         exit=REFUSED),
    Code("FST0317", "a named extent is declared twice", "Each `dim` is declared once."),
    Code("FST0320", "the constants file cannot be used", "`data = \"file.safetensors:tensor\"` names a file in the folder\n"
         "of the .fir or below it. It is missing, leads elsewhere, or is no safetensors file."),
    Code("FST0321", "no such tensor in the constants file", "The safetensors header has no tensor of this name."),
    Code("FST0322", "a stored constant has another type", "The tensor in the constants file differs in element type or\n"
         "shape from the type that is declared."),
)

PLAN_INPUT = (
    Code("FST0401", "an op that this command cannot handle", "The op is typed and known but has no lowering here."),
)

TOOLCHAIN_CODES = (
    Code("FST0501", "NVRTC rejected a kernel", "Sources, options, log and the command to rerun were left in a bundle.",
         exit=TOOLCHAIN),
    Code("FST0502", "no C++ compiler", "The host target compiles kernels with g++ or clang++. On Debian:\n"
         "apt-get install g++. CXX names another one.", exit=TOOLCHAIN),
    Code("FST0503", "NVRTC is not installed", "Kernels are compiled by NVRTC, which comes in wheels: cuda-bindings and\n"
         "nvidia-cuda-nvrtc. No CUDA toolkit, driver or GPU is needed.", exit=TOOLCHAIN),
    Code("FST0504", "NVRTC has no such architecture", "The installed NVRTC cannot compile for the device. A device can be\n"
         "planned for all the same; sm_70 (V100) left with CUDA 13.", exit=TOOLCHAIN),
    Code("FST0505", "a cubin cannot be read", "The compiled image is no CUDA ELF file, is cut off, or lacks a kernel that the\n"
         "plan needs.", exit=TOOLCHAIN),
    Code("FST0506", "not in the cache", "`--frozen` compiles nothing: every kernel must be in the cache already.",
         exit=TOOLCHAIN),
    Code("FST0507", "the C++ compiler rejected a kernel", "The host target compiles the same text as NVRTC does. The\n"
         "compiler's first lines follow; an old compiler may lack C++17.", exit=TOOLCHAIN),
    Code("FST0510", "registers spill", "The kernel needs more registers than its launch bounds leave and keeps values in\n"
         "local memory, which is device memory. Fewer values a thread or fewer blocks an SM cure it.", exit=FINDING),
    Code("FST0511", "stack in local memory", "The kernel has a stack frame without spilling: an array that is indexed by\n"
         "a variable, or a call that was not inlined.", exit=FINDING),
    Code("FST0512", "occupancy below the plan", "With the registers and shared memory that the compiler used, fewer blocks\n"
         "fit on an SM than the plan counted on.", exit=FINDING),
    Code("FST0520", "not a package", "A package is a zip file with a manifest. It is another file, or it is cut off."),
    Code("FST0521", "a package that is not safe to read", "An entry is compressed, too large, outside its folder, listed\n"
         "twice, or differs from its digest in the manifest. fstc writes none of these."),
    Code("FST0522", "no code for this device", "The package was built for other devices. Build it again with `--device`."),
)

RUNTIME = (
    Code("FST0601", "no usable CUDA device", "No driver, no device, or an error while talking to it.", exit=DEVICE),
    Code("FST0602", "results differ", "A tensor is outside its tolerance.", exit=FINDING),
)

INTERNAL_CODES = (
    Code("FST0900", "a bug in fstc", "An invariant does not hold. Please report it with the bundle that was left.",
         exit=INTERNAL),
)

PLANNER: tuple[Code, ...] = ()  # FSNnnn: one for each reason to join or to keep apart

CODES: dict[str, Code] = {
    c.code: c
    for family in (FILES, SYNTAX, NAMES, EXTENTS, PLAN_INPUT, TOOLCHAIN_CODES, RUNTIME, INTERNAL_CODES, PLANNER)
    for c in family
}


def exit_code(code: str) -> int:
    """The exit code that a diagnostic of this code leads to."""
    return CODES[code].exit if code in CODES else REFUSED


def explain(code: str) -> str | None:
    """The long page of a code, or None when there is no such code."""
    entry = CODES.get(code.upper())
    return f"{entry.code}: {entry.meaning}\n\n{entry.text}\n" if entry else None
