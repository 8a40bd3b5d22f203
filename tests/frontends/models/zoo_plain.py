"""Small networks in plain torch: recurrence, images, graphs, narrow floats.

Example: ``module, args = FAMILIES["unet"]()``. Written from the equations of their papers at tiny extents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.frontends.models.zoo_parts import Made, built, floats, ints, mlp, model, seeded, settled
from tests.frontends.models.zoo_recommendation import DCN, DeepFM, SASRec

# -- attention and recurrence ------------------------------------------------------------------------------------------


def transformer() -> Made:
    model = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)
    causal = nn.Transformer.generate_square_subsequent_mask(5)

    def f(p: nn.ModuleDict, source: Tensor, target: Tensor, padded: Tensor) -> Tensor:
        return p["model"](
            source,
            target,
            tgt_mask=causal,
            tgt_is_causal=True,
            src_key_padding_mask=padded,
            memory_key_padding_mask=padded,
        )

    padded = torch.zeros(2, 7, dtype=torch.bool)
    padded[1, 4:] = True
    return built(f, torch.randn(2, 7, 16), torch.randn(2, 5, 16), padded, model=model)


def attention_masks() -> Made:
    def f(p: nn.ModuleDict, x: Tensor, y: Tensor, padded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return p["model"](x, y, y, key_padding_mask=padded, attn_mask=mask, average_attn_weights=False)

    padded = torch.zeros(3, 6, dtype=torch.bool)
    padded[2, 3:] = True
    model = nn.MultiheadAttention(16, 4, kdim=12, vdim=12, add_bias_kv=True, add_zero_attn=True)
    return built(f, torch.randn(5, 3, 16), torch.randn(6, 3, 12), padded, torch.rand(5, 6) > 0.8, model=model)


def recurrent(kind: type[nn.RNNBase], batch_first: bool, **options: object) -> Callable[[], Made]:
    def make() -> Made:
        model = kind(6, 8, num_layers=2, bidirectional=True, batch_first=batch_first, **options)  # type: ignore[arg-type]
        return model.eval(), (torch.randn(3, 7, 6) if batch_first else torch.randn(7, 3, 6),)

    return make


def cells() -> Made:
    def f(p: nn.ModuleDict, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        c = torch.zeros_like(h)
        g = h
        for t in range(x.shape[1]):
            h, c = p["lstm"](x[:, t], (h, c))
            g = p["gru"](h, g)
        return g, c

    return built(f, torch.randn(2, 4, 6), torch.randn(2, 8), lstm=nn.LSTMCell(6, 8), gru=nn.GRUCell(8, 8))


class TCN(nn.Module):
    """Dilated causal convolutions with weight norm and residuals."""

    def __init__(self, widths: Sequence[int] = (4, 8, 8)) -> None:
        super().__init__()
        norm = nn.utils.parametrizations.weight_norm
        pairs = list(pairwise(widths))
        self.convs = nn.ModuleList([norm(nn.Conv1d(a, b, 3, dilation=2**i)) for i, (a, b) in enumerate(pairs)])
        self.skips = nn.ModuleList([nn.Conv1d(a, b, 1) if a != b else nn.Identity() for a, b in pairs])

    def forward(self, x: Tensor) -> Tensor:
        for i, (conv, skip) in enumerate(zip(self.convs, self.skips, strict=True)):
            x = F.relu(F.leaky_relu(conv(F.pad(x, (2 * 2**i, 0))), 0.1) + skip(x))
        return x[:, :, -1]


def deep_speech() -> Made:
    def f(p: nn.ModuleDict, x: Tensor) -> Tensor:
        found = p["convs"](x).flatten(1, 2).transpose(1, 2)
        found, _ = p["gru"](F.local_response_norm(found, 3))
        left, right = found.chunk(2, -1)
        return F.log_softmax(p["head"](p["norm"](left + right)), -1)

    convs = nn.Sequential(
        nn.Conv2d(1, 4, (5, 3), stride=(2, 1), padding=(2, 1)), nn.BatchNorm2d(4), nn.Hardtanh(0, 20),
        nn.Conv2d(4, 4, (5, 3), stride=(2, 2), padding=(2, 1)), nn.BatchNorm2d(4), nn.Hardtanh(0, 20),
    )  # fmt: skip
    gru = nn.GRU(16, 8, bidirectional=True, batch_first=True)
    return built(
        f, torch.randn(2, 1, 16, 12), convs=settled(convs), gru=gru, norm=nn.LayerNorm(8), head=nn.Linear(8, 10)
    )


# -- images ------------------------------------------------------------------------------------------------------------


def block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )


def unet(upsample: bool) -> Callable[[], Made]:
    def f(p: nn.ModuleDict, x: Tensor) -> Tensor:
        first = p["down1"](x)
        second = p["down2"](F.max_pool2d(first, 2))
        if upsample:
            up = p["up"](F.interpolate(second, scale_factor=2, mode="bilinear", align_corners=True))
        else:
            up = p["transposed"](second)
        return p["out"](p["merge"](torch.cat([first, up], 1)))

    def make() -> Made:
        return built(
            f, torch.randn(1, 3, 12, 12), down1=settled(block(3, 8)), down2=settled(block(8, 16)), up=block(16, 8),
            transposed=nn.ConvTranspose2d(16, 8, 2, stride=2), merge=settled(block(16, 8)), out=nn.Conv2d(8, 2, 1),
        )  # fmt: skip

    return make


def generator() -> Made:
    model = nn.Sequential(
        nn.ConvTranspose2d(10, 16, 4, 1, 0, bias=False), nn.BatchNorm2d(16), nn.ReLU(True),
        nn.ConvTranspose2d(16, 8, 4, 2, 1, output_padding=1, bias=False), nn.BatchNorm2d(8), nn.LeakyReLU(0.2, True),
        nn.ConvTranspose2d(8, 4, 3, 2, 1, groups=2, dilation=1), nn.InstanceNorm2d(4, affine=True), nn.SELU(),
        nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect"), nn.Tanh(),
    )  # fmt: skip
    return settled(model).eval(), (torch.randn(2, 10, 1, 1),)


def vae() -> Made:
    def f(p: nn.ModuleDict, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        mean, spread = p["encoder"](x).chunk(2, -1)
        back = p["decoder"](mean + torch.exp(0.5 * spread) * noise)
        divergence = -0.5 * torch.sum(1 + spread - mean.pow(2) - spread.exp())
        return back, F.binary_cross_entropy(back, x.sigmoid(), reduction="sum") + divergence

    return built(
        f, torch.randn(4, 12), torch.randn(4, 3), encoder=mlp(12, 16, 6), decoder=mlp(3, 16, 12, last=nn.Sigmoid())
    )


class Residual(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first, self.norm1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)
        self.second, self.norm2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after)
        same = stride == 1 and before == after
        down = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        self.skip = nn.Identity() if same else down

    def forward(self, x: Tensor) -> Tensor:
        found = self.norm2(self.second(F.relu(self.norm1(self.first(x)))))
        found += self.skip(x)
        return F.relu(found)


def resnet18(dtype: torch.dtype = torch.float32, train: bool = False) -> Callable[[], Made]:
    def make() -> Made:
        widths = (4, 4, 8, 8, 16, 16, 32, 32)
        layers: list[nn.Module] = [nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()]
        layers.append(nn.MaxPool2d(3, 2, 1))
        before = 4
        for i, width in enumerate(widths):
            layers.append(Residual(before, width, 2 if i in (2, 4, 6) else 1))
            before = width
        model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
        return settled(model).train(train).to(dtype), (torch.randn(2, 3, 32, 32, dtype=dtype),)

    return make


def mixer() -> Made:
    def f(p: nn.ModuleDict, x: Tensor) -> Tensor:
        found = p["patch"](x).flatten(2).transpose(1, 2)
        for n in ("1", "2"):
            found = found + p["token" + n](p["norma" + n](found).transpose(1, 2)).transpose(1, 2)
            found = found + p["channel" + n](p["normb" + n](found))
        return p["head"](found.mean(1))

    def gelu(width: int, hidden: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(width, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, width))

    parts: dict[str, nn.Module] = {"patch": nn.Conv2d(3, 16, 4, 4), "head": nn.Linear(16, 5)}
    for n in ("1", "2"):
        parts |= {"token" + n: gelu(16, 24), "channel" + n: gelu(16, 24)}
        parts |= {"norma" + n: nn.LayerNorm(16), "normb" + n: nn.LayerNorm(16)}
    return built(f, torch.randn(2, 3, 16, 16), **parts)


def norms() -> Made:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(4, 8), nn.SiLU(), nn.Conv2d(8, 8, 3, groups=8),
        nn.InstanceNorm2d(8), nn.Mish(), nn.PixelShuffle(2), nn.Hardswish(),
        nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), nn.AdaptiveAvgPool2d(3), nn.Softplus(),
        nn.ChannelShuffle(2), nn.PixelUnshuffle(3), nn.Hardsigmoid(), nn.CELU(0.5), nn.Upsample(scale_factor=3),
    )  # fmt: skip
    return model.eval(), (torch.randn(2, 3, 10, 10),)


def squeeze_excite() -> Made:
    def f(p: nn.ModuleDict, x: Tensor) -> Tensor:
        found = p["stem"](x)
        found = found * p["gate"](found.mean((2, 3), keepdim=True))
        top = F.interpolate(p["lateral"](found), size=(11, 9), mode="bicubic", align_corners=False)
        return p["head"](top) + F.interpolate(x[:, :2], size=(11, 9), mode="nearest")

    gate = nn.Sequential(nn.Conv2d(8, 2, 1), nn.SiLU(), nn.Conv2d(2, 8, 1), nn.Sigmoid())
    return built(
        f, torch.randn(1, 3, 8, 8), stem=settled(block(3, 8)), gate=gate, lateral=nn.Conv2d(8, 4, 1),
        head=nn.Conv2d(4, 2, 3, padding="same", dilation=2),
    )  # fmt: skip


def volumes() -> Made:
    model = nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU6(), nn.MaxPool3d(2), nn.ConvTranspose3d(4, 2, 2, 2),
        nn.AvgPool3d(2), nn.AdaptiveMaxPool3d(2), nn.Flatten(), nn.Linear(16, 3), nn.LogSigmoid(),
    )  # fmt: skip
    return settled(model).eval(), (torch.randn(2, 1, 6, 6, 6),)


def spatial_transformer() -> Made:
    def f(p: nn.ModuleDict, x: Tensor) -> Tensor:
        theta = p["where"](x.flatten(1)).view(-1, 2, 3)
        return F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False)

    return built(f, torch.randn(2, 1, 6, 6), where=nn.Linear(36, 6))


# -- graphs ------------------------------------------------------------------------------------------------------------


class GraphConvolution(nn.Module):
    """Symmetric normalisation by degrees, messages added where edges point."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        source, target = edges
        degree = torch.ones(x.shape[0]).index_add(0, target, torch.ones(target.shape[0]))
        weight = (degree[source] * degree[target]).rsqrt()[:, None]
        for layer in (self.first, self.second):
            h = layer(x)
            x = torch.zeros_like(h).index_add_(0, target, h[source] * weight) + h / degree[:, None]
            x = F.elu(x)
        return F.log_softmax(x, 1)


