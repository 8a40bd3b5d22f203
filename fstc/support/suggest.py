"""What a user may have meant.

Example: ``did_you_mean("ad", OPS) == "did you mean `add` or `pad`?"``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches

CUTOFF = 0.65  # of difflib: `axis` for `axes`, but not `max` for `softmax`


def did_you_mean(name: str, known: Iterable[str], show: Callable[[str], str] = "`{}`".format) -> str:
    """A question with the closest names, or nothing; ``show`` spells a name."""
    close = get_close_matches(name[:80], list(known), n=3, cutoff=CUTOFF)
    return f"did you mean {alternatives(map(show, sorted(close)))}?" if close else ""


def alternatives(items: Iterable[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    *most, last = items
    return f"{', '.join(most)} or {last}" if most else last


def clipped(text: str, limit: int = 60) -> str:
    """Text for a message: a long one is cut."""
    return text if len(text) <= limit else text[: limit - 1] + "\u2026"
