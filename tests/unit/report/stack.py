"""A large model: the layer of a sample over and over, as an encoder stacks them."""

from __future__ import annotations

import re
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent.parent.parent / "samples"
NAME = re.compile(r"%([A-Za-z0-9_.]+)")


def stacked(layers: int) -> str:
    """BERT's layer ``layers`` times; each reads what the one before returned, weights are shared."""
    text = (SAMPLES / "bert_layer.fir").read_text(encoding="utf-8")
    head, _, rest = text.partition(" {\n  // queries")
    body, _, tail = f"  // queries{rest}".rpartition("  return ")
    result = tail.split()[0].removeprefix("%")
    made = set(re.findall(r"^  %([A-Za-z0-9_.]+) =", body, re.MULTILINE))
    pieces = []
    before = "hidden"
    for layer in range(layers):
        names = {name: f"layer{layer}.{name}" for name in made} | {"hidden": before}
        pieces.append(NAME.sub(lambda match, names=names: f"%{names.get(match[1], match[1])}", body))
        before = names[result]
    return f"{head} {{\n{''.join(pieces)}  return %{before}\n}}\n"
