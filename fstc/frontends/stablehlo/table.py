"""The one table of ops: the name in the framework to how it is mapped.

Example: ``TABLE["stablehlo.exponential"].doc``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fstc.frontends.stablehlo.calls import CALLS
from fstc.frontends.stablehlo.chlo import CHLO
from fstc.frontends.stablehlo.control import CONTROL
from fstc.frontends.stablehlo.elementwise import ELEMENTWISE
from fstc.frontends.stablehlo.indexing import INDEXING
from fstc.frontends.stablehlo.layout import LAYOUT
from fstc.frontends.stablehlo.products import PRODUCTS
from fstc.frontends.stablehlo.reduction import REDUCTION
from fstc.frontends.stablehlo.rest import REST
from fstc.frontends.stablehlo.walk import Entry


def _joined(*families: Mapping[str, Entry]) -> Mapping[str, Entry]:
    table: dict[str, Entry] = {}
    for family in families:
        for name, entry in family.items():
            assert name not in table, f"{name} is declared twice"
            table[name] = entry
    return MappingProxyType(dict(sorted(table.items())))


TABLE = _joined(ELEMENTWISE, LAYOUT, INDEXING, PRODUCTS, REDUCTION, CONTROL, CALLS, CHLO, REST)
