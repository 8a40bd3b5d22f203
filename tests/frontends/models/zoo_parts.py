"""What the zoo's models in plain torch are put together from.

Example: ``built(lambda p, x: p["body"](x), torch.randn(2, 8), body=mlp(8, 16, 1))``.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

Made = tuple[nn.Module, tuple[Tensor, ...]]


class Function(nn.Module):
    """A function as a module; ``parts`` hold its weights."""

    def __init__(self, function: Callable[..., object], **parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleDict(parts)

    def forward(self, *args: Tensor) -> object:
        return self.function(self.parts, *args)


def built(function: Callable[..., object], *args: Tensor, **parts: nn.Module) -> Made:
    return Function(function, **parts).eval(), args


def mlp(*widths: int, last: nn.Module | None = None) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(pairwise(widths)):
        layers += [nn.Linear(before, after)] + ([nn.ReLU()] if i < len(widths) - 2 else [])
    return nn.Sequential(*layers, *([last] if last else []))


def settled(module: nn.Module) -> nn.Module:
    """Running statistics as if it had been trained."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return module


def seeded(make: Callable[[], Made]) -> Callable[[], Made]:
    def call() -> Made:
        torch.manual_seed(0)
        return make()

    return call


def model(kind: Callable[[], nn.Module], *inputs: Callable[[], Tensor]) -> Callable[[], Made]:
    def make() -> Made:
        return settled(kind()).eval(), tuple(f() for f in inputs)

    return make


def ints(high: int, *shape: int) -> Callable[[], Tensor]:
    return lambda: torch.randint(0, high, shape)


def floats(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.randn(shape)
