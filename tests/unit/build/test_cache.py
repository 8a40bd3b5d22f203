"""The cache: hits, damage, privacy, concurrency and collection."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fstc.build.cache import Cache, cache_key

KEY = cache_key("test", "a")


def entry_of(folder: Path, key: str) -> Path:
    return folder / key[:2] / key[2:]


def test_what_is_put_is_got_in_another_process_too(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path / "c")
    assert cache.get(KEY) is None
    cache.put(KEY, b"content")
    assert cache.get(KEY) == b"content"
    assert Cache.open(tmp_path / "c").get(KEY) == b"content"
    assert (cache.hits, cache.misses) == (1, 1)


def test_the_folder_is_private(tmp_path: Path) -> None:
    Cache.open(tmp_path / "a" / "c").put(KEY, b"x")
    for folder in (tmp_path / "a" / "c", tmp_path / "a" / "c" / KEY[:2]):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_parts_of_a_key_do_not_run_together() -> None:
    keys = [cache_key("k", "ab", "c"), cache_key("k", "a", "bc"), cache_key("k", "abc"), cache_key("ka", "b", "c")]
    assert len({*keys, cache_key("k", "ab", "c", "")}) == 5
    assert cache_key("k", "ab") == cache_key("k", b"ab")


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 40])
def test_a_damaged_entry_is_absent_and_replaced(tmp_path: Path, damage: bytes) -> None:
    cache = Cache.open(tmp_path)
    cache.put(KEY, b"content")
    entry_of(tmp_path, KEY).write_bytes(damage)
    assert cache.get(KEY) is None
    cache.put(KEY, b"content")
    assert cache.get(KEY) == b"content"


def test_one_flipped_bit_is_seen(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path)
    cache.put(KEY, bytes(1000))
    path = entry_of(tmp_path, KEY)
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)
    assert cache.get(KEY) is None


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    cache = Cache.open(folder)
    assert cache.folder is None
    assert "written by others" in cache.note


def test_no_folder_no_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache.open(tmp_path / "file" / "c")
    assert cache.folder is None
    assert cache.note.startswith("no cache: ")
    cache.put(KEY, b"x")
    assert cache.get(KEY) is None
    assert cache.gc(0) == 0
    assert cache.stats().entries == 0


def test_a_disk_that_refuses_is_noted_only(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path)
    (tmp_path / KEY[:2]).write_text("in the way")
    cache.put(KEY, b"x")
    assert "cannot be written" in cache.note
    assert cache.get(KEY) is None


def test_threads_share_it(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path)
    keys = [cache_key("t", str(i % 8)) for i in range(200)]

    def work(key: str) -> bytes | None:
        cache.put(key, key.encode() * 50)
        return cache.get(key)

    with ThreadPoolExecutor(8) as pool:
        assert all(found == key.encode() * 50 for key, found in zip(keys, pool.map(work, keys), strict=True))
    assert cache.stats().entries == 8
    assert not [p for p in tmp_path.rglob("*") if p.name.endswith(".tmp")]


def test_collection_removes_what_was_not_used_for_longest(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path)
    keys = [cache_key("g", str(i)) for i in range(4)]
    for age, key in enumerate(keys):
        cache.put(key, bytes(968))  # 1,000 with the digest
        os.utime(entry_of(tmp_path, key), (1000 + age, 1000 + age))
    assert cache.get(keys[0]) is not None  # used now
    assert (cache.stats().entries, cache.stats().bytes) == (4, 4000)
    assert cache.gc(2000) == 2000
    assert [cache.get(k) is not None for k in keys] == [True, False, False, True]
    assert cache.gc(0) == 2000
    assert cache.stats().entries == 0


def test_what_a_crash_left_is_collected(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path)
    cache.put(KEY, b"x")
    (tmp_path / KEY[:2] / ".0123.tmp").write_bytes(b"half")
    assert cache.stats().entries == 2
    cache.gc(0)
    assert cache.stats().entries == 0
