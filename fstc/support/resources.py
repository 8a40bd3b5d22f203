"""Where grammar/ and templates/ lie: inside an installed wheel, or at the root of a checkout.

Example: ``resource("grammar", "fir.lark").read_text(encoding="utf-8")``.
"""

from __future__ import annotations

from pathlib import Path

import fstc
from fstc.support.diagnostics import InternalError


def resource(kind: str, *parts: str) -> Path:
    """The path of a shipped file or folder; a wheel carries them in ``fstc/_data``."""
    package = Path(fstc.__file__).resolve().parent
    for root in (package / "_data", package.parent):
        if (root / kind).is_dir():
            return root.joinpath(kind, *parts)
    raise InternalError(f"this installation of fstc lacks its {kind}/ folder")
