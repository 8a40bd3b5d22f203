"""The LALR parser made from grammar/fir.lark, kept in the user's cache directory.

Example: ``parser().parse(text, start="start")`` gives a :class:`fstc.ir.syntax.File`. Making the tables
takes some 40 ms, loading them 3 ms. The cache file is named by the content it was made from and put in place
by a rename, so concurrent processes never read half of one; where the directory cannot be written or is
not ours alone, the tables are made each time.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from typing import IO

import lark

from fstc.ir.syntax import Records
from fstc.support.resources import resource

STARTS = ["start", "tensor_type"]


class FirParser(lark.Lark):
    """Lark with our records as callbacks, also when its tables come from a file."""

    @classmethod
    def restore(cls, stream: IO[bytes]) -> FirParser:
        # lark's public load() cannot attach a transformer; its own cache does what we do here.
        return cls.__new__(cls)._load(stream, transformer=Records(visit_tokens=False))


@lru_cache(maxsize=1)
def parser() -> FirParser:
    """The parser of this process."""
    grammar = resource("grammar", "fir.lark").read_text(encoding="utf-8")
    return load(grammar, cache_folder())


def load(grammar: str, folder: Path | None) -> FirParser:
    """The parser for a grammar, from ``folder`` when it holds one, else made and left there."""
    key = f"{lark.__version__} {sys.version_info[:2]} {STARTS}\n{grammar}"
    name = f"fir-{hashlib.sha256(key.encode()).hexdigest()[:24]}.lalr"
    if folder is None or not _is_private(folder):
        return _make(grammar)
    path = folder / name
    # Any damage to the file shows as one of many exceptions; making the tables anew is always right.
    with suppress(Exception), path.open("rb") as stream:
        return FirParser.restore(stream)
    made = _make(grammar)
    with suppress(OSError):
        _store(made, path)
    return made


def cache_folder() -> Path | None:
    """Where fstc keeps what it can make again; None when the user has no such place."""
    with suppress(OSError, RuntimeError):
        import platformdirs

        return platformdirs.user_cache_path("fstc", appauthor=False) / "grammar"
    return None


def _make(grammar: str) -> FirParser:
    return FirParser(
        grammar,
        parser="lalr",
        lexer="contextual",
        start=STARTS,
        maybe_placeholders=True,
        transformer=Records(visit_tokens=False),
    )


def _is_private(folder: Path) -> bool:
    """Whether nobody else can put a file there: the tables are unpickled, which runs what they say."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError:
        return False
    return status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o022


def _store(made: FirParser, path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as stream:
            made.save(stream, exclude_options=("transformer",))
        temporary.replace(path)
    except pickle.PicklingError:
        return
    finally:
        temporary.unlink(missing_ok=True)
