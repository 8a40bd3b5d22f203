"""Text in lines of a bounded width.

Example: ``filled("ops: ", ["a", "b"]) == ("ops: a b",)``; what does not fit goes on below, indented.
"""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 120


def filled(head: str, words: Sequence[str], width: int = WIDTH) -> tuple[str, ...]:
    """``head`` and the words, broken between words; nothing where there are no words."""
    if not words:
        return ()
    indent = " " * (len(head) - len(head.lstrip()) + 2)
    lines = [head.rstrip()]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > width and lines[-1].strip():
            lines.append(f"{indent}{word}")
        else:
            lines[-1] += f" {word}"
    return tuple(lines)
