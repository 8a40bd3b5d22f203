"""Inputs that mean something: domains traced back through arithmetic, masks, numbers that are asked about."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fstc.ir.graph import Graph
from fstc.ir.parser import parse_text
from fstc.runtime.domains import Domain
from fstc.runtime.inputs import make_inputs
from fstc.runtime.tracing import traced

GATHER = (
    "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1, slice_sizes = [1, 2]"
)
TABLE = f"%g = gather %table, %index {{{GATHER}}} : f32[40,2] return %g }}"
BEFORE = "func @main(%table: f32[90,2], %i: {type}[40]) -> (f32[40,2]) {{ "
RETURNED = "return %y }"


def domain(text: str, name: str = "i") -> Domain:
    graph = parse_text(text)
    return traced(graph)[next(i for i in graph.inputs if graph.values[i].name == name)]


def drawn(text: str, seed: int = 0) -> dict[str, Any]:
    graph = parse_text(text)
    return {graph.values[i].name: x for i, x in make_inputs(graph, seed).items()}


def number(name: str, value: object, type: str = "i32[40]") -> str:
    return f"%{name} = constant {{value = {value}}} : {type} "


INDEX = {
    "added": (number("c", 10) + "%index = add %i, %c : i32[40] ", -10, 80),
    "subtracted": (number("c", 10) + "%index = sub %i, %c : i32[40] ", 10, 100),
    "from": (number("c", 100) + "%index = sub %c, %i : i32[40] ", 11, 101),
    "scaled": (number("c", 4) + "%index = mul %i, %c : i32[40] ", 0, 23),
    "divided": (number("c", 4) + "%index = div %i, %c : i32[40] ", 0, 100),
    "negated": ("%index = neg %i : i32[40] ", -89, 1),
    "rest": (number("c", 7) + "%index = rem %i, %c : i32[40] ", 0, 100),
    "clamped": (number("a", 0, "i32[]") + number("b", 89, "i32[]") + "%index = clamp %a, %i, %b : i32[40] ", 0, 90),
    "rows": (
        "%n = iota {dimension = 0} : i32[40] " + number("c", 2) + "%m = mul %i, %c : i32[40] "
        "%index = add %m, %n : i32[40] ", 0, 26,
    ),
    "chosen": (
        number("c", 5) + "%p = compare %c, %c {direction = LT} : bool[40] %index = select %p, %c, %i : i32[40] ", 0, 90,
    ),
    "wrapped": (
        number("z", 0) + number("n", 90) + "%p = compare %i, %z {direction = LT} : bool[40] %w = add %i, %n : i32[40] "
        "%index = select %p, %w, %i : i32[40] ", 0, 90,
    ),
    "wrapped the other way": (
        number("z", 0) + number("n", 90) + "%p = compare %i, %z {direction = GE} : bool[40] %w = add %i, %n : i32[40] "
        "%index = select %p, %i, %w : i32[40] ", 0, 90,
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", INDEX)
def test_an_index_is_traced_through_arithmetic(how: str) -> None:
    body, low, high = INDEX[how]
    found = domain(BEFORE.format(type="i32") + body + TABLE)
    assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize("how", [h for h in INDEX if h != "chosen"])
def test_what_is_drawn_is_in_range(how: str) -> None:
    """The last op's result, computed, indexes the table, and reaches most of it."""
    from fstc.ir.reference import evaluate

    graph = parse_text(BEFORE.format(type="i32") + INDEX[how][0] + TABLE)
    feeds = make_inputs(graph, 1)
    index = evaluate(graph, feeds, keep="all")[next(v.id for v in graph.values if v.name == "index")]
    assert index.min() >= 0 and index.max() < 90
    assert index.max() > {"rest": 4, "divided": 20}.get(how, 40)  # div and rem ask for at most 100


def test_a_wrapped_index_through_a_conversion() -> None:
    body = (
        "%l = convert %i : i64[40] " + number("z", 0, "i64[40]") + number("n", 90, "i64[40]")
        + "%p = compare %l, %z {direction = LT} : bool[40] %w = add %l, %n : i64[40] "
        "%index = select %p, %w, %l : i64[40] "
    )  # fmt: skip
    found = domain(BEFORE.format(type="i16") + body + TABLE)
    assert (found.low, found.high) == (0, 90)


def test_an_index_vector_is_bounded_entry_by_entry() -> None:
    found = """func @main(%x: f32[9,300], %i: i32[40,1], %j: i32[40,1]) -> (f32[40]) {
      %v = concatenate %i, %j {dimension = 1} : i32[40,2]
      %g = gather %x, %v {collapsed_slice_dims = [0, 1], start_index_map = [0, 1], index_vector_dim = 1,
                          slice_sizes = [1, 1]} : f32[40] return %g }"""
    assert (domain(found, "i").high, domain(found, "j").high) == (9, 300)


