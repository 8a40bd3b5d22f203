"""Files that are damaged, wrong or hostile are refused with a code, never run, never a traceback."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fstc.frontends.artefact import ImportOptions  # noqa: E402
from fstc.frontends.torch.peer import run_peer  # noqa: E402
from fstc.frontends.torch.run import read  # noqa: E402
from fstc.support.diagnostics import FstcError  # noqa: E402


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 4)
        self.register_buffer("steps", torch.zeros(2, dtype=torch.int64))

    def forward(self, x):
        self.steps.add_(1)
        return {"y": self.layer(x), "kept": x.sum(0)}


def saved(path: Path, dynamic: bool = False) -> Path:
    shapes = {"x": {0: torch.export.Dim("batch", min=2, max=64)}} if dynamic else None
    program = torch.export.export(Small().eval(), (torch.ones(5, 3),), dynamic_shapes=shapes)
    torch.export.save(program, path)
    return path


def rewritten(source: Path, target: Path, change, compress: int = zipfile.ZIP_STORED) -> Path:
    """A copy of an archive; ``change(name, bytes)`` gives a member's new bytes, or None to leave it out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compress) as new:
        for info in old.infolist():
            data = change(info.filename, old.read(info))
            if data is not None:
                new.writestr(info.filename, data)
    return target


def refused(path: Path | None, code: str = "FST0802", **options) -> str:
    with pytest.raises(FstcError) as caught:
        read(path, ImportOptions(**options), "model.safetensors")
    found = caught.value.diagnostics[0]
    assert found.code == code, found
    assert "\n" not in found.message and len(found.message) < 700
    return found.message


def test_a_saved_program_comes_back(tmp_path):
    imported = read(saved(tmp_path / "m.pt2"), ImportOptions(), "m.safetensors")
    graph = imported.graph
    assert [graph.values[i].name for i in graph.inputs] == ["x"]
    assert [graph.values[i].name for i in graph.outputs] == ["y", "kept", "steps.updated"]
    assert not imported.coverage.refused


def test_the_peer_gives_the_same_outputs(tmp_path):
    x = np.ones((5, 3), np.float32)
    y, kept, steps = run_peer(saved(tmp_path / "m.pt2"), "", {"x": x}, {})
    assert y.shape == (5, 4) and steps.tolist() == [1, 1]
    np.testing.assert_array_equal(kept, x.sum(0))


def test_dynamic_dimensions_are_bound(tmp_path):
    path = saved(tmp_path / "m.pt2", dynamic=True)
    message = refused(path, "FST0805")
    symbol = message.split(": ")[1].split(" ")[0]
    graph = read(path, ImportOptions({symbol: 7}), "m.safetensors").graph
    assert [graph.type(i).shape for i in graph.outputs[:2]] == [(7, 4), (3,)]
    assert "exported for 2 to 64" in refused(path, "FST0805", binds={symbol: 65})
    assert "no dynamic dimension" in refused(path, "FST0805", binds={symbol: 7, "nonsense": 3})


@pytest.mark.parametrize("keep", [0, 10, 1000, -1, -30])
def test_truncated(tmp_path, keep):
    data = saved(tmp_path / "m.pt2").read_bytes()
    (tmp_path / "cut.pt2").write_bytes(data[:keep])
    refused(tmp_path / "cut.pt2")


def test_bits_flipped_all_over(tmp_path):
    """Each damaged copy is refused with a code, or reads the same because nothing that matters was hit."""
    data = saved(tmp_path / "m.pt2").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        bad = bytearray(data)
        for place in rng.integers(0, len(bad), 3):
            bad[place] ^= int(rng.integers(1, 256))
        (tmp_path / "bad.pt2").write_bytes(bad)
        try:
            read(tmp_path / "bad.pt2", ImportOptions(), "m.safetensors")
        except FstcError as error:
            assert error.diagnostics[0].code in ("FST0802", "FST0803", "FST0804", "FST0805", "FST0806")


def test_no_zip_and_no_file(tmp_path):
    (tmp_path / "text.pt2").write_text("hello")
    refused(tmp_path / "text.pt2")
    assert "no such file" in refused(tmp_path / "none.pt2")


