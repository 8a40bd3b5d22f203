"""Index expressions against plain integer arithmetic."""

from __future__ import annotations

import random
from itertools import product

from fstc.support.affine import Index, delinearize, linearize, var


def evaluate(index: Index, env: dict[str, int]) -> int:
    total = index.const
    for term, c in index.terms:
        if term.arg is None:
            value = env[term.key]
        else:
            inner = evaluate(term.arg, env)
            assert inner >= 0, "the C text would truncate towards zero"
            value = inner // term.by if term.kind == "div" else inner % term.by
        total += c * value
    return total


def test_recombines() -> None:
    x = var("a", 48)
    assert (x // 12) * 12 + x % 12 == x
    assert (x * 4 + 3) // 4 == x
    back = linearize(delinearize(x, (2, 4, 6)), (2, 4, 6))
    assert back == x


def test_reshape_of_nested_factors_is_clean() -> None:
    a, b = var("a", 6), var("b", 8)
    offset = linearize((a, b), (6, 8))
    assert delinearize(offset, (6, 4, 2)) == (a, b // 2, b % 2)


def test_random_expressions_keep_their_value() -> None:
    rng = random.Random(3)
    for _ in range(400):
        extents = {name: rng.randint(1, 7) for name in "ab"}
        pool = [var(n, e) for n, e in extents.items()]
        plain = [lambda env, n=n: env[n] for n in extents]
        for _ in range(rng.randint(1, 6)):
            i, j, k = rng.randrange(len(pool)), rng.randrange(len(pool)), rng.randint(1, 9)
            x, fx, y, fy = pool[i], plain[i], pool[j], plain[j]
            step = rng.randrange(5)
            if step == 0:
                pool.append(x + y * k)
                plain.append(lambda env, fx=fx, fy=fy, k=k: fx(env) + fy(env) * k)
            elif step == 1:
                pool.append(x // k)
                plain.append(lambda env, fx=fx, k=k: fx(env) // k)
            elif step == 2:
                pool.append(x % k)
                plain.append(lambda env, fx=fx, k=k: fx(env) % k)
            elif step == 3:
                pool.append(x - y)
                plain.append(lambda env, fx=fx, fy=fy: fx(env) - fy(env))
            else:
                pool.append(x * k + 3)
                plain.append(lambda env, fx=fx, k=k: fx(env) * k + 3)
        for values in product(*(range(e) for e in extents.values())):
            env = dict(zip(extents, values, strict=True))
            for index, f in zip(pool, plain, strict=True):
                assert evaluate(index, env) == f(env)
                assert index.low <= f(env) <= index.high
