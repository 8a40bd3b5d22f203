"""What can be wrong with a model, as exceptions of the importer and as diagnostics of the user.

Example: ``raise wrong("axis is 5, the rank is 3")`` inside an operator's handler; the importer adds the node's name
and makes FST0804 of it. :class:`fstc.frontends.artefact.Unsupported` is for what is right and cannot be mapped.
"""

from __future__ import annotations

from fstc.frontends.artefact import Unsupported
from fstc.support.diagnostics import Diagnostic, FstcError

SHOWN = 160  # characters of a name in a message


class Wrong(Exception):
    """The model contradicts itself; the message says how, without the node."""


class Beyond(Exception):
    """The model is right and larger than what is taken."""


class DataDependent(Unsupported):
    """A shape follows from elements that are known at run time only."""


def wrong(message: str) -> Wrong:
    return Wrong(message)


def short(name: str) -> str:
    """A name of the model as a message shows it: one line, not too long."""
    shown = name if name.isprintable() else "".join(c if c.isprintable() else "?" for c in name)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."


def unreadable(path: object, why: str, help: str = "") -> FstcError:
    return FstcError(
        Diagnostic("FST0802", f"{path} is no ONNX model that can be read: {why}", file=str(path), help=help)
    )


def mistaken(path: object, where: str, why: str, help: str = "") -> FstcError:
    return FstcError(Diagnostic("FST0804", f"{short(where)}: {why}" if where else why, file=str(path), help=help))


def too_large(path: object, why: str, help: str = "") -> FstcError:
    return FstcError(Diagnostic("FST0808", why, file=str(path), help=help))


def bad_data(path: object, tensor: str, why: str) -> FstcError:
    help = "external data lies in the model's folder or below it, as onnx.save writes it"
    message = f"the external data of {short(tensor)!r} {why}"
    return FstcError(Diagnostic("FST0807", message, file=str(path), help=help))