class GraphAttention(nn.Module):
    """Softmax over the edges that point to a node, by scatters."""

    def __init__(self) -> None:
        super().__init__()
        self.project, self.score = nn.Linear(6, 8, bias=False), nn.Parameter(torch.randn(16))

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        h = self.project(x)
        score = F.leaky_relu(torch.cat([h[edges[0]], h[edges[1]]], -1) @ self.score, 0.2)
        most = torch.full((x.shape[0],), float("-inf")).scatter_reduce(0, edges[1], score, "amax")
        weight = torch.exp(score - most[edges[1]])
        total = torch.zeros(x.shape[0]).scatter_add(0, edges[1], weight)
        weight = weight / (total[edges[1]] + 1e-16)
        return torch.zeros_like(h).index_put((edges[1],), h[edges[0]] * weight[:, None], accumulate=True)


def edges() -> Tensor:
    return torch.randint(0, 7, (2, 20))


# -- complex numbers -------------------------------------------------------------------------------------------------


class Rotary(nn.Module):
    """Rotary positions as the first Llama has them: complex numbers of pairs."""

    def __init__(self) -> None:
        super().__init__()
        angles = torch.outer(torch.arange(6.0), 1.0 / 100 ** (torch.arange(0, 8, 2) / 8))
        self.register_buffer("turns", torch.polar(torch.ones_like(angles), angles), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * self.turns[None, :, None]).flatten(3).type_as(x)


