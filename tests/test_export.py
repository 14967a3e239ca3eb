"""Exported models: torch's numbers in other runtimes, at any batch size, and clear refusals."""

import json

import pytest
import torch
from small import gen, noise, unet

from fmcore import MLP, FlowModel, OTPath, VPPath, export_model, load_pretrained, save_weights
from fmcore.cli import main


def with_classes():
    return FlowModel(unet(num_classes=3, levels=3), OTPath(), (1, 8, 8), {"seed": 0})


def without():
    """The velocity is made from a prediction of the data, which an exporter has to follow."""
    torch.manual_seed(0)
    return FlowModel(MLP(hidden=8, depth=1), VPPath(), (2,), predict="data")


def batch(model, n):
    """Inputs that differ row by row, by name."""
    shape, classes = model.config["shape"], model.config["network"].get("num_classes")
    inputs = {"x": noise(n, *shape, seed=n), "t": 0.9 * torch.rand(n, generator=gen(n))}
    if classes:
        inputs["label"] = torch.randint(classes + 1, (n,), generator=gen(n))
    if length := model.config["network"].get("condition_dim"):
        inputs["label"] = noise(n, length, seed=n + 1)
        inputs["label"][0] = torch.nan  # no condition
    return inputs


@pytest.fixture
def session():
    """Starts an ONNX file."""
    runtime = pytest.importorskip("onnxruntime")
    return lambda file: runtime.InferenceSession(file, providers=["CPUExecutionProvider"])


def test_onnx_of_the_command_gives_torchs_numbers(session, tmp_path, capsys):
    model, weights, file = with_classes(), tmp_path / "w.safetensors", tmp_path / "w.onnx"
    save_weights(model, weights)
    main(["export", "--weights", str(weights), "--out", str(file)])
    assert f"wrote {file}: {file.stat().st_size:,} bytes" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir() if path != weights] == ["w.onnx"]
    onnx = session(file)
    inputs = [(i.name, i.shape, i.type) for i in onnx.get_inputs()]
    assert inputs == [
        ("x", ["batch", 1, 8, 8], "tensor(float)"),
        ("t", ["batch"], "tensor(float)"),
        ("label", ["batch"], "tensor(int64)"),
    ]
    assert [(o.name, o.shape) for o in onnx.get_outputs()] == [("v", ["batch", 1, 8, 8])]
    said = json.loads(onnx.get_modelmeta().custom_metadata_map["fmcore"])
    assert said == model.config
    agree(onnx, model)


def test_onnx_of_a_prediction_in_a_newer_opset(session, tmp_path):
    onnx = pytest.importorskip("onnx")
    model, file = without().train(), tmp_path / "p.onnx"
    export_model(model, file, opset=20)
    assert model.training
    assert [i.name for i in session(file).get_inputs()] == ["x", "t"]
    assert onnx.load(file).opset_import[0].version == 20
    agree(session(file), model)


def agree(onnx, model):
    """Within 1e-5, at batches of one, two and five."""
    for n in (1, 2, 5):
        inputs = batch(model, n)
        (v,) = onnx.run(None, {name: value.numpy() for name, value in inputs.items()})
        torch.testing.assert_close(torch.tensor(v), model(**inputs), rtol=0, atol=1e-5)


def test_a_program_of_torch_export_with_vectors_as_conditions(tmp_path):
    torch.manual_seed(0)
    model = FlowModel(MLP(hidden=8, depth=1, condition_dim=3), OTPath(), (2,))
    file, said = tmp_path / "w.pt2", {"fmcore": ""}
    export_model(model, file)
    program = torch.export.load(file, extra_files=said).module()
    for n in (1, 2, 5):
        inputs = batch(model, n).values()
        torch.testing.assert_close(program(*inputs), model(*inputs))
    assert json.loads(said["fmcore"]) == model.config


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "w.tflite"], "the format must be one of '.onnx', '.pt2', got '.tflite'"),
        (["--out", "w"], "the format must be one of '.onnx', '.pt2', got ''"),
        (["--out", "w.pt2", "--opset", "18"], "opset=18 is a version of ONNX, and .pt2 has none"),
        (["--out", "w.onnx", "--opset", "17"], "opset must be a whole number of at least 18, at m"),
        (["--out", "w.onnx", "--opset", "999"], "got 999"),
        (["--out", "missing/w.onnx"], "there is no folder missing"),
        (["--out", "w.onnx", "--weights", "cifar"], "there is no pretrained model 'cifar'"),
    ],
)
def test_what_cannot_be_exported_is_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["export", *arguments])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and said in error and error.count("\n") == 1
    assert not [*tmp_path.iterdir()]


def test_without_onnx_the_extra_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("fmcore.export.find_spec", lambda name: None if name == "onnx" else name)
    with pytest.raises(SystemExit) as stop:
        main(["export", "--out", str(tmp_path / "w.onnx")])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error == "fmcore: ONNX needs onnx: pip install 'fmcore[export]'\n"
    with pytest.raises(ModuleNotFoundError, match="onnx"):
        export_model(load_pretrained("mnist"), tmp_path / "w.onnx")
