"""Parts of the documents that a command prints, found and compared.

Two forms. A fenced block marked ``console`` holds ``$ fstc ...`` lines, each with its output below it (or none, where
it does not matter). Between ``<!-- output of: fstc ... -->`` and ``<!-- end -->`` stands a command's Markdown.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from itertools import pairwise

Run = Callable[[list[str]], str]
"""The standard output of ``fstc`` with these arguments."""

CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"^\$ fstc (.*)\n", re.MULTILINE)
GENERATED = re.compile(r"(<!-- output of: fstc (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)
NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?")
MEASURED = ("verify", "build", "run")  # their figures differ between machines: compared with numbers masked


def renewed(text: str, run: Run) -> str:
    """The document with every command's output as it is now."""
    parts = text.count("<!-- output of: fstc ") - text.count("`<!-- output of: fstc ")  # the rest is prose about them
    text, found = GENERATED.subn(lambda m: f"{m[1]}\n{run(shlex.split(m[2]))}\n{m[3]}", text)
    assert found == parts, "a generated part without its `<!-- end -->`"
    return CONSOLE.sub(lambda m: f"```console\n{_session(m[1], run)}```", text)


def _session(block: str, run: Run) -> str:
    prompts = list(PROMPT.finditer(block))
    assert prompts and not block[: prompts[0].start()].strip(), "a console block begins with `$ fstc`"
    out = []
    for prompt, following in pairwise([*prompts, None]):
        assert prompt is not None
        shown = block[prompt.end() : following.start() if following else len(block)]
        arguments = shlex.split(prompt[1], comments=True)
        printed = run(arguments)
        out.append(prompt[0] + (_merged(shown, printed, arguments[0]) if shown.strip() else shown))
    return "".join(out)


def _merged(shown: str, printed: str, command: str) -> str:
    """What is shown stays when only a measured command's figures changed."""
    same = command in MEASURED and _masked(shown) == _masked(printed)
    return shown if same or shown.strip() == printed.strip() else printed


def _masked(text: str) -> list[str]:
    return [" ".join(NUMBER.sub("0", line).split()) for line in text.strip().splitlines()]