class FourierOperator(nn.Module):
    """A layer of a Fourier neural operator: a spectrum, weights of its lowest frequencies, back; and other spectra."""

    def __init__(self) -> None:
        super().__init__()
        self.re, self.im = (nn.Parameter(torch.randn(3, 4, 3)) for _ in range(2))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        weight = torch.complex(self.re, self.im)
        spectrum = torch.fft.rfft(x)
        wide = torch.zeros(x.shape[0], 4, x.shape[-1] // 2 + 1, dtype=spectrum.dtype)
        wide[..., :3] = torch.einsum("bim,iom->bom", spectrum[..., :3], weight)
        plane = torch.fft.rfft2(x, norm="ortho")
        turned = torch.fft.irfft2(plane * torch.exp(0.5j * plane.abs()), s=x.shape[-2:], norm="ortho")
        ratio = (spectrum / (spectrum.conj() + 4.0)).imag
        return torch.fft.irfft(wide, n=x.shape[-1]), ratio, torch.fft.fft(x, norm="forward").real, turned


# -- narrow floats -----------------------------------------------------------------------------------------------------


def narrow(make: Callable[[], Made], dtype: torch.dtype) -> Callable[[], Made]:
    def call() -> Made:
        module, args = make()
        return module.to(dtype), tuple(x.to(dtype) if x.is_floating_point() else x for x in args)

    return call


def autocast() -> Made:
    def f(p: nn.ModuleDict, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return p["norm"](p["body"](x)).softmax(-1)

    return built(f, torch.randn(4, 8), body=mlp(8, 16, 8), norm=nn.LayerNorm(8))


HALVES = {"f16": torch.float16, "bf16": torch.bfloat16}
_MADE: dict[str, Callable[[], Made]] = {
    "transformer": transformer,
    "attention_masks": attention_masks, "lstm_stack": recurrent(nn.LSTM, True), "gru_stack": recurrent(nn.GRU, False),
    "rnn_stack": recurrent(nn.RNN, True, nonlinearity="relu"), "lstm_projected": recurrent(nn.LSTM, True, proj_size=4),
    "cells": cells, "tcn": model(TCN, floats(2, 4, 12)), "deep_speech": deep_speech,
    "unet": unet(False), "unet_bilinear": unet(True), "generator": generator, "vae": vae, "resnet18": resnet18(),
    "resnet18_training": resnet18(train=True), "mixer": mixer, "norms": norms, "squeeze_excite": squeeze_excite,
    "volumes": volumes, "spatial_transformer": spatial_transformer,
    "graph_convolution": model(GraphConvolution, floats(7, 6), edges), "graph_attention": model(GraphAttention,
        floats(7, 6), edges),
    "autocast": autocast, "rotary": model(Rotary, floats(2, 6, 3, 8)),
    "spectra": model(FourierOperator, floats(2, 3, 9)), "spectra_even": model(FourierOperator, floats(2, 3, 8)),
    **{f"{name}_{kind}": narrow(make, dtype) for kind, dtype in HALVES.items() for name, make in {
        "mixer": mixer, "resnet18": resnet18(), "lstm_stack": recurrent(nn.LSTM, True), "sasrec": model(SASRec,
            ints(40, 2, 10)),
        "norms": norms, "dcn": model(DCN, floats(4, 12)), "deepfm": model(DeepFM, ints(5, 4, 4)), "tcn": model(TCN,
            floats(2, 4, 12)),
        "generator": generator, "unet_bilinear": unet(True),
    }.items()},
}  # fmt: skip
FAMILIES: dict[str, Callable[[], Made]] = {name: seeded(make) for name, make in _MADE.items()}
globals().update(FAMILIES)  # as ``--torch`` wants them, with their seed
