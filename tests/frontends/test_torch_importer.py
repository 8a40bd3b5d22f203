"""The torch importer against torch: views, writes, promotion, indexing, products, layers, what is refused."""

from __future__ import annotations

import itertools
import re

import pytest

torch = pytest.importorskip("torch")

from fstc.frontends.builder import Val  # noqa: E402
from fstc.frontends.torch.context import operand  # noqa: E402
from fstc.frontends.torch.program import import_module, import_program  # noqa: E402
from fstc.frontends.torch.types import dtype_from_torch, promoted  # noqa: E402
from fstc.ir.types import TensorType  # noqa: E402
from fstc.support.diagnostics import FstcError  # noqa: E402
from tests.frontends.torch_cases import check, exported, ops, outputs  # noqa: E402

F = torch.nn.functional


def rand(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


# -- promotion ---------------------------------------------------------------------------------------------------------

KINDS = [torch.bool, torch.uint8, torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64]


def test_promotion_is_torchs():
    """All pairs of types, with dimensions, without, and Python numbers."""
    tensors = [torch.ones(shape, dtype=k) for k in KINDS for shape in ((), (2,))]
    for x, y in itertools.product(tensors, [*tensors, True, 3, 2.5]):
        sides = [
            operand(Val(TensorType(dtype_from_torch(v.dtype), tuple(v.shape)))) if isinstance(v, torch.Tensor) else v
            for v in (x, y)
        ]
        assert promoted(sides) == dtype_from_torch(torch.result_type(x, y)), (x, y)


def test_numbers_beside_halves_are_not_rounded():
    x = torch.linspace(-3, 3, 97).to(torch.bfloat16)
    check(lambda x: (x * 0.1, x / 3), x, rtol=4e-3, atol=0)


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.uint8, torch.bool])
def test_integers_and_floats(kind):
    x = torch.tensor([0, 1, 3, 5]).to(kind)
    check(lambda x: (x / 2, x * 2.5, x.sum(), x.float().mean(), x + 1, x > 2.5, x.exp(), torch.where(x > 1, x, 0.5)), x)


