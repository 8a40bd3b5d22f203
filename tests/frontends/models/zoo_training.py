"""Steps of training: losses, gradients by torch.func, updates of optimisers.

Example: ``module, args = FAMILIES["adam"]()``. The parameters are inputs, so that a step is a function.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, grad_and_value, jvp, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F

from tests.frontends.models.zoo_parts import Function, Made, mlp, seeded

Parameters = dict[str, Tensor]
Loss = Callable[..., Tensor]


class Step(nn.Module):
    """A step on a module's parameters: ``function(loss, parameters, *inputs)``."""

    def __init__(self, model: nn.Module, loss: Loss, function: Callable[..., object]) -> None:
        super().__init__()
        self.model, self.loss, self.function = [model], loss, function  # its parameters are given, not held

    def forward(self, parameters: Parameters, *inputs: Tensor) -> object:
        def loss(parameters: Parameters, *inputs: Tensor) -> Tensor:
            return self.loss(lambda *args: functional_call(self.model[0], parameters, args), *inputs)

        return self.function(loss, parameters, *inputs)


def step(model: nn.Module, loss: Loss, function: Callable[..., object], *inputs: Tensor) -> Made:
    """Traced by make_fx, because torch.export has no way through torch.func.grad."""
    parameters = {name: p.detach().clone() for name, p in model.named_parameters()}
    with torch.backends.mkldnn.flags(enabled=False):  # its recurrent layers have a workspace of their own
        traced = make_fx(Step(model, loss, function))(parameters, *inputs)
    return traced, (parameters, *inputs)  # type: ignore[return-value]


# -- losses ------------------------------------------------------------------------------------------------------------


def losses() -> Made:
    def f(p: nn.ModuleDict, x: Tensor, classes: Tensor, real: Tensor, truth: Tensor) -> tuple[Tensor, ...]:
        y = p["model"](x)
        soft = real.softmax(-1)
        return (
            F.cross_entropy(y, classes, ignore_index=2, label_smoothing=0.1),
            F.cross_entropy(y, classes, weight=torch.arange(1.0, 6.0), reduction="sum"),
            F.cross_entropy(y, soft),
            F.nll_loss(y.log_softmax(-1), classes, reduction="none"),
            F.mse_loss(y, real), F.l1_loss(y, real, reduction="sum"), F.smooth_l1_loss(y, real, beta=0.3),
            F.huber_loss(y, real, delta=0.7), F.poisson_nll_loss(y, soft),
            F.binary_cross_entropy_with_logits(y, truth, pos_weight=torch.full((5,), 2.0)),
            F.kl_div(y.log_softmax(-1), soft, reduction="batchmean"),
            F.kl_div(y.log_softmax(-1), real.log_softmax(-1), log_target=True, reduction="sum"),
            F.cosine_embedding_loss(y, real, truth[:, 0] * 2 - 1), F.margin_ranking_loss(y[:, 0], y[:, 1], y[:,
            2].sign()),
            F.triplet_margin_loss(y, real, soft), F.hinge_embedding_loss(y, truth * 2 - 1),
            F.soft_margin_loss(y, truth * 2 - 1), F.multilabel_soft_margin_loss(y, truth), F.multi_margin_loss(y,
            classes),
        )  # fmt: skip

    truth = torch.randint(0, 2, (6, 5)).float()
    return Function(f, model=mlp(4, 8, 5)), (torch.randn(6, 4), torch.randint(0, 5, (6,)), torch.randn(6, 5), truth)


def classified(model: Callable[[Tensor], Tensor], x: Tensor, classes: Tensor) -> Tensor:
    return F.cross_entropy(model(x), classes)


