"""The parser's cache: right whatever lies in the folder."""

from __future__ import annotations

import threading
from pathlib import Path

from fstc.ir.grammar import FirParser, load
from fstc.support.resources import resource

GRAMMAR = resource("grammar", "fir.lark").read_text(encoding="utf-8")
TEXT = "func @f(%x: f32[4]) -> (f32[4]) { %y = exp %x : f32[4] return %y }"


def check(parser: FirParser) -> None:
    assert str(parser.parse(TEXT, start="start").body[0].op) == "exp"  # type: ignore[attr-defined]


def test_made_once_then_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "grammar"
    check(load(GRAMMAR, folder))
    (file,) = folder.iterdir()
    before = file.stat().st_mtime_ns
    check(load(GRAMMAR, folder))
    assert file.stat().st_mtime_ns == before
    load(GRAMMAR + "\n// another grammar\n", folder)
    assert len(list(folder.iterdir())) == 2


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    load(GRAMMAR, tmp_path)
    (file,) = tmp_path.iterdir()
    good = file.read_bytes()
    for bad in (b"", good[: len(good) // 2], b"junk", b"\x80\x04N."):
        file.write_bytes(bad)
        check(load(GRAMMAR, tmp_path))
    check(load(GRAMMAR, tmp_path))


def test_folders_that_others_may_write_are_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    check(load(GRAMMAR, tmp_path))
    assert not list(tmp_path.iterdir())
    blocked = tmp_path / "file"
    blocked.write_text("")
    check(load(GRAMMAR, blocked))
    check(load(GRAMMAR, None))


def test_many_writers(tmp_path: Path) -> None:
    threads = [threading.Thread(target=load, args=(GRAMMAR, tmp_path)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [p.suffix for p in tmp_path.iterdir()] == [".lalr"]
    check(load(GRAMMAR, tmp_path))