class Bomb:
    """Unpickling it makes a file, which no test may find."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("wrap", ["pickle", "torch"])
def test_pickles_are_never_loaded(tmp_path, wrap):
    """As sample inputs they are not read; as weights or objects they are refused."""
    good, mark = saved(tmp_path / "m.pt2"), tmp_path / "executed"
    stream = io.BytesIO()
    torch.save({"x": Bomb(mark)}, stream) if wrap == "torch" else stream.write(pickle.dumps(Bomb(mark)))
    evil = stream.getvalue()

    inputs = rewritten(good, tmp_path / "a.pt2", lambda n, d: evil if "sample_inputs" in n else d)
    assert not read(inputs, ImportOptions(), "m.safetensors").coverage.refused

    def pickled(name: str, data: bytes) -> bytes:
        if name.endswith("model_weights_config.json"):
            config = json.loads(data)
            for entry in config["config"].values():
                entry["use_pickle"] = True
            return json.dumps(config).encode()
        return evil if "/weights/weight_" in name else data

    assert "pickle" in refused(rewritten(good, tmp_path / "b.pt2", pickled))

    def objects(name: str, data: bytes) -> bytes:
        if name.endswith("model_constants_config.json"):
            entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
            return json.dumps({"config": {"thing": entry}}).encode()
        return data

    assert "never loaded" in refused(rewritten(good, tmp_path / "c.pt2", objects))

    old = tmp_path / "old.pt2"
    with zipfile.ZipFile(old, "w") as archive:
        for name in ("serialized_state_dict.pt", "serialized_constants.pt", "serialized_example_inputs.pt"):
            archive.writestr(name, evil)
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("version", "8.8")
    refused(old)
    assert not mark.exists()


def changed_program(tmp_path: Path, change) -> Path:
    def edit(name: str, data: bytes) -> bytes:
        return json.dumps(change(json.loads(data))).encode() if name.endswith("models/model.json") else data

    return rewritten(saved(tmp_path / "m.pt2", dynamic=True), tmp_path / "changed.pt2", edit)


def test_expressions_are_not_evaluated(tmp_path):
    mark = tmp_path / "executed"

    def evil(document):
        text = json.dumps(document)
        code = f"__import__('pathlib').Path('{mark}').touch()"
        return json.loads(text.replace("Symbol('s77', positive=True, integer=True)", code))

    assert "an extent is" in refused(changed_program(tmp_path, evil))
    assert not mark.exists()


@pytest.mark.parametrize(
    "target", ["torch.load", "torch.os.system", "_operator.methodcaller", "#ns.op", "torch.hub.load"]
)
def test_targets_are_operators(tmp_path, target):
    def evil(document):
        document["graph_module"]["graph"]["nodes"][0]["target"] = target
        return document

    assert "no operator" in refused(changed_program(tmp_path, evil))


def test_guards_are_left_out(tmp_path):
    mark = tmp_path / "executed"

    def evil(document):
        document["guards_code"] = [f"__import__('pathlib').Path('{mark}').touch()"]
        return document

    path = changed_program(tmp_path, evil)
    message = refused(path, "FST0805")
    symbol = message.split(": ")[1].split(" ")[0]
    read(path, ImportOptions({symbol: 4}), "m.safetensors")
    run_peer(path, "", {"x": np.ones((4, 3), np.float32)}, {})
    assert not mark.exists()


def test_types_of_inputs_are_plain(tmp_path):
    def evil(document):
        spec = (
            '[1, {"type": "collections.defaultdict", "context": {"default_factory_module": "os"}, "children_spec": []}]'
        )
        for entry in document["graph_module"]["module_call_graph"]:
            if entry["signature"]:
                entry["signature"]["in_spec"] = spec
        return document

    assert "only Python code" in refused(changed_program(tmp_path, evil))


def test_compiled_code_is_not_loaded(tmp_path):
    good = saved(tmp_path / "m.pt2")
    bad = rewritten(good, tmp_path / "bad.pt2", lambda n, d: d)
    with zipfile.ZipFile(bad, "a") as archive:
        archive.writestr("m/data/aotinductor/model/model.so", b"\x7fELF")
    assert "compiled code" in refused(bad)


def test_sizes_beyond_the_file(tmp_path):
    """A tensor that claims more than the file has is refused before anything is allocated."""

    def huge(name: str, data: bytes) -> bytes:
        if name.endswith("model_weights_config.json"):
            config = json.loads(data)
            entry = next(iter(config["config"].values()))
            entry["tensor_meta"]["sizes"] = [{"as_int": 1 << 40}]
            entry["tensor_meta"]["strides"] = [{"as_int": 0}]
            return json.dumps(config).encode()
        return data

    assert "bytes" in refused(rewritten(saved(tmp_path / "m.pt2"), tmp_path / "huge.pt2", huge))


def test_compressed_members(tmp_path):
    good = saved(tmp_path / "m.pt2")
    assert "compressed" in refused(rewritten(good, tmp_path / "z.pt2", lambda n, d: d, zipfile.ZIP_DEFLATED))


def test_deep_json(tmp_path):
    good = saved(tmp_path / "m.pt2")
    deep = b"[" * 200_000 + b"]" * 200_000
    refused(rewritten(good, tmp_path / "deep.pt2", lambda n, d: deep if n.endswith("model.json") else d))


# -- factories ---------------------------------------------------------------------------------------------------------


def no_module():
    return 3


def raising():
    raise RuntimeError("no weights here")


class Branches(torch.nn.Module):
    def forward(self, x):
        return x + 1 if x.sum() > 0 else x


def data_dependent():
    return Branches(), (torch.ones(3),)


def small():
    return Small().eval(), (torch.ones(2, 3),)


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        ("nonsense", "is not package.module:function"),
        ("no.such.package:f", "No module named"),
        (f"{__name__}:absent", "absent"),
        (f"{__name__}:no_module", "returns int"),
        (f"{__name__}:raising", "no weights here"),
        (f"{__name__}:data_dependent", "torch cannot export"),
    ],
)
def test_factories_that_do_not_work(factory, says):
    assert says in refused(None, "FST0809", factory=factory)


def test_a_factory():
    graph = read(None, ImportOptions(factory=f"{__name__}:small"), "m.safetensors").graph
    assert len(graph.outputs) == 3