def regressed(model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(model(x), y)


def next_token(model: Callable[[Tensor], Tensor], tokens: Tensor) -> Tensor:
    found = model(tokens[:, :-1])
    return F.cross_entropy(found.flatten(0, 1), tokens[:, 1:].flatten())


# -- steps -------------------------------------------------------------------------------------------------------------


def gradients(loss: Loss, parameters: Parameters, *inputs: Tensor) -> object:
    return grad_and_value(loss)(parameters, *inputs)


def sgd(loss: Loss, parameters: Parameters, *inputs: Tensor) -> object:
    found = grad(loss)(parameters, *inputs)
    return {name: p - 0.1 * (found[name] + 0.01 * p) for name, p in parameters.items()}


def adam(loss: Loss, parameters: Parameters, *inputs: Tensor) -> object:
    """The first step after moments of 0.1, with the norm of all gradients clipped."""
    found, value = grad_and_value(loss)(parameters, *inputs)
    norm = torch.stack([g.norm() for g in found.values()]).norm()
    clip = torch.clamp(1.0 / (norm + 1e-6), max=1.0)
    updated = {}
    for name, p in parameters.items():
        g = found[name] * clip
        m, v = 0.9 * 0.1 + 0.1 * g, 0.999 * 0.1 + 0.001 * g * g
        updated[name] = p - 1e-3 * (m / (1 - 0.9**2)) / ((v / (1 - 0.999**2)).sqrt() + 1e-8)
    return updated, value


def sample_gradients(loss: Loss, parameters: Parameters, x: Tensor, y: Tensor) -> object:
    """Gradients of each sample, by vmap."""
    return vmap(grad(lambda p, a, b: loss(p, a[None], b[None])), in_dims=(None, 0, 0))(parameters, x, y)


def jvp_of(loss: Loss, parameters: Parameters, x: Tensor, y: Tensor) -> object:
    return jvp(lambda x: loss(parameters, x, y), (x,), (torch.ones_like(x),))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.place = nn.Embedding(20, 16), nn.Parameter(torch.randn(7, 16))
        self.norm, self.qkv, self.out = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16)
        self.wide, self.narrow = nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens) + self.place
        q, k, v = (t.unflatten(-1, (2, 8)).transpose(1, 2) for t in self.qkv(self.norm(x)).chunk(3, -1))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        x = x + self.narrow(F.gelu(self.wide(x)))
        return x @ self.table.weight.T


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.GroupNorm(2, 6), nn.SiLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 6, 3, groups=2, padding=1), nn.LeakyReLU(0.1), nn.ConvTranspose2d(6, 4, 2, stride=2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5),
    )  # fmt: skip


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase] = nn.LSTM) -> None:
        super().__init__()
        self.body, self.head = kind(4, 8, batch_first=True), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x)[0][:, -1])


class Exported(nn.Module):
    """Batch norm in training with the loss: running statistics come out."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(96, 5))

    def forward(self, x: Tensor, classes: Tensor) -> Tensor:
        return F.cross_entropy(self.body(x), classes)


def optimizer_ema() -> Made:
    def f(p: nn.ModuleDict, w: Tensor, g: Tensor, m: Tensor, v: Tensor, t: Tensor) -> tuple[Tensor, ...]:
        """AdamW as torch.optim writes it, in place, with a step that counts."""
        t = t + 1
        w = w.mul(1 - 1e-3 * 0.01)
        m = torch.lerp(m, g, 0.1)
        v = v.mul(0.999).addcmul(g, g, value=0.001)
        size = 1e-3 / (1 - 0.9**t)
        denominator = (v.sqrt() / (1 - 0.999**t).sqrt()).add_(1e-8)
        return torch.addcdiv(w, -size * m, denominator), m, v, t

    w = [torch.randn(4, 6) for _ in range(3)]
    return Function(f), (*w, torch.rand(4, 6), torch.tensor(3.0))


def classes() -> Tensor:
    return torch.randint(0, 5, (4,))


_MADE: dict[str, Callable[[], Made]] = {
    "losses": losses,
    "mlp_sgd": lambda: step(mlp(6, 8, 5), classified, sgd, torch.randn(4, 6), classes()),
    "mlp_adam": lambda: step(mlp(6, 8, 5), classified, adam, torch.randn(4, 6), classes()),
    "attention_gradients": lambda: step(Attention(), next_token, gradients, torch.randint(0, 20, (2, 8))),
    "attention_adam": lambda: step(Attention(), next_token, adam, torch.randint(0, 20, (2, 8))),
    "convolution_gradients": lambda: step(convolutional(), classified, gradients, torch.randn(4, 3, 12, 12), classes()),
    "lstm_gradients": lambda: step(Recurrent(), classified, gradients, torch.randn(4, 3, 4), classes()),
    "gru_gradients": lambda: step(Recurrent(nn.GRU), classified, gradients, torch.randn(4, 3, 4), classes()),
    "per_sample": lambda: step(mlp(6, 8, 5), regressed, sample_gradients, torch.randn(4, 6), torch.randn(4, 5)),
    "tangents": lambda: step(mlp(6, 8, 5, last=nn.Tanh()), regressed, jvp_of, torch.randn(4, 6), torch.randn(4, 5)),
    "batch_norm_training": lambda: (Exported(), (torch.randn(3, 3, 6, 6), torch.randint(0, 5, (3,)))),
    "adamw": optimizer_ema,
}  # fmt: skip
FAMILIES: dict[str, Callable[[], Made]] = {name: seeded(make) for name, make in _MADE.items()}
globals().update(FAMILIES)  # as ``--torch`` wants them, with their seed
