"""Recognition and recommendation models in plain torch: a CRNN, DIEN and DLRM, with the widths of their papers.

Example: ``module, args = crnn()``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Made = tuple[nn.Module, tuple[Tensor, ...]]


class CRNN(nn.Module):
    """Shi, Bai, Yao: An End-to-End Trainable Neural Network for Image-based Sequence Recognition (2015), table 1."""

    def __init__(self, symbols: int = 37, hidden: int = 256) -> None:
        super().__init__()
        widths = (64, 128, 256, 256, 512, 512, 512)
        layers: list[nn.Module] = []
        before = 1
        for i, width in enumerate(widths):
            layers.append(nn.Conv2d(before, width, 2 if i == 6 else 3, padding=0 if i == 6 else 1))
            if i in (4, 5):
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU())
            if i in (0, 1):
                layers.append(nn.MaxPool2d(2, 2))
            if i in (3, 5):
                layers.append(nn.MaxPool2d((2, 2), (2, 1), (0, 1)))
            before = width
        self.features = nn.Sequential(*layers)
        self.recurrent = nn.LSTM(512, hidden, num_layers=2, bidirectional=True)
        self.head = nn.Linear(2 * hidden, symbols)

    def forward(self, image: Tensor) -> Tensor:
        found = self.features(image)  # [batch, 512, 1, width / 4 + 1]
        steps, _ = self.recurrent(found.squeeze(2).permute(2, 0, 1))
        return F.log_softmax(self.head(steps), dim=2)


def crnn() -> Made:
    torch.manual_seed(0)
    return CRNN().eval(), (torch.randn(2, 1, 32, 48),)


class Dice(nn.Module):
    """The activation of Zhou et al., Deep Interest Network (2018), equation 4."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width, eps=1e-8)
        self.alpha = nn.Parameter(torch.full((width,), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        p = torch.sigmoid(self.norm(x))
        return p * x + (1 - p) * self.alpha * x


class DIEN(nn.Module):
    """Zhou et al.: Deep Interest Evolution Network (2019): a GRU over the history, attention, and an AUGRU."""

    def __init__(self, items: int = 63001, categories: int = 801, width: int = 18) -> None:
        super().__init__()
        self.item, self.category = nn.Embedding(items, width), nn.Embedding(categories, width)
        both = 2 * width
        self.extractor = nn.GRU(both, both, batch_first=True)
        self.attend = nn.Linear(both, both, bias=False)
        self.gates = nn.Linear(2 * both, 2 * both)
        self.candidate = nn.Linear(2 * both, both)
        self.hidden = nn.ModuleList([nn.Linear(4 * both, 200), nn.Linear(200, 80)])
        self.act = nn.ModuleList([Dice(200), Dice(80)])
        self.out = nn.Linear(80, 2)

    def forward(self, item: Tensor, category: Tensor, items: Tensor, categories: Tensor, mask: Tensor) -> Tensor:
        target = torch.cat([self.item(item), self.category(category)], -1)
        history = torch.cat([self.item(items), self.category(categories)], -1)
        states, _ = self.extractor(history)
        scores = (self.attend(states) * target[:, None]).sum(-1)
        weights = torch.softmax(scores.masked_fill(mask == 0, -1e9), -1)
        state = torch.zeros_like(target)
        for t in range(states.shape[1]):
            x = states[:, t]
            reset, update = torch.sigmoid(self.gates(torch.cat([x, state], -1))).chunk(2, -1)
            proposal = torch.tanh(self.candidate(torch.cat([x, reset * state], -1)))
            keep = weights[:, t, None] * update  # equation 14: attention scales the update gate
            state = (1 - keep) * state + keep * proposal
        summed = (history * mask[..., None]).sum(1)
        hidden = torch.cat([target, state, summed, target * summed], -1)
        for layer, act in zip(self.hidden, self.act, strict=True):
            hidden = act(layer(hidden))
        return torch.softmax(self.out(hidden), -1)


def dien() -> Made:
    torch.manual_seed(0)
    batch, length = 4, 10
    mask = torch.ones(batch, length)
    mask[1, 6:] = 0
    history = torch.randint(0, 63001, (batch, length)), torch.randint(0, 801, (batch, length))
    return DIEN().eval(), (torch.randint(0, 63001, (batch,)), torch.randint(0, 801, (batch,)), *history, mask)


class DLRM(nn.Module):
    """Naumov et al.: Deep Learning Recommendation Model (2019): MLPs, embeddings and pairwise interactions."""

    def __init__(self, rows: Sequence[int] = (1000, 2000, 500, 10, 300), width: int = 64) -> None:
        super().__init__()
        self.tables = nn.ModuleList([nn.EmbeddingBag(n, width, mode="sum") for n in rows])
        self.bottom = nn.Sequential(
            nn.Linear(13, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, width)
        )
        count = len(rows) + 1
        self.register_buffer("pairs", torch.tril_indices(count, count, -1), persistent=False)
        self.top = nn.Sequential(
            nn.Linear(count * (count - 1) // 2 + width, 512),
            nn.ReLU(),
            nn.Linear(512, 256),
            nn.ReLU(),
            nn.Linear(256, 1),
        )

    def forward(self, dense: Tensor, sparse: Tensor) -> Tensor:
        x = F.relu(self.bottom(dense))
        looked = [F.embedding(sparse[i], table.weight).sum(1) for i, table in enumerate(self.tables)]
        stacked = torch.stack([x, *looked], 1)
        products = torch.bmm(stacked, stacked.transpose(1, 2))
        flat = products[:, self.pairs[0], self.pairs[1]]
        return torch.sigmoid(self.top(torch.cat([x, flat], 1)))


def dlrm() -> Made:
    torch.manual_seed(0)
    return DLRM().eval(), (torch.randn(8, 13), torch.randint(0, 10, (5, 8, 3)))
