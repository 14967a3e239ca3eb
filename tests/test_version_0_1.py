"""What version 0.1 saved is still read: weights, and a checkpoint that goes on bit for bit.

The files in data/version_0.1 were written by commit 015d420, before the modules moved.
"""

import shutil
from functools import partial
from pathlib import Path

import pytest
import torch

from fmcore import Checkpoints, OTPath, VPPath, fit, load_weights
from fmcore.data import toy
from fmcore.losses import cfm_loss, reference_loss, stratified_times
from fmcore.networks import MLP
from fmcore.training import TrainConfig

FILES = Path(__file__).parent / "data" / "version_0.1"
LOSSES = {"cfm": partial(cfm_loss, times=stratified_times), "reference": reference_loss}
# Sum of the weights, and the two last reports, of the run that wrote the checkpoint and went on.
RUNS = {
    "cfm": (0.5905400551855564, [2.525709629058838, 1.7083168029785156]),
    "reference": (0.5565998954698443, [1.332949161529541, 1.011505126953125]),
}


def test_the_public_names_are_there_but_for_two_that_clashed():
    import fmcore

    assert not {"Path", "Metrics"} & set(dir(fmcore))
    assert {"ProbabilityPath", "Progress"} <= set(dir(fmcore))
    names = """
        ButcherTableau CheckpointError Checkpoints DataUnavailable Empirical FlowModel
        GaussianMixture Guided MLP MarginalField OTPath RECIPES Recipe SOLVERS Solution TrainConfig
        UNet VPPath bits_per_dim cfm_loss checkpoints continuity_residual data density dequantize
        distributions divergence fields fit generate load_images load_pretrained load_weights
        log_det log_likelihood losses networks odeint parallel paths recipes reference_loss sampling
        save_weights sdeint slerp solvers tableaus toy training weights winds
    """
    assert set(names.split()) <= set(dir(fmcore))


def test_weights_of_points():
    model = load_weights(FILES / "mlp.safetensors")
    assert model.path == VPPath(beta_min=0.2) and model.config["about"] == {"data": "two_moons"}
    v = model(torch.ones(1, 2), 0.5)
    torch.testing.assert_close(v, torch.tensor([[-0.4453, 0.4392]]), atol=1e-4, rtol=0)


def test_weights_of_images():
    model = load_weights(FILES / "unet.safetensors")
    assert model.path == OTPath(sigma_min=0.1)
    v = model(torch.ones(1, 1, 8, 8), 0.5, torch.tensor([1]))
    assert v.sum().item() == pytest.approx(-4.7038, abs=1e-3)
    assert model.config["network"]["film_silu"] is False  # there was no SiLU before FiLM


@pytest.mark.parametrize("name", RUNS)
def test_a_checkpoint_goes_on_as_if_nothing_had_moved(name, tmp_path):
    model, data, saved, config = training(name, tmp_path)
    run = fit(model, OTPath(), data, config, loss=LOSSES[name], checkpoints=saved)
    progress = list(run)
    weights, losses = RUNS[name]
    assert [p.step for p in progress] == [6, 8]
    assert [p.loss for p in progress] == pytest.approx(losses, rel=1e-6)
    assert sum(p.double().sum().item() for p in model.parameters()) == pytest.approx(weights)


def test_a_checkpoint_of_another_loss_says_both_names(tmp_path):
    model, data, saved, config = training("reference", tmp_path)
    with pytest.raises(
        ValueError, match=r"step-00000004.pt is of another .*: loss is 'cfm_loss', was 'reference_"
    ):
        next(fit(model, OTPath(), data, config, checkpoints=saved))


def training(name, folder):
    shutil.copy(FILES / f"{name}.pt", folder / "step-00000004.pt")
    data = toy("two_moons", 64, generator=torch.Generator().manual_seed(0))
    config = TrainConfig(steps=8, batch_size=16, lr=1e-2, log_every=2, progress=False)
    model = MLP(dim=2, hidden=4, depth=1, time_dim=4)
    return model, data, Checkpoints(folder, every=4, keep=9, resume=True), config
