"""Options of a stage, declared once: flag, variable, default, type and help come from the field.

Example::

    @dataclass(frozen=True)
    class PlanOptions:
        smem_limit: int = option(49152, "Bytes of shared memory per block.", minimum=0)

    declared(PlanOptions)[0].flag == "--smem-limit"
    make(PlanOptions, {"smem_limit": "65536"}, "FSTC_SMEM_LIMIT")  # text from a variable or settings file

Only the command line reads the environment; a stage gets the finished object.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from fstc.support.diagnostics import Diagnostic, FstcError

_KEY = "fstc.option"
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")

T = TypeVar("T")


@dataclass(frozen=True)
class Option:
    """One declared option. ``type`` is int, float, str or bool; ``multiple`` means a tuple of them."""

    name: str
    type: type
    default: Any
    help: str
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    multiple: bool = False
    metavar: str = ""

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "FSTC_" + self.name.upper()


def option(
    default: Any, help: str, *, choices: Sequence[Any] = (), minimum: float | None = None, metavar: str = ""
) -> Any:
    """A dataclass field that is an option; ``help`` says when to use it."""
    declaration = {"help": help, "choices": tuple(choices), "minimum": minimum, "metavar": metavar}
    return dataclasses.field(default=default, metadata={_KEY: declaration})


def declared(cls: type) -> tuple[Option, ...]:
    """The options of a dataclass, in order."""
    hints = get_type_hints(cls)
    found = []
    for field in dataclasses.fields(cls):
        if _KEY in field.metadata:
            hint = hints[field.name]
            multiple = get_origin(hint) is tuple
            kind = get_args(hint)[0] if multiple else hint
            found.append(
                Option(field.name, kind, field.default, multiple=multiple, **field.metadata[_KEY]),
            )
    return tuple(found)


def make(cls: type[T], given: Mapping[str, Any], origin: str = "the settings") -> T:
    """The options object from values that were given (text is converted); ``origin`` names them in errors."""
    known = {o.name: o for o in declared(cls)}
    return cls(**{name: convert(known[name], value, origin) for name, value in given.items() if name in known})


def as_dict(options: Any) -> dict[str, Any]:
    """What an artefact records: the options that differ from their default."""
    values = ((o, getattr(options, o.name)) for o in declared(type(options)))
    return {o.name: list(v) if o.multiple else v for o, v in values if v != o.default}


def convert(option: Option, value: Any, origin: str) -> Any:
    """A given value in the option's type, checked against choices and minimum."""
    if not option.multiple:
        return _single(option, value, origin)
    items = [v.strip() for v in value.split(",") if v.strip()] if isinstance(value, str) else value
    return tuple(_single(option, item, origin) for item in items)


def _single(option: Option, value: Any, origin: str) -> Any:
    try:
        converted = _boolean(value) if option.type is bool else option.type(value)
    except (TypeError, ValueError):
        wanted = {int: "an integer", float: "a number", bool: "true or false"}.get(option.type, "a string")
        raise _refused(option, f"{value!r} is not {wanted}", origin) from None
    if option.choices and converted not in option.choices:
        raise _refused(option, f"{converted!r} is not one of {', '.join(map(str, option.choices))}", origin)
    if option.minimum is not None and converted < option.minimum:
        raise _refused(option, f"{converted} is less than {option.minimum:g}", origin)
    return converted


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in (*_TRUE, *_FALSE):
        return value.lower() in _TRUE
    raise ValueError(value)


def _refused(option: Option, why: str, origin: str) -> FstcError:
    message = f"{option.flag} ({origin}): {why}"
    return FstcError(Diagnostic("FST0014", message, help=option.help))
