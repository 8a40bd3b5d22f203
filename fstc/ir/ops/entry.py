"""What the element-wise entries are made with: the common fields, and references of operands of one type.

Example: ``elementwise("neg", "Negation.", NUMBER, computed(numpy("negative")), "-{0}", arity=1)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fstc.ir.ops.numerics import cast, quiet, wide
from fstc.ir.ops.opdef import AttrDef, Form, Infer, Kind, OpDef
from fstc.ir.ops.rules import Rule, describe, same

Array = Any
Arrays = Sequence[Any]
Function = Callable[..., Array]
Reference = Callable[[Arrays, Infer], tuple[Any, ...]]
Domain = tuple[tuple[float, float], ...]


def computed(floats: Function | None, exact: Function | None = None) -> Reference:
    """A reference of operands of one type: ``floats`` in float64 then rounded once, ``exact`` in the type itself."""

    def reference(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
        import numpy as np

        dtype = infer.operands[-1].dtype
        function, operands = (floats, map(wide, arrays)) if dtype.is_float else (exact, map(np.asarray, arrays))
        assert function is not None, f"the type rule let {dtype} through"
        with quiet():
            result = np.asarray(function(*operands))
        return (cast(result, dtype) if dtype.is_float else result.astype(dtype.numpy()),)

    return reference


def numpy(name: str) -> Function:
    """The NumPy function of that name, looked up when it is called."""

    def call(*arrays: Array) -> Array:
        import numpy as np

        return getattr(np, name)(*arrays)

    return call


def elementwise(
    name: str,
    doc: str,
    kinds: str,
    reference: Reference,
    cuda: Any,
    *,
    arity: int = 2,
    alias: str = "",
    kind: Kind = Kind.LIGHT,
    infer: Rule | None = None,
    attrs: tuple[AttrDef, ...] = (),
    domain: Domain = (),
    commutative: bool = False,
    bits: bool = False,
    operands: str = "",
) -> OpDef:
    """An entry of form elementwise; by default all operands and the result have one type of the class ``kinds``."""
    return OpDef(
        name=name,
        kind=kind,
        form=Form.ELEMENTWISE,
        doc=doc,
        arity=(arity, arity),
        infer=infer or same(kinds),
        reference=reference,
        attrs=attrs,
        cuda=cuda,
        domain=domain,
        dtypes=describe(kinds),
        commutative=commutative,
        bits=bits,
        operands=operands,
        aliases=(alias,) if alias else (),
    )
