"""What analyze writes: op classes, regions with their axes, bytes and floors.

Example: ``analysis.regions[0].axes`` of a softmax over ``f32[8,12,64]``: a0 = 96, a1 = 64;
``floor`` is what any plan must move.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from fstc.support.artefact import Artefact


class OpFact(msgspec.Struct, frozen=True, kw_only=True):
    node: int
    op: str
    kind: str  # light, expensive, reduction, layout, source, library
    region: int  # -1: outside of any
    users: int
    dominator: int  # node through which every path to a result leads; -1: none
    axes: tuple[str, ...]  # of its first result, outermost first
    reduced: tuple[str, ...]
    bytes: int  # of its results


class AxisFact(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    extent: int


class RegionFact(msgspec.Struct, frozen=True, kw_only=True):
    hash: str
    same_as: int  # number of the first region with this hash
    depth: int  # library calls above it
    nodes: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    axes: tuple[AxisFact, ...]
    renamed: tuple[tuple[int, int], ...]  # operand edges (node, operand) that address a value by other axes
    floor: int  # bytes: every outside tensor in once, every result out once
    unfused: int  # bytes: every op alone


class Analysis(Artefact, frozen=True, kw_only=True):
    KIND: ClassVar[str] = "analysis"
    VERSION: ClassVar[str] = "1.0"

    ops: tuple[OpFact, ...]
    regions: tuple[RegionFact, ...]
    value_bytes: tuple[int, ...]
