"""Packages: one zip file with everything that runs a graph on the devices it was built for.

Example::

    with Package.open(Path("bert.fpk")) as package:
        entry = package.device("h200")
        code, cubins = package.codegen(entry), package.cubins(entry)

Entries are stored uncompressed with a fixed date, sorted by name, so that equal content gives equal bytes. A
package from elsewhere is data: entries are read by the manifest's names only, each checked against its digest.
Reading is lazy and safe from several threads.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

from fstc.build.artefact import DeviceEntry, Manifest
from fstc.codegen.artefact import Codegen
from fstc.support.artefact import decode
from fstc.support.diagnostics import Diagnostic, FstcError
from fstc.support.files import sha256

MANIFEST = "manifest.json"
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that zip can hold
MODE = stat.S_IFREG | 0o644
MOST_ENTRIES = 65_535
MOST_MANIFEST_BYTES = 64 << 20
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}(/[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}){0,7}")


def pack(entries: Mapping[str, bytes]) -> bytes:
    """The zip file of these entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            assert NAME.fullmatch(name), name
            info = zipfile.ZipInfo(name, DATE)
            info.create_system = 3  # Unix, wherever it is written
            info.external_attr = MODE << 16
            archive.writestr(info, entries[name])
    return buffer.getvalue()


class Package:
    """An open package. Every entry that is read is checked against the manifest's digest."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        """``file`` is read from as long as the package is open, and closed with it."""
        self.name = name
        self._file = file
        try:
            self._zip = self._opened()
            self.manifest = decode(self._content(MANIFEST), Manifest, f"{name}: {MANIFEST}")
            self._check_manifest()
        except BaseException:
            file.close()
            raise

    @classmethod
    def open(cls, path: Path) -> Package:
        """The package at ``path``; refused with a reason when it is none, damaged, unsafe or of a newer format."""
        try:
            return cls(path.open("rb"), str(path))
        except OSError as error:
            message = f"cannot read {path}: {error.strerror or error}"
            raise FstcError(Diagnostic("FST0001", message, file=str(path))) from None

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "package") -> Package:
        return cls(io.BytesIO(data), name)

    def close(self) -> None:
        self._zip.close()
        self._file.close()

    def __enter__(self) -> Package:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(d.name for d in self.manifest.devices)

    def device(self, name: str = "") -> DeviceEntry:
        """What was built for a device; the only one where there is one and ``name`` is empty."""
        found = self.manifest.device(name)
        if not name and len(self.manifest.devices) == 1:
            found = self.manifest.devices[0]
        if found is None:
            wanted = f"{self.name} has no code for {name}" if name else f"{self.name} has code for several devices"
            raise FstcError(Diagnostic("FST0522", wanted, help=f"it was built for {', '.join(self.devices)}"))
        return found

    def choose(self, arch: str, sms: int, shared_per_block_max: int, title: str = "") -> tuple[DeviceEntry, str]:
        """The entry for a chip at hand, and a note when it was planned for another chip of the architecture."""
        fits = [d for d in self.manifest.devices if d.arch == arch and d.shared_per_block_max <= shared_per_block_max]
        if not fits:
            message = f"{self.name} has no code for {title or 'this device'} ({arch}, {sms} SMs)"
            raise FstcError(Diagnostic("FST0522", message, help=f"it was built for {', '.join(self.devices)}"))
        best = min(fits, key=lambda d: (d.title != title, abs(d.sms - sms), d.name))
        same = best.sms == sms and (not title or best.title == title)
        return (
            best,
            "" if same else f"planned for {best.title} ({best.sms} SMs), running on {title or arch} ({sms} SMs)",
        )

    def read(self, entry: str) -> bytes:
        """An entry's content, checked."""
        expected = self.manifest.entries.get(entry)
        if expected is None:
            raise self._refused("FST0521", f"its manifest does not list {entry!r}")
        data = self._content(entry)
        if sha256(data) != expected:
            raise self._refused("FST0521", f"{entry} differs from its digest in the manifest")
        return data

    def graph(self) -> bytes:
        """The graph artefact."""
        return self.read(self.manifest.graph)

    def plan(self, device: DeviceEntry) -> bytes:
        """The plan artefact of one device."""
        return self.read(device.plan)

    def codegen(self, device: DeviceEntry) -> Codegen:
        return decode(self.read(device.codegen), Codegen, f"{self.name}: {device.codegen}")

    def sources(self, device: DeviceEntry) -> dict[str, str]:
        """The text of every kernel, by the file name that codegen gave it."""
        root = device.codegen.rpartition("/")[0] + "/"
        return {k.source.removeprefix(root): self.read(k.source).decode() for k in device.kernels}

    def cubins(self, device: DeviceEntry) -> dict[str, bytes]:
        """The compiled image of every kernel, by symbol."""
        images = {name: self.read(name) for name in {k.cubin for k in device.kernels}}
        return {k.symbol: images[k.cubin] for k in device.kernels}

    def constant(self, name: str) -> bytes | None:
        """An embedded constants file; None when it lies beside the package."""
        found = next((c for c in self.manifest.constants if c.name == name and c.entry), None)
        return None if found is None else self.read(found.entry)

    def files(self, device: DeviceEntry, folder: str) -> dict[str, bytes]:
        """Further files of a device below ``folder`` ("host"), by their names in it."""
        root = f"{device.codegen.rpartition('/')[0]}/{folder}/"
        return {name.removeprefix(root): self.read(name) for name in device.files if name.startswith(root)}

    def _opened(self) -> zipfile.ZipFile:
        """The archive, when its directory holds nothing that fstc would not have written."""
        self._file.seek(0, io.SEEK_END)
        size = self._file.tell()
        self._file.seek(0)
        try:
            archive = zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, EOFError) as error:
            raise self._refused("FST0520", f"it is no zip file, or it is cut off ({error})") from None
        seen: set[str] = set()
        total = 0
        for info in archive.infolist():
            why = _unsafe(info, seen)
            if why:
                raise self._refused("FST0521", f"{info.filename!r} {why}")
            seen.add(info.filename)
            total += info.file_size
        if total > size or len(seen) > MOST_ENTRIES:
            raise self._refused("FST0521", "its entries claim more than the file holds")
        if MANIFEST not in seen:
            raise self._refused("FST0520", f"it has no {MANIFEST}")
        if archive.getinfo(MANIFEST).file_size > MOST_MANIFEST_BYTES:
            raise self._refused("FST0521", f"{MANIFEST} is too large")
        return archive

    def _content(self, entry: str) -> bytes:
        try:
            return self._zip.read(entry)
        except KeyError:
            raise self._refused("FST0521", f"{entry!r} is missing") from None
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, EOFError, RuntimeError) as error:
            raise self._refused("FST0520", f"{entry} cannot be read ({error})") from None

    def _check_manifest(self) -> None:
        missing = sorted(set(self.manifest.entries) - set(self._zip.namelist()))
        extra = sorted(set(self._zip.namelist()) - set(self.manifest.entries) - {MANIFEST})
        if missing or extra:
            which = f"{missing[0]} is missing" if missing else f"{extra[0]} is not in its manifest"
            raise self._refused("FST0521", which)

    def _refused(self, code: str, why: str) -> FstcError:
        help = "build it again with `fstc build`"
        return FstcError(Diagnostic(code, f"{self.name} cannot be used: {why}", file=self.name, help=help))


def _unsafe(info: zipfile.ZipInfo, seen: set[str]) -> str:
    """Why an entry is not one of ours, or nothing."""
    if not NAME.fullmatch(info.filename):
        return "is no name of an entry"
    if info.filename in seen:
        return "is listed twice"
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1:
        return "is compressed or encrypted"
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        return "is no plain file"
    return ""
