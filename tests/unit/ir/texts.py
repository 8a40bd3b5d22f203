"""Texts that the front end's tests share: one that uses all of the syntax, and generated ones."""

from __future__ import annotations

from hypothesis import strategies as st

ALL_SYNTAX = """\
// Everything the grammar knows.
module @"a b" {source = "x \\"quoted\\" \\u00e9", opset = 1, rate = 1e-3, flags = [true, [1, -2.5]], mode = word}

dim B = 2
dim Q = B*4 - 2  // derived
dim R = (Q + B)/B

func @main.1(%x: f32[B,Q] {low = -4.0, high = inf},
           %"odd name": i32[Q] {domain = permutation, high = Q}
) -> (f32[B,Q], f32[B]) {
  %t = transpose %x {permutation = [1, 0]} : f32[Q,B] loc("model.py:12")
  %back = transpose %t {permutation = [R-3, 0]} : f32[B,Q]
  %v, %i-1 = argmax %back {axis = 1} : f32[B], i32[B]
  %zero = constant {value = -0.0} : f32[]
  %table = constant {value = [[1, 2.5, nan], [-inf, 0x1.8p-3, 1e-30]]} : f32[2,3]
  %none = constant {value = []} : u8[0,3]
  %yes = constant {value = true} : bool[4]
  %big = constant {value = 18446744073709551615} : u64[]
  %sum = reduce %back, %zero {axes = [1]} (%a: f32[], %b: f32[]) {
    %c = add %a, %b : f32[]  // the body
    return %c
  } : f32[B]
  %scan = cumsum %back {axis = 0, reverse = true,} : f32[B,Q]
  return %scan, %sum
}
"""

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
_DTYPES = st.sampled_from(["f64", "f32", "f16", "bf16", "i8", "i32", "u64"])
_FLOATS = st.floats(width=16).map(lambda x: "nan" if x != x else repr(x))


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Sound programs over a few ops, with odd names, dims, comments and spacing."""
    from fstc.ir.literals import quoted, value_name

    dims = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    extents = [f"D{i}" for i in range(len(dims))]
    shape = draw(st.lists(st.sampled_from([*extents, "1", "D0*2", "3 - 2"]), max_size=4))
    dtype = draw(_DTYPES)
    names = draw(st.lists(_NAMES, min_size=2, max_size=8, unique=True))
    type = f"{dtype}[{','.join(shape)}]"
    lines = [f"dim D{i} = {n}" for i, n in enumerate(dims)]
    lines.append(f"func @f({value_name(names[0])}: {type}) -> ({type}) {{")
    made = [names[0]]
    for name in names[1:]:
        a, b = draw(st.sampled_from(made)), draw(st.sampled_from(made))
        gap = draw(st.sampled_from([" ", "\n", "  // note\n ", "\t"]))
        statement = draw(st.sampled_from(["unary", "binary", "constant"]))
        loc = f" loc({quoted(draw(_NAMES))})" if draw(st.booleans()) else ""
        if statement == "unary":
            op = "not" if dtype in ("i8", "i32", "u64") else "neg"
            text = f"{op}{gap}{value_name(a)}"
        elif statement == "binary":
            text = f"add {value_name(a)},{gap}{value_name(b)}"
        else:
            number = draw(_FLOATS) if dtype in ("f64", "f32", "f16") else str(draw(st.integers(0, 100)))
            text = f"constant{gap}{{value = {number}}}"
        lines.append(f"{value_name(name)} = {text}{gap}: {type}{loc}")
        made.append(name)
    return "\n".join([*lines, f"return {value_name(made[-1])}", "}"])
