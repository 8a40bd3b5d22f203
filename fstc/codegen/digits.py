"""C text of digits: an axis's index from the machine's coordinates, and positions in per-thread arrays.

Example: for ``d: vector 4, lane 32, warp 8`` the base of the axis is ``(lane + 32 * warp) * 4`` and element ``e`` of
its vector is at ``a1 + e``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fstc.plan.artefact import AxisPlace


def digit(source: str, stride: int, radix: int, last: bool) -> str:
    """``(source / stride) % radix``; ``last``: no digit lies above, so the modulus is not needed."""
    text = source if stride == 1 else f"{source} / {stride}"
    if last:
        return text
    return f"{text} % {radix}" if stride == 1 else f"({text}) % {radix}"


def base_text(place: AxisPlace, tops: Mapping[str, int]) -> str:
    """The axis's index at vector element 0 and serial step 0; ``tops``: product of all radices at each level."""
    parts: list[str] = []
    weight = place.vector
    for source, radix, stride, level in (
        ("lane", place.lanes, place.lane_stride, "lane"),
        ("warp", place.warps, place.warp_stride, "warp"),
        ("block", place.grid, place.grid_stride, "block"),
    ):
        if level == "block":
            weight *= place.serial
        if radix > 1:
            text = digit(source, stride, radix, stride * radix == tops[level])
            parts.append(scaled(text, weight))
        weight *= radix
    return " + ".join(parts) or "0"


def scaled(text: str, weight: int) -> str:
    """``text * weight``, ready to stand in a sum."""
    if weight == 1:
        return f"({text})" if " + " in text or " - " in text else text
    return f"({text}) * {weight}" if " " in text else f"{text} * {weight}"


def added(*texts: str) -> str:
    """A sum without its zeros."""
    return " + ".join(t for t in texts if t != "0") or "0"


def step(place: AxisPlace) -> int:
    """Distance in the index between two serial steps."""
    return place.vector * place.lanes * place.warps


def tops(placement: Iterable[AxisPlace]) -> dict[str, int]:
    """Per level the product of its radices, as far as axes use them; lanes and warps that idle do not count."""
    found = {"lane": 1, "warp": 1, "block": 1}
    for place in placement:
        found["lane"] *= place.lanes
        found["warp"] *= place.warps
        found["block"] *= place.grid
    if found["lane"] < 32:
        found["lane"] = 64  # idle lanes lie above: every digit needs its modulus
    return found


def slot(axes: Iterable[str], places: Mapping[str, AxisPlace], where: Mapping[str, tuple[str, str]]) -> str:
    """Position in a thread's array over ``axes``: mixed radix of (serial, vector) digits, outermost axis first.

    ``where`` gives the C text of each axis's serial step and vector element.
    """
    terms: list[str] = []
    constant, stride = 0, 1
    for axis in reversed(tuple(axes)):
        place = places[axis]
        for radix, text in ((place.vector, where[axis][1]), (place.serial, where[axis][0])):
            if radix > 1:
                if text.isdigit():
                    constant += int(text) * stride
                else:
                    terms.append(text if stride == 1 else f"{text} * {stride}")
            stride *= radix
    if constant or not terms:
        terms.append(str(constant))
    return " + ".join(terms)