def test_token_types_stay_in_their_table() -> None:
    made = drawn("""func @main(%t: f32[2,8], %type: i64[4,40]) -> (f32[4,40,8]) {
      %g = gather %t, %type {offset_dims = [2], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2,
                             slice_sizes = [1, 8]} : f32[4,40,8] return %g }""")
    assert set(made["type"].reshape(-1)) == {0, 1}


def test_one_hot_stays_below_its_depth() -> None:
    made = drawn("""func @main(%i: i32[500]) -> (bool[500,7]) {
      %w = broadcast_in_dim %i {dims = [0]} : i32[500,7]
      %n = iota {dimension = 1} : i32[500,7]
      %y = compare %w, %n {direction = EQ} : bool[500,7] return %y }""")
    assert set(made["i"]) == set(range(7))


def test_tokens_that_are_asked_about_occur() -> None:
    made = drawn(f"""func @main(%table: f32[50000,2], %i: i32[40]) -> (f32[40,2], bool[40]) {{
      {number("eos", 49407)} %p = compare %i, %eos {{direction = EQ}} : bool[40]
      %g = gather %table, %i {{{GATHER}}} : f32[40,2] return %g, %p }}""")
    assert (made["i"] == 49407).any() and (made["i"] != 49407).sum() > 20 and made["i"].max() < 50000


def test_a_number_alone_is_among_small_ones() -> None:
    made = drawn(f"func @main(%i: i32[40]) -> (bool[40]) {{ {number('k', 1000)} "
                 f"%y = compare %i, %k {{direction = EQ}} : bool[40] {RETURNED}")  # fmt: skip
    assert (made["i"] == 1000).any() and made["i"].min() >= 0 and made["i"].max() <= 1001


def test_integers_that_nothing_bounds_are_small() -> None:
    made = drawn("func @main(%i: i64[400]) -> (i64[400]) { %y = neg %i : i64[400] return %y }")
    assert made["i"].min() == -8 and made["i"].max() == 8


POSITIVE = {
    "rsqrt": number("e", "1e-5", "f32[40]") + "%a = add %v, %e : f32[40] %y = rsqrt %a : f32[40] ",
    "sqrt of a moved one": number("e", "1e-5", "f32[4,10]") + "%r = reshape %v : f32[4,10] %a = add %r, %e : f32[4,10] "
    "%s = sqrt %a : f32[4,10] %y = reshape %s : f32[40] ",
    "log": number("e", "1e-6", "f32[40]") + "%a = add %e, %v : f32[40] %y = log %a : f32[40] ",
    "divisor": number("e", "1e-6", "f32[40]") + number("o", "1.0", "f32[40]")
    + "%a = add %v, %e : f32[40] %y = div %o, %a : f32[40] ",
    "root as divisor": number("e", "1e-5", "f32[40]") + number("o", "1.0", "f32[40]")
    + "%a = add %v, %e : f32[40] %s = sqrt %a : f32[40] %y = div %o, %s : f32[40] ",
    "narrow": "%w = convert %v : f64[40] %l = log %w : f64[40] %y = convert %l : f32[40] ",
}  # fmt: skip


@pytest.mark.parametrize("how", POSITIVE)
def test_what_must_be_positive_is(how: str) -> None:
    made = drawn(f"func @main(%v: f32[40]) -> (f32[40]) {{ {POSITIVE[how]} {RETURNED}")
    assert made["v"].min() > 0 and made["v"].max() > 0.5


def test_a_bound_that_a_constant_ensures_is_not_asked_for() -> None:
    made = drawn(f"""func @main(%v: f32[400]) -> (f32[400]) {{ {number("e", "0.1", "f32[400]")}
      %a = max %v, %e : f32[400] %y = log %a : f32[400] {RETURNED}""")
    assert made["v"].min() < -1


