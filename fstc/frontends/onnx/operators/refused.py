"""Operators that are known and refused, each with its reason.

Example: ``NonZero`` gives as many rows as there are elements that are not 0, which no static shape can say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from fstc.frontends.artefact import Unsupported
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.problems import DataDependent

SHAPES = "the shape of its result depends on data"
RANDOM = "its values are random: the framework's generator cannot be reproduced"
STRINGS = "it works on strings"
DECODER = "it decodes files"
LATER = "it is not mapped yet"

REASONS: Mapping[str, str] = {
    "NonZero": SHAPES, "Unique": SHAPES, "Compress": SHAPES, "NonMaxSuppression": SHAPES,
    "RandomNormal": RANDOM, "RandomNormalLike": RANDOM, "RandomUniform": RANDOM, "RandomUniformLike": RANDOM,
    "Multinomial": RANDOM, "Bernoulli": RANDOM,
    "StringConcat": STRINGS, "StringNormalizer": STRINGS, "StringSplit": STRINGS, "RegexFullMatch": STRINGS,
    "TfIdfVectorizer": "its vocabulary is looked up row by row", "ImageDecoder": DECODER,
    "Det": "determinants need a factorisation, which the op table lacks",
    "DeformConv": LATER, "RoiAlign": LATER, "MaxRoiPool": LATER,
}  # fmt: skip


def refusal(reason: str) -> Handler:
    def handler(n: Node) -> NoReturn:
        raise (DataDependent if reason == SHAPES else Unsupported)(reason)

    return handler


REFUSED: Mapping[str, Handler] = {name: refusal(reason) for name, reason in REASONS.items()}
