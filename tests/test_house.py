"""The rules of CONTRIBUTING.md that a program can check."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "fstc"
MODULES = sorted(PACKAGE.rglob("*.py"))
LAYERS = (
    "support", "ir", "device", "frontends", "analysis", "plan", "codegen", "build", "runtime", "report", "stages",
    "driver", "cli",
)  # fmt: skip
COMMON = ("support", "ir", "device")  # every layer above may import all of these
FREE = ("stages", "driver", "cli")  # these tie the stages together
READS_ENVIRONMENT = ("cli",)
PRINTS = ("cli", "report")
LONGEST = 500

by_module = pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def layer(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Dotted names of this project that a module imports, with their lines; type-checking ones too."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def tracked(*patterns: str) -> list[Path]:
    """Files of the repository; those of a source archive when git does not know it."""
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.splitlines() if listed.returncode == 0 else []
    return [ROOT / name for name in names if (ROOT / name).is_file()]


@by_module
def test_imports_point_down(path: Path) -> None:
    here = layer(path)
    if here not in LAYERS:
        return  # fstc/__init__.py and __main__.py
    for name, line in imports(tree(path)):
        parts = name.split(".")
        if parts[0] != "fstc" or len(parts) < 2 or parts[1] not in LAYERS:
            continue
        there = parts[1]
        if there == here:
            continue
        assert LAYERS.index(there) < LAYERS.index(here), f"line {line}: {here} imports {there}, a higher layer"
        if there in COMMON or here in FREE:
            continue
        meets = there == "report" or (len(parts) > 2 and parts[2] == "artefact")
        assert meets, f"line {line}: {here} imports {name}; stages meet at artefacts"


@by_module
def test_module_opens_with_a_docstring_and_is_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "no docstring: purpose, one example"
    assert text.count("\n") <= LONGEST, "split it by meaning"


@by_module
def test_op_names_stay_in_the_table(path: Path) -> None:
    if "ops" in path.relative_to(PACKAGE).parts and layer(path) == "ir":
        return
    from fstc.ir.ops import OPS

    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        about_op = any(isinstance(s, ast.Attribute) and s.attr == "name" and _names_op(s.value) for s in sides)
        words = [
            c.value for s in sides for c in ast.walk(s) if isinstance(c, ast.Constant) and isinstance(c.value, str)
        ]
        assert not (about_op and any(w in OPS for w in words)), f"line {node.lineno}: compares an op's name"


def _names_op(value: ast.expr) -> bool:
    return (isinstance(value, ast.Attribute) and value.attr == "op") or (
        isinstance(value, ast.Name) and value.id == "op"
    )


@by_module
def test_only_the_command_line_reads_the_environment(path: Path) -> None:
    if layer(path) in READS_ENVIRONMENT:
        return
    for node in ast.walk(tree(path)):
        reads = isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb")
        assert not reads, f"line {getattr(node, 'lineno', 0)}: reads the environment"


@by_module
def test_only_the_command_line_prints(path: Path) -> None:
    if layer(path) in PRINTS:
        return
    for node in ast.walk(tree(path)):
        called = node.func if isinstance(node, ast.Call) else None
        assert not (isinstance(called, ast.Name) and called.id == "print"), f"line {node.lineno}: prints"  # type: ignore[attr-defined]


@by_module
def test_codes_have_a_page(path: Path) -> None:
    from fstc.support.codes import CODES

    literals = (n.value for n in ast.walk(tree(path)) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    codes = {text for text in literals if re.fullmatch(r"FST\d{4}|FSN\d{3}", text)}
    assert codes <= set(CODES), "`fstc explain` must know every code; add it to fstc/support/codes.py"


def test_no_paths_of_a_machine() -> None:
    absolute = re.compile(r"(?<![\w.])/(?:home|root|tmp|Users|mnt|opt)/\w|(?<![\w./-])/work/")
    for path in tracked("*.py", "*.md", "*.toml", "*.fir", "*.cu*", "*.h", "*.cpp", "*.yaml", "*.j2", "Makefile"):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if path == Path(__file__).resolve():
                continue
            assert not absolute.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


def test_top_level_is_the_agreed_one() -> None:
    agreed = {
        "pyproject.toml", "README.md", "fstc", "grammar", "templates", "tests", "samples", "Makefile", ".ci", "docs",
        "bench", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", ".gitignore", ".gitattributes", ".github",
    }  # fmt: skip
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= agreed
