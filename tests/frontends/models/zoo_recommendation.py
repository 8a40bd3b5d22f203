"""Recommendation models at tiny extents, written from the equations of their papers.

Example: ``module, args = FAMILIES["deepfm"]()``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.frontends.models.zoo_parts import Made, built, floats, ints, mlp, model, seeded


class DIN(nn.Module):
    """Attention of a candidate over the history, PReLU, no softmax."""

    def __init__(self, items: int = 50, width: int = 8) -> None:
        super().__init__()
        self.item = nn.Embedding(items, width, padding_idx=0)
        self.attention = nn.Sequential(nn.Linear(4 * width, 16), nn.PReLU(), nn.Linear(16, 1))
        self.top = nn.Sequential(nn.Linear(2 * width, 16), nn.BatchNorm1d(16), nn.PReLU(16), nn.Linear(16, 1))

    def forward(self, candidate: Tensor, history: Tensor) -> Tensor:
        target, seen = self.item(candidate), self.item(history)
        spread = target.unsqueeze(1).expand_as(seen)
        scores = self.attention(torch.cat([spread, seen, spread - seen, spread * seen], -1)).squeeze(-1)
        scores = torch.where(history > 0, scores, torch.zeros_like(scores))
        summed = torch.einsum("bl,blw->bw", scores, seen)
        return torch.sigmoid(self.top(torch.cat([target, summed], -1))).squeeze(-1)


class DCN(nn.Module):
    """Cross layers of the first and of the second version beside a tower."""

    def __init__(self, width: int = 12, layers: int = 3) -> None:
        super().__init__()
        self.vectors = nn.ParameterList([nn.Parameter(torch.randn(width)) for _ in range(layers)])
        self.biases = nn.ParameterList([nn.Parameter(torch.randn(width)) for _ in range(layers)])
        self.matrices = nn.ModuleList([nn.Linear(width, width) for _ in range(layers)])
        self.tower = mlp(width, 16, 8)
        self.out = nn.Linear(2 * width + 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = second = x
        for vector, bias, matrix in zip(self.vectors, self.biases, self.matrices, strict=True):
            first = x * (first @ vector)[:, None] + bias + first
            second = x * matrix(second) + second
        return self.out(torch.cat([first, second, self.tower(x)], -1)).sigmoid()


class DeepFM(nn.Module):
    """Factorisation machine over one table with offsets, and a tower."""

    def __init__(self, fields: Sequence[int] = (10, 20, 5, 8), width: int = 6) -> None:
        super().__init__()
        self.register_buffer("offsets", torch.tensor([0, *fields[:-1]]).cumsum(0))
        self.linear, self.table = nn.Embedding(sum(fields), 1), nn.Embedding(sum(fields), width)
        self.tower = nn.Sequential(
            nn.Linear(len(fields) * width, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1)
        )
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        at = x + self.offsets[None]
        looked = self.table(at)
        pairs = 0.5 * (looked.sum(1).pow(2) - looked.pow(2).sum(1)).sum(1, keepdim=True)
        return torch.sigmoid(self.bias + self.linear(at).sum(1) + pairs + self.tower(looked.flatten(1))).squeeze(1)


class AutoInt(nn.Module):
    """Self-attention over fields, and a compressed interaction network (xDeepFM)."""

    def __init__(self, fields: int = 5, width: int = 8) -> None:
        super().__init__()
        self.table = nn.Embedding(40, width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.compress = nn.Conv1d(fields * fields, 6, 1)
        self.out = nn.Linear(fields * width + 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        looked = self.table(x)
        found, _ = self.attention(looked, looked, looked, need_weights=False)
        outer = torch.einsum("bhd,bmd->bhmd", looked, looked).flatten(1, 2)
        crossed = F.relu(self.compress(outer)).sum(-1)
        return self.out(torch.cat([F.relu(found + looked).flatten(1), crossed], 1))


class MMoE(nn.Module):
    """Experts shared by tasks, each with a gate of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList([mlp(10, 16, 8) for _ in range(3)])
        self.gates = nn.ModuleList([nn.Linear(10, 3) for _ in range(2)])
        self.towers = nn.ModuleList([mlp(8, 4, 1) for _ in range(2)])

    def forward(self, x: Tensor) -> list[Tensor]:
        found = torch.stack([expert(x) for expert in self.experts], 1)
        weights = [torch.softmax(gate(x), -1) for gate in self.gates]
        return [tower((w.unsqueeze(-1) * found).sum(1)) for tower, w in zip(self.towers, weights, strict=True)]


