"""The exporter of networks for a page: what a file holds, and what has none."""

import pytest
import torch

from fmcore import MLP, FlowModel, OTPath, TwoTimes, UNet, load_pretrained, load_weights
from fmcore.cli.program import main
from fmcore.metrics.reader import load_reader
from fmcore.viz.web import export_web, web_network


def test_the_shipped_network_and_the_judge_are_small():
    assert len(web_network(load_pretrained("mnist"))) < 2_000_000
    assert len(web_network(load_reader())) < 750_000


def test_the_library_reads_the_file_as_well(tmp_path, gen):
    model = load_pretrained("mnist")
    export_web(model, tmp_path / "w.safetensors")
    again = load_weights(tmp_path / "w.safetensors")
    assert again.config == model.config
    x = torch.randn(2, 1, 28, 28, generator=gen)
    with torch.no_grad():
        assert (again.float()(x, 0.4) - model(x, 0.4)).abs().max() < 2e-2


@pytest.mark.parametrize("width", range(8, 16))
def test_the_tensors_begin_where_the_format_wants_them(width):
    """Behind a header whose length is a multiple of eight."""
    file = web_network(FlowModel(MLP(hidden=width), OTPath(), (2,)))
    assert int.from_bytes(file[:8], "little") % 8 == 0


def test_the_command_writes_it(tmp_path, capsys):
    main(["export", "--out", str(tmp_path / "w.safetensors"), "--to", "web"])
    written = (tmp_path / "w.safetensors").read_bytes()
    assert written == web_network(load_pretrained("mnist"))
    assert f"{len(written):,} bytes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "w.onnx"], "the format must be one of '.safetensors', got '.onnx'"),
        (["--out", "w.safetensors", "--opset", "18"], "opset=18 is a version of ONNX, and a page"),
        (["--out", "no/w.safetensors"], "there is no folder no"),
    ],
)
def test_what_no_page_can_have_is_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["export", "--to", "web", *arguments])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and said in error and error.count("\n") == 1
    assert not [*tmp_path.iterdir()]


def large():
    net = UNet(base=8)
    with torch.no_grad():
        net.down.weight[0, 0, 0, 0] = 7e4
    return FlowModel(net, OTPath(), (1, 28, 28))


@pytest.mark.parametrize(
    ("error", "words", "model"),
    [
        (TypeError, "got one of UNet", lambda: UNet(base=8)),
        (TypeError, "got one of TwoTimes", lambda: FlowModel(TwoTimes("MLP"), OTPath(), (2,))),
        (TypeError, "got one of int", lambda: 3),
        (ValueError, "predict='data'", lambda: FlowModel(MLP(), OTPath(), (2,), predict="data")),
        (ValueError, "down.weight has weights that torch.float16 cannot", large),
    ],
)
def test_what_cannot_run_in_a_page_is_refused(error, words, model):
    with pytest.raises(error, match=words):
        web_network(model())


def test_half_or_single_precision():
    with pytest.raises(ValueError, match="dtype must be one of"):
        web_network(load_pretrained("mnist"), torch.bfloat16)
