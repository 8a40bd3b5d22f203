"""A content-addressed cache of compiler output, private to the user.

Example::

    cache = Cache.open()
    key = cache_key("cubin", compiler_version(), arch, source)
    data = cache.get(key)
    if data is None:
        cache.put(key, data := compile_it())

An entry carries the digest of its content, checked on every read: a damaged one counts as absent and is
replaced. Where the folder cannot be used, ``note`` says why and nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

FORMAT = "1"  # of an entry; part of every key
DIGEST_BYTES = 32
LOCK_SECONDS = 10


def cache_key(kind: str, *parts: str | bytes) -> str:
    """The key of what ``parts`` determine; each is counted in with its length."""
    digest = hashlib.sha256()
    for part in (FORMAT, kind, *parts):
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


@dataclass(frozen=True)
class CacheStats:
    """What lies in the folder."""

    folder: str
    entries: int
    bytes: int
    note: str = ""


@dataclass
class Cache:
    """``folder`` is None where nothing is kept. Safe to use from several threads and processes."""

    folder: Path | None
    note: str = ""
    hits: int = field(default=0, compare=False)
    misses: int = field(default=0, compare=False)

    @classmethod
    def open(cls, folder: Path | None = None) -> Cache:
        """The user's cache, or one at ``folder``; unusable folders give a cache that keeps nothing."""
        chosen = default_folder() if folder is None else folder
        why = _prepare(chosen)
        return cls(None, f"no cache: {why}") if why else cls(chosen)

    def get(self, key: str) -> bytes | None:
        """The content, or None when it is absent or damaged."""
        data = self._read(key)
        if data is None:
            self.misses += 1
        else:
            self.hits += 1
        return data

    def put(self, key: str, data: bytes) -> None:
        """Keep ``data``; a full or read-only disk is noted and otherwise ignored."""
        if self.folder is None:
            return
        path = self._path(key)
        temporary = path.with_name(f".{os.urandom(8).hex()}.tmp")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            try:
                # No sync: an entry that a crash leaves half written fails its digest.
                temporary.write_bytes(hashlib.sha256(data).digest() + data)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            self.note = f"the cache cannot be written: {error.strerror or error}"

    def stats(self) -> CacheStats:
        sizes = [size for _, size, _ in self._entries()]
        return CacheStats(str(self.folder or ""), len(sizes), sum(sizes), self.note)

    def gc(self, max_bytes: int) -> int:
        """Remove the entries unused for longest until ``max_bytes`` are left; the bytes freed.

        One collector at a time; when another one is at work, nothing is done.
        """
        if self.folder is None:
            return 0
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.folder / ".gc.lock", timeout=LOCK_SECONDS):
                return self._collect(max_bytes)
        except Timeout:
            self.note = "another process is cleaning the cache"
        except OSError as error:
            self.note = f"the cache cannot be cleaned: {error.strerror or error}"
        return 0

    def verify(self) -> tuple[int, int]:
        """(entries read, damaged ones removed); an entry that is being written is neither."""
        checked = damaged = 0
        for _, _, path in list(self._entries()):
            try:
                stored = path.read_bytes()
            except OSError:
                continue  # removed by another process
            if path.name.startswith("."):
                continue
            checked += 1
            if hashlib.sha256(stored[DIGEST_BYTES:]).digest() != stored[:DIGEST_BYTES]:
                path.unlink(missing_ok=True)
                damaged += 1
        return checked, damaged

    def _read(self, key: str) -> bytes | None:
        if self.folder is None:
            return None
        path = self._path(key)
        try:
            stored = path.read_bytes()
        except OSError:
            return None
        digest, data = stored[:DIGEST_BYTES], stored[DIGEST_BYTES:]
        if hashlib.sha256(data).digest() != digest:
            return None
        with suppress(OSError):
            os.utime(path)  # when it was last used; gc orders by it
        return data

    def _collect(self, max_bytes: int) -> int:
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        freed = 0
        for _, size, path in entries:
            if total - freed <= max_bytes:
                break
            path.unlink(missing_ok=True)
            freed += size
        return freed

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """(last used, bytes, path); temporary files that a crash left are entries too."""
        if self.folder is None:
            return
        for path in sorted(self.folder.glob("[0-9a-f][0-9a-f]/*")):
            try:
                status = path.stat()
            except OSError:
                continue  # removed by another process
            yield status.st_mtime, status.st_size, path

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / key[:2] / key[2:]


def default_folder() -> Path:
    """The user's cache folder by the platform's rules (XDG_CACHE_HOME on Linux)."""
    from platformdirs import user_cache_path

    return user_cache_path("fstc", appauthor=False)


def _prepare(folder: Path) -> str:
    """Make the folder; why it cannot be used, or nothing. Native code comes out of it: it must be ours alone."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        return f"{folder} cannot be made: {error.strerror or error}"
    if not stat.S_ISDIR(status.st_mode):
        return f"{folder} is no folder"
    if status.st_uid != os.getuid():
        return f"{folder} belongs to another user"
    if stat.S_IMODE(status.st_mode) & 0o022:
        return f"{folder} can be written by others; remove that permission"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} is not writable"
    return ""