class SASRec(nn.Module):
    """Causal attention over a history, scores by the item table."""

    def __init__(self, items: int = 40, width: int = 16, length: int = 10) -> None:
        super().__init__()
        self.item, self.place = nn.Embedding(items, width, padding_idx=0), nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(width, 2, 32, batch_first=True, norm_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, seen: Tensor) -> Tensor:
        x = self.item(seen) + self.place(torch.arange(seen.shape[1], device=seen.device))
        causal = torch.triu(torch.ones(seen.shape[1], seen.shape[1], dtype=torch.bool), 1)
        return self.encoder(x, mask=causal, is_causal=True)[:, -1] @ self.item.weight.T


class HSTU(nn.Module):
    """Pointwise attention (SiLU in place of softmax) with relative biases, and a gate."""

    def __init__(self, width: int = 16, heads: int = 2, length: int = 9) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, 4 * width), nn.Linear(width, width)
        self.bias = nn.Parameter(torch.randn(2 * length - 1))

    def forward(self, x: Tensor, times: Tensor) -> Tensor:
        n = x.shape[1]
        u, v, q, k = F.silu(self.into(self.before(x))).chunk(4, -1)
        q, k, v = (t.unflatten(-1, (self.heads, -1)) for t in (q, k, v))
        scores = torch.einsum("bnhd,bmhd->bhnm", q, k)
        at = torch.arange(n)
        scores = scores + self.bias[at[:, None] - at[None] + n - 1]
        gaps = (times[:, :, None] - times[:, None]).abs().clamp(min=1).float().log().floor()
        weights = F.silu(scores - 0.1 * gaps[:, None]) / n
        weights = weights * torch.tril(torch.ones(n, n))
        found = torch.einsum("bhnm,bmhd->bnhd", weights, v).flatten(2)
        return x + self.out(self.after(found) * u)


def wide_and_deep() -> Made:
    def f(p: nn.ModuleDict, dense: Tensor, sparse: Tensor) -> Tensor:
        crossed = (sparse[:, 0] * 31 + sparse[:, 1]) % 64
        deep = torch.cat([dense, p["table"](sparse).flatten(1)], 1)
        return torch.sigmoid(p["wide"](crossed) + p["deep"](deep))

    return built(
        f, torch.randn(4, 5), torch.randint(0, 20, (4, 3)), wide=nn.Embedding(64, 1), table=nn.Embedding(20, 4),
        deep=mlp(17, 16, 1),
    )  # fmt: skip


def ncf() -> Made:
    def f(p: nn.ModuleDict, user: Tensor, item: Tensor) -> Tensor:
        product = p["u1"](user) * p["i1"](item)
        return p["out"](torch.cat([product, p["tower"](torch.cat([p["u2"](user), p["i2"](item)], -1))], -1)).sigmoid()

    e = nn.Embedding
    return built(
        f, torch.randint(0, 20, (6,)), torch.randint(0, 30, (6,)), u1=e(20, 8), i1=e(30, 8), u2=e(20, 8), i2=e(30, 8),
        tower=mlp(16, 16, 8), out=nn.Linear(16, 1),
    )  # fmt: skip


def two_tower() -> Made:
    def f(p: nn.ModuleDict, user: Tensor, bag: Tensor, offsets: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        u = F.normalize(p["left"](torch.cat([user, p["bag"](bag, offsets)], 1)), dim=-1)
        v = F.normalize(p["right"](item), dim=-1)
        scores = u @ v.T / 0.05
        best = torch.topk(scores, 3, dim=-1)
        return F.cross_entropy(scores, torch.arange(4)), best.values

    return built(
        f, torch.randn(4, 6), torch.randint(0, 15, (9,)), torch.tensor([0, 2, 2, 7]), torch.randn(4, 5),
        bag=nn.EmbeddingBag(15, 4, mode="mean"), left=mlp(10, 16, 8), right=mlp(5, 16, 8),
    )  # fmt: skip


_MADE: dict[str, Callable[[], Made]] = {
    "din": model(DIN, ints(50, 4), ints(50, 4, 6)), "dcn": model(DCN, floats(4, 12)), "deepfm": model(DeepFM, ints(5,
        4, 4)),
    "autoint": model(AutoInt, ints(40, 3, 5)), "mmoe": model(MMoE, floats(4, 10)), "sasrec": model(SASRec, ints(40,
        2, 10)),
    "hstu": model(HSTU, floats(2, 9, 16), lambda: torch.randint(0, 1000, (2, 9)).sort(-1).values),
    "wide_and_deep": wide_and_deep, "ncf": ncf, "two_tower": two_tower,
}  # fmt: skip
FAMILIES: dict[str, Callable[[], Made]] = {name: seeded(make) for name, make in _MADE.items()}
globals().update(FAMILIES)  # as ``--torch`` wants them, with their seed