def padded(x: Any, ones: bool = True) -> None:
    """Rows of what counts first, then of what does not; at least half counts, and not everything does."""
    counts = x.astype(bool) if ones else ~x.astype(bool)
    assert set(np.unique(x)) == {0, 1}
    assert (np.diff(counts.astype(int), axis=-1) <= 0).all()
    assert (counts.sum(-1) >= x.shape[-1] // 2).all() and (counts.sum(-1) < x.shape[-1]).any()


def additive(type: str) -> str:
    return f"""func @main(%m: {type}[4,40], %s: f32[4,3,40,40]) -> (f32[4,3,40,40]) {{
      %r = reshape %m : {type}[4,1,1,40] %f = convert %r : f32[4,1,1,40]
      {number("one", "1.0", "f32[4,1,1,40]")} %d = sub %one, %f : f32[4,1,1,40]
      {number("big", "-1e9", "f32[4,1,1,40]")} %t = mul %d, %big : f32[4,1,1,40]
      %b = broadcast_in_dim %t {{dims = [0, 1, 2, 3]}} : f32[4,3,40,40] %y = add %s, %b : f32[4,3,40,40] {RETURNED}"""


@pytest.mark.parametrize("type", ["i64", "i32", "u8", "f32", "bool", "f16"])
def test_an_additive_mask(type: str) -> None:
    padded(drawn(additive(type))["m"])


SELECTED = {
    "ones": (
        "i64", "%p = compare %m, %zero {direction = NE} : bool[4,40] %y = select %p, %s, %fill : f32[4,40] ", True,
    ),
    "equal to zero is filled": (
        "i64", "%p = compare %m, %zero {direction = EQ} : bool[4,40] %y = select %p, %fill, %s : f32[4,40] ", True,
    ),
    "ones are filled": (
        "i64", "%p = compare %m, %zero {direction = NE} : bool[4,40] %y = select %p, %fill, %s : f32[4,40] ", False,
    ),
    "as a truth value": ("i32", "%p = convert %m : bool[4,40] %y = select %p, %s, %fill : f32[4,40] ", True),
    "bool": ("bool", "%y = select %m, %s, %fill : f32[4,40] ", True),
    "bool, not": ("bool", "%p = not %m : bool[4,40] %y = select %p, %s, %fill : f32[4,40] ", False),
    "bool and causal": (
        "bool", "%p = compare %s, %s {direction = GE} : bool[4,40] %q = and %p, %m : bool[4,40] "
        "%y = select %q, %s, %fill : f32[4,40] ", True,
    ),
    "inverted and filled": (
        "i64", "%f = convert %m : f32[4,40] %one = constant {value = 1.0} : f32[4,40] %d = sub %one, %f : f32[4,40] "
        "%p = convert %d : bool[4,40] %y = select %p, %fill, %d : f32[4,40] ", True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", SELECTED)
def test_a_mask_of_a_select(how: str) -> None:
    type, body, ones = SELECTED[how]
    zero = f"%zero = constant {{value = {'false' if type == 'bool' else 0}}} : {type}[4,40] "
    fill = number("fill", "-3.4028234663852886e38", "f32[4,40]")
    made = drawn(f"func @main(%m: {type}[4,40], %s: f32[4,40]) -> (f32[4,40]) {{ {zero} {fill} {body} {RETURNED}")
    padded(made["m"], ones)


def test_a_mask_that_also_counts_and_weighs() -> None:
    """Mean pooling: the mask times the values, over its sum; its running sum gives positions."""
    text = f"""func @main(%m: i64[4,40], %s: f32[4,40]) -> (f32[4], i64[4,40], bool[4,40]) {{
      %f = convert %m : f32[4,40] %w = mul %s, %f : f32[4,40] %a = reduce_sum %w {{axes = [1]}} : f32[4]
      %c = cumsum %m {{axis = 1}} : i64[4,40] {number("one", 1, "i64[4,40]")}
      %p = compare %m, %one {{direction = EQ}} : bool[4,40] return %a, %c, %p }}"""
    padded(drawn(text)["m"])


NO_MASKS = {
    "tokens with a padding token": f"""%g = gather %table, %i {{{GATHER}}} : f32[40,2]
        {number("pad", 0)} %p = compare %i, %pad {{direction = NE}} : bool[40] return %g, %p }}""",
    "a position": f"""%n = iota {{dimension = 0}} : i32[40] %s = add %i, %n : i32[40]
        {number("one", 1)} %p = compare %i, %one {{direction = EQ}} : bool[40] %c = convert %s : f32[40]
        %g = broadcast_in_dim %c {{dims = [0]}} : f32[40,2] return %g, %p }}""",
    "a label": f"""{number("none", -100)} %p = compare %i, %none {{direction = NE}} : bool[40]
        %c = convert %i : f32[40] %g = broadcast_in_dim %c {{dims = [0]}} : f32[40,2] return %g, %p }}""",
}  # fmt: skip


@pytest.mark.parametrize("what", NO_MASKS)
def test_what_is_no_mask(what: str) -> None:
    signature = "func @main(%table: f32[90,2], %i: i32[40]) -> (f32[40,2], bool[40]) { "
    assert domain(signature + NO_MASKS[what]).mask == 0
    assert len(set(drawn(signature + NO_MASKS[what])["i"])) > 2


def test_a_float_that_is_compared_with_zero_is_no_mask() -> None:
    made = drawn(f"""func @main(%x: f32[40], %g: f32[40]) -> (f32[40]) {{ {number("z", "0.0", "f32[40]")}
      %p = compare %x, %z {{direction = GT}} : bool[40] %y = select %p, %g, %z : f32[40] {RETURNED}""")
    assert len(set(made["x"])) == 40


def test_attributes_of_a_mask_come_first() -> None:
    text = additive("f32").replace("%m: f32[4,40]", "%m: f32[4,40] {low = 0.5, high = 1.0}")
    assert drawn(text)["m"].min() >= 0.5


def test_time_is_linear_in_readers() -> None:
    inputs = ", ".join(f"%m{i}: i32[4]" for i in range(300))
    body = "".join(f"%p{i} = convert %m{i} : bool[4] " for i in range(300))
    graph: Graph = parse_text(f"func @main({inputs}) -> (bool[4]) {{ {body} return %p7 }}")
    assert sum(d.mask for d in traced(graph)) == 300