def test_signs_of_quotients():
    x, y = torch.tensor([-7, -7, 7, 7, -6]), torch.tensor([2, -2, 2, -2, 3])
    f = lambda x, y: (x // y, x % y, torch.div(x, y, rounding_mode="trunc"), torch.fmod(x, y), x / y)  # noqa: E731
    check(f, x, y)
    check(f, x.float(), y.float() + 0.3)


# -- views and writes --------------------------------------------------------------------------------------------------


def test_a_write_through_a_view():
    def f(x):
        y = x.clone()
        y[1:, ::2].add_(10)
        y.t()[0].mul_(3)
        y.view(-1)[3:5] = -1.0
        y.diagonal().zero_()
        y[0].copy_(y[2])
        return y, y.sum()

    check(f, rand(4, 5))


def test_a_write_into_an_input_is_an_output():
    def f(x, y):
        x.mul_(2)
        return x + y

    imported = check(f, rand(3), rand(3))
    assert outputs(imported)[1].startswith("x") or outputs(imported)[1].endswith(".updated")
    assert len(imported.graph.outputs) == 2


def test_buffers_that_change_are_outputs():
    class Counter(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(4)
            self.register_buffer("seen", torch.zeros(2))

        def forward(self, x):
            self.seen[1:] += x.shape[0]
            return self.norm(x)

    imported = check(Counter().train(), rand(6, 4))
    assert outputs(imported)[1:] == [
        "norm.num_batches_tracked.updated", "norm.running_mean.updated", "norm.running_var.updated", "seen.updated",
    ] or set(outputs(imported)[1:]) == {
        "norm.num_batches_tracked.updated", "norm.running_mean.updated", "norm.running_var.updated", "seen.updated",
    }  # fmt: skip


def test_aliases_share_their_writes():
    def f(x):
        a = x * 1
        b = a.view(6)
        c = a[1]
        b[4] = 7.0
        return a, c, b.sum()

    check(f, rand(2, 3))


VIEWS = {
    "as_strided": lambda x: x.as_strided((3, 2), (4, 3), 1),
    "windows": lambda x: x.as_strided((3, 2, 2), (4, 1, 1)),
    "transposed memory": lambda x: x.t().contiguous().t().as_strided((2, 3), (1, 2)),
    "unfold": lambda x: x.unfold(1, 2, 1),
    "diagonal": lambda x: (x.diagonal(1), x.diagonal(-2), torch.diag_embed(x[0])),
    "strides": lambda x: x[::2, 1::2],
    "negative": lambda x: (x[-1], x[:, -3:-1], x.flip(0, 1), x.roll((1, -1), (0, 1)), x.roll(3), x.rot90(1, (0, 1))),
    "expand": lambda x: (x[:, None].expand(4, 3, 4), x.repeat(2, 3), x.repeat_interleave(2, dim=1)),
    "split": lambda x: (*x.split(3), *x.chunk(3, 1), *x.unbind(1), *x.tensor_split([1, 3])),
    "stack": lambda x: (torch.stack([x, x], 1), torch.cat([x, x[:1]]), torch.hstack([x, x]), torch.cat([x, x[:0]])),
    "pad": lambda x: (
        F.pad(x, (1, 2, 0, 1)),
        F.pad(x, (-1, 2)),
        F.pad(x[None], (1, 2, 2, 1), mode="reflect"),
        F.pad(x[None], (1, 2), mode="replicate"),
        F.pad(x[None], (2, 1), mode="circular"),
    ),
    "triangles": lambda x: (x.tril(), x.triu(1), x.tril(-1), torch.tril_indices(3, 3)),
    "scatters": lambda x: (
        torch.slice_scatter(x, x[:, :2], 1, 1, 4, 2),
        torch.select_scatter(x, x[0], 0, 2),
        torch.diagonal_scatter(x, x[0, :3], 1),
    ),
    "permute": lambda x: (x.permute(1, 0), x[None].movedim(0, -1), x.mT, x[..., None].squeeze(-1), x.flatten()),
    "bits": lambda x: x.view(torch.int32),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views(name):
    check(VIEWS[name], rand(4, 4))


# -- indexing ----------------------------------------------------------------------------------------------------------

ROWS, COLUMNS = torch.tensor([[0, -1], [2, 1]]), torch.tensor([1, -2])
INDEXING = {
    "one": lambda x, i, j: x[i],
    "middle": lambda x, i, j: x[:, i],
    "two": lambda x, i, j: x[i, j],
    "adjacent": lambda x, i, j: x[:, i, j],
    "apart": lambda x, i, j: x[i, :, j],
    "mixed": lambda x, i, j: x[1:, None, j, 2],
    "known mask": lambda x, i, j: x[torch.tensor([True, False, True])],
    "put": lambda x, i, j: x.clone().index_put_((i,), torch.ones(2, 2, 4, 5)),
    "put middle": lambda x, i, j: torch.ops.aten.index_put(x, [None, j], torch.ones(5)),
    "put apart": lambda x, i, j: torch.ops.aten.index_put(x, [j, None, j], torch.ones(2, 4)),
    "accumulate": lambda x, i, j: torch.index_put(x, (torch.tensor([0, 0, 2]),), torch.ones(3, 4, 5), accumulate=True),
    "mask put": lambda x, i, j: x.clone().masked_fill_(x > 0.3, -2.0),
    "assign rows": lambda x, i, j: torch.ops.aten.index_put(x, [x[:, 0, 0] > -99], 2 * x),
    "assign": lambda x, i, j: torch.ops.aten.index_put(x, [x > 0], torch.tensor(5.0)),
    "select": lambda x, i, j: (x.index_select(1, j % 3), x.take(i), torch.take_along_dim(x, x.argsort(1), 1)),
    "add": lambda x, i, j: (
        x.index_add(0, j % 3, x[:2], alpha=2),
        x.index_fill(1, j % 3, 9.0),
        x.index_copy(2, j % 3, x[:, :, :2]),
    ),
    "gather": lambda x, i, j: x.gather(1, (i % 3)[:, :, None].expand(2, 2, 5)),
    "scatter": lambda x, i, j: (
        x.scatter(0, (i % 3)[:, :, None], 5.0),
        x.scatter_add(1, (i % 3)[:, :, None], x[:2, :2, :1]),
    ),
    "reduce": lambda x, i, j: tuple(
        x.scatter_reduce(0, (i % 3)[:, :, None], x[:2, :2, :1], r, include_self=s)
        for r in ("sum", "prod", "amax", "amin", "mean")
        for s in (True, False)
    ),
    "masked scatter": lambda x, i, j: x.masked_scatter(x > 0, torch.arange(60.0)),
    "searchsorted": lambda x, i, j: (
        torch.searchsorted(x.sort(-1)[0], x),
        torch.bucketize(x, torch.tensor([-1.0, 0, 1])),
    ),
}


@pytest.mark.parametrize("name", INDEXING)
def test_indexing(name):
    check(INDEXING[name], rand(3, 4, 5), ROWS, COLUMNS)


# -- reductions, sorting, products -------------------------------------------------------------------------------------

REDUCTIONS = {
    "sums": lambda x: (x.sum(), x.sum(1), x.sum((0, 2), True), x.mean(-1), x.prod(1), (x > 0).sum(0), x.nansum()),
    "extremes": lambda x: (
        x.amax((0, 1)),
        x.min(),
        *x.max(1),
        *x.min(2, True),
        x.argmax(),
        x.argmin(1, True),
        *x.aminmax(),
    ),
    "spread": lambda x: (
        x.var(),
        x.std(1),
        x.var(1, correction=0),
        *torch.var_mean(x, (0, 2), correction=2),
        x.std(0, False),
    ),
    "norms": lambda x: (
        x.norm(),
        x.norm(1, -1),
        x.norm(float("inf"), 0),
        torch.linalg.vector_norm(x, 3.0, 1),
        x.norm(0),
    ),
    "running": lambda x: (x.cumsum(1), x.cumprod(0), x.logcumsumexp(2), *x.cummax(1), *x.cummin(0), x.diff(dim=1)),
    "logic": lambda x: (
        (x > 0).any(),
        (x > 0).all(1),
        (x > 9).any(0, True),
        torch.count_nonzero(x > 0),
        x.logsumexp(1),
    ),
    "soft": lambda x: (
        x.softmax(-1),
        x.log_softmax(1),
        F.softmin(x, 0),
        F.normalize(x, dim=1),
        F.cosine_similarity(x, x + 1),
    ),
    "sorted": lambda x: (
        *torch.sort(x, dim=1, stable=True),
        *x.topk(2, 1),
        *x.topk(2, 0, largest=False),
        torch.argsort(x, dim=2, stable=True),
        *x.kthvalue(2, 1),
        *x.median(1),
        x.median(),
        x.quantile(0.3),
    ),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name):
    check(REDUCTIONS[name], rand(3, 4, 5))


def test_products_read_transposes():
    x, w = rand(2, 6, 8), rand(5, 8)
    imported = check(lambda x, w: (x @ w.t(), torch.einsum("bij,kj->bik", x, w), F.linear(x, w)), x, w)
    assert ops(check(lambda x, w: x @ w.t(), x, w)) == ["dot_general"]
    assert ops(check(lambda q, k: q @ k.transpose(-1, -2), rand(2, 3, 4, 5), rand(2, 3, 6, 5))) == ["dot_general"]
    assert "dot_general" in ops(imported)


@pytest.mark.parametrize("masked", [None, "bool", "float", "causal", "grouped"])
def test_attention(masked):
    q, k, v = rand(2, 4, 5, 8), rand(2, 4, 6, 8), rand(2, 4, 6, 8)
    mask = rand(5, 6) > 0 if masked == "bool" else rand(2, 1, 5, 6) if masked == "float" else None
    if masked == "bool":
        mask[2] = False  # a row that sees nothing
    if masked == "grouped":
        check(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True), q, k[:, :2], v[:, :2])
        return
    check(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, mask, is_causal=masked == "causal"), q, k, v)


W = {shape: rand(*shape) for shape in [
    (6, 4, 3, 2), (6,), (4, 1, 3, 3), (4, 3, 3, 3), (2, 8, 3), (8,), (4,), (8, 8), (4, 3),
]}  # fmt: skip
POSITIVE = rand(4).abs()
LAYERS = {
    "conv": lambda x: (
        F.conv2d(x, W[6, 4, 3, 2], W[6,], 2, 1, 1),
        F.conv2d(x, W[4, 1, 3, 3], padding="same", groups=4),
        F.conv_transpose2d(x, W[4, 3, 3, 3], W[6,], 2, 1, 1, groups=2),
        F.conv1d(x[0], W[2, 8, 3], dilation=2),
    ),
    "pool": lambda x: (
        F.max_pool2d(x, 2),
        *F.max_pool2d(x, 3, 2, 1, return_indices=True),
        F.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
        F.avg_pool2d(x, 2, count_include_pad=False),
        F.adaptive_avg_pool2d(x, (3, 4)),
        F.adaptive_avg_pool2d(x, 1),
        F.adaptive_max_pool2d(x, (2, 3)),
    ),
    "norm": lambda x: (
        F.layer_norm(x, (8,), W[8,], W[8,]),
        F.group_norm(x, 2, W[4,]),
        F.instance_norm(x),
        F.rms_norm(x, (8, 8)),
        F.batch_norm(x, W[4,], POSITIVE, W[4,], W[4,]),
        F.local_response_norm(x, 3),
    ),
    "resize": lambda x: (
        F.interpolate(x, scale_factor=2),
        F.interpolate(x, size=(11, 5)),
        F.interpolate(x, (5, 9), mode="bilinear"),
        F.interpolate(x, (16, 16), mode="bilinear", align_corners=True),
        F.interpolate(x, (5, 9), mode="nearest-exact"),
        F.interpolate(x, (9, 9), mode="bicubic"),
        F.pixel_shuffle(x, 2),
        F.unfold(x, 3, padding=1),
    ),
    "activations": lambda x: (
        F.relu6(x),
        F.prelu(x, W[4,]),
        F.glu(x),
        F.hardswish(x),
        F.softplus(x, 2, 3),
        F.elu(x, 0.5),
        F.selu(x),
        F.mish(x),
        F.silu(x),
        F.gelu(x),
        F.gelu(x, approximate="tanh"),
        F.logsigmoid(x),
        F.softshrink(x, 0.2),
    ),
    "losses": lambda x: (
        F.mse_loss(x, x + 1),
        F.cross_entropy(x[:, :, 0, 0], torch.tensor([1, 3])),
        F.smooth_l1_loss(x, x * 2),
        F.binary_cross_entropy_with_logits(x, x.sigmoid()),
        F.kl_div(x, x.exp()),
    ),
    "bags": lambda x: (
        F.embedding_bag(torch.tensor([[0, 1], [2, 2]]), W[4, 3]),
        F.embedding_bag(torch.tensor([0, 1, 2, 2, 3]), W[4, 3], torch.tensor([0, 2]), mode="sum"),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    check(LAYERS[name], rand(2, 4, 8, 8), atol=1e-4)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers(kind):
    layer = getattr(torch.nn, kind)(5, 6, num_layers=2, bidirectional=True, batch_first=True)
    imported = check(layer.eval(), rand(3, 7, 5))
    assert ops(imported).count("dot_general") == 4 * (1 + 7)


def test_every_core_operator_has_a_way():
    """Mapped, taken apart by torch into what is mapped, or refused by name with a reason."""
    from fstc.frontends.torch.decompose import decompositions, is_mapped

    known, missing = decompositions(), []
    for name in dir(torch.ops.aten):
        packet = getattr(torch.ops.aten, name)
        for overload in getattr(packet, "overloads", list)():
            operator = getattr(packet, overload)
            if torch.Tag.core in operator.tags and not is_mapped(operator) and operator not in known:
                missing.append(str(operator))
    assert not missing


@pytest.mark.parametrize("counted", [True, False])
def test_gradients_of_pooling(counted):
    backward = torch.ops.aten.avg_pool2d_backward
    x = rand(2, 3, 7, 8)
    grad = F.avg_pool2d(x, 3, 2, 1, count_include_pad=counted) * 2
    check(lambda g, x: backward(g, x, [3, 3], [2, 2], [1, 1], False, counted, None), grad, x)
    check(torch.ops.aten._adaptive_avg_pool2d_backward, rand(2, 3, 3, 4), x)
    check(lambda x: (F.pdist(x), torch.cdist(x, x + 1, 1.0)), rand(5, 4))


def test_training_with_a_loss():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Sequential(
                torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
            )

        def forward(self, x, y):
            return F.cross_entropy(self.net(x), y)

    check(Net().train(), rand(6, 4), torch.tensor([0, 1, 2, 0, 1, 2]))


# -- programs ----------------------------------------------------------------------------------------------------------


def test_nested_inputs_and_outputs_have_names():
    def f(pair, table):
        return {"sum": pair[0] + pair[1], "deep": [{"x": table["a"] * 2}, None], "number": 3, "same": pair[0]}

    imported = check(f, (rand(2), rand(2)), {"a": rand(3)})
    assert outputs(imported)[:2] == ["sum", "deep.0.x"] and len(imported.graph.outputs) == 3


def test_parameters_keep_their_names_and_are_stored_once():
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(10, 8)
            self.head = torch.nn.Linear(8, 10, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, i):
            return self.head(self.embed(i))

    imported = check(Tied(), torch.tensor([1, 2, 9]))
    assert list(imported.tensors) == ["embed.weight"]


def test_bfloat16_weights_are_not_copied():
    layer = torch.nn.Linear(8, 8, dtype=torch.bfloat16)
    imported = import_module(layer, (rand(2, 8).bfloat16(),))
    array = imported.tensors["weight"]
    assert array.dtype.name == "bfloat16" and array.ctypes.data == layer.weight.data_ptr()


def test_locations_are_lines_without_folders():
    imported = check(lambda x: x * 2 + 1, rand(3))
    locs = {node.loc for node in imported.graph.nodes if node.loc}
    assert locs and all(re.fullmatch(r"\w+\.py:\d+", loc) for loc in locs)


def test_dim_names_bind():
    batch = torch.export.Dim("batch", min=2)

    class Shapes(torch.nn.Module):
        def forward(self, x):
            return x.reshape(x.shape[0] * 2, -1) + torch.arange(x.shape[0] * 2)[:, None] + x.shape[0]

    program = torch.export.export(Shapes(), (rand(4, 6),), dynamic_shapes={"x": {0: batch}})
    with pytest.raises(FstcError, match=r"FST0805.*batch"):
        import_program(program, "m.safetensors")
    imported = import_program(program, "m.safetensors", {"batch": 5})
    assert imported.graph.type(imported.graph.outputs[0]).shape == (10, 3)


def test_branches_and_loops():
    from torch._higher_order_ops.scan import scan
    from torch._higher_order_ops.while_loop import while_loop

    check(lambda x: torch.cond(x.sum() > 0, lambda x: x * 2, lambda x: x - 1, (x,)), rand(4))
    check(lambda x: torch.cond(x.shape[0] > 3, lambda x: x * 2, lambda x: x - 1, (x,)), rand(4))
    check(lambda x: scan(lambda c, v: (c + v, c * v), torch.zeros(3), x)[1], rand(5, 3))
    check(lambda x: while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 1.5), (torch.tensor(0), x))[1], rand(4))


def test_gradients_off_inside():
    def f(x):
        with torch.no_grad():
            y = x * 2
        with torch.autocast("cpu", enabled=False):
            return y + x

    check(f, rand(3))


REFUSED = {
    "random": (lambda x: x + torch.rand(3), "random"),
    "dropout": (lambda x: F.dropout(x, 0.5, True), "random"),
    "complex": (lambda x: torch.fft.rfft(x).tanh().abs(), "complex"),
    "data": (lambda x: torch.nonzero(x).sum(), "depends on data"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason(name):
    function, reason = REFUSED[name]
    program = exported(function, rand(3))
    try:
        refused = import_program(program, "m.safetensors").coverage.refused
        reasons = [r for row in refused for r in row.refused]
        assert any(reason in r for r in reasons), reasons
        assert all(places for row in refused for places in row.refused.values())
    except FstcError as error:
        assert error.diagnostics[0].code == "FST0806" and reason in error.diagnostics[0].message


def test_dropout_that_does_nothing():
    assert ops(check(lambda x: F.dropout(x, 0.5, False) + F.dropout(x, 0.0, True), rand(3))) == ["add"]


def test_an_import_is_linear():
    """Ten times the layers take about ten times as long: no search over what was made before."""
    import time

    def seconds(count: int) -> float:
        def f(x):
            for i in range(count):
                x = torch.tanh(x * 1.5 + float(i))
            return x

        program = exported(f, rand(4))
        start = time.process_time()
        import_program(program, "m.safetensors")
        return time.process_time() - start

    seconds(10)
    small = min(seconds(40) for _ in range(3))
    assert seconds(400) < 25 * small


def test_same_input_same_bytes():
    from fstc.ir.printer import print_graph

    texts = {print_graph(check(LAYERS["norm"], rand(2, 4, 8, 8), atol=1e-4).graph) for _ in range(2)}
    assert len(texts) == 1
