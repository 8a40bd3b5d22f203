"""What is written beside the fields of a class, read from its source: one text for readers of code and of schemas.

Example::

    class Kernel(msgspec.Struct):
        shared: int  # dynamic, bytes
        constants: dict[str, float]
        \"\"\"Figures of the device.\"\"\"

    field_docs(Kernel) == {"shared": "dynamic, bytes", "constants": "Figures of the device."}

Without the source (a program that was frozen) there is nothing to tell.
"""

from __future__ import annotations

import ast
import inspect
import io
import tokenize
from itertools import pairwise
from textwrap import dedent


def field_docs(cls: type) -> dict[str, str]:
    """The comment on a field's last line, or the string below it, by the field's name."""
    try:
        source = dedent(inspect.getsource(cls))
    except (OSError, TypeError):
        return {}
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    comments = _comments(source)
    found = {}
    for statement, following in pairwise([*body.body, None]):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            text = _string(following) or comments.get(statement.end_lineno or 0, "")
            if text:
                found[statement.target.id] = text
    return found


def _string(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(str(statement.value.value).split())
    return ""


def _comments(source: str) -> dict[int, str]:
    """By line; not those for linters."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    texts = ((t.start[0], t.string.lstrip("# ")) for t in tokens if t.type == tokenize.COMMENT)
    return {line: text for line, text in texts if not text.startswith(("type:", "noqa", "fmt:"))}
