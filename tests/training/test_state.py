"""A training that is saved and resumed is the same training, to the last bit."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from resumable import STEPS, config, train
from small import unet, weights

from fmcore.networks import UNet
from fmcore.paths import OTPath
from fmcore.training import Checkpoints
from fmcore.training.state import TrainingState


@pytest.mark.parametrize("stop", [3, 5, 6, 12, 17])
def test_left_and_resumed_is_the_same_training(stop, tmp_path, whole):
    """Weights, averages and every later report are the same to the last bit."""
    first, _ = train(tmp_path, stop=stop)
    rest, model = train(tmp_path, resume=True, model=unet(num_classes=10))
    metrics, undisturbed = whole
    assert torch.equal(weights(model), weights(undisturbed))
    assert torch.equal(weights(rest[-1].ema), weights(metrics[-1].ema))
    assert [(m.step, m.epoch, m.loss, m.lr) for m in first + rest] == [
        (m.step, m.epoch, m.loss, m.lr) for m in metrics
    ]
    assert rest[0].elapsed > first[-1].elapsed


def test_images_without_labels_are_resumed_as_well(tmp_path):
    _, undisturbed = train(model=unet())
    train(tmp_path, stop=9, model=unet())
    _, model = train(tmp_path, resume=True, model=unet())
    assert torch.equal(weights(model), weights(undisturbed))


def test_statistics_are_those_of_the_step_that_is_saved(tmp_path):
    """Also where nothing has been reported yet: the average has the statistics of the network."""

    class Normed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(1)

        def forward(self, x, t):
            return self.norm(x)

    train(tmp_path, model=Normed(), cfg=config(log_every=20), keep=9)
    state = torch.load(tmp_path / "step-00000004.pt")
    seen = state["weights"]["norm.running_var"]
    assert seen != 1 and torch.equal(state["averages"]["norm.running_var"], seen)


def test_images_a_second_are_those_since_the_restart(tmp_path):
    train(tmp_path, stop=9, every=9)
    before = torch.load(tmp_path / "step-00000009.pt")["elapsed"]
    for m in train(tmp_path, resume=True)[0]:
        images = m.images_per_second * (m.elapsed - before)
        assert images == pytest.approx((m.step - 9) * 8, rel=0.5)  # with step + 9 it is 2.6 times
        assert m.remaining == pytest.approx((STEPS - m.step) * 8 / m.images_per_second)


def test_on_another_device_the_noise_is_new_at_every_step(tmp_path):
    """Its random states are of another kind. What must not come is the noise of the first step."""
    train(tmp_path, every=4, keep=9)
    seen = []
    for step in (0, 4, 8):
        folder = tmp_path / str(step)
        folder.mkdir()
        if step:
            state = torch.load(tmp_path / f"step-{step:08d}.pt") | {"device": "cuda"}
            torch.save(state, folder / f"step-{step:08d}.pt")
        model, times = unet(num_classes=10), []
        model.register_forward_pre_hook(lambda _, inputs, times=times: times.append(inputs[1]))
        train(folder, model=model, stop=step + 1, resume=True)
        seen.append(times[0])
    a, b, c = seen
    assert a.shape == (8,) and not any(torch.equal(p, q) for p, q in ((a, b), (a, c), (b, c)))


def test_a_run_that_was_replayed_on_a_gpu_goes_on_elsewhere(tmp_path, whole):
    """There the optimizer is prepared for it, and its learning rate lies on the device."""
    train(tmp_path, stop=9)
    (file,) = tmp_path.glob("step-00000009.pt")
    state = torch.load(file)
    for group in state["optimizer"]["param_groups"]:
        group.update(capturable=True, lr=torch.tensor(0.123))
    torch.save(state, file)
    metrics, model = train(tmp_path, resume=True)
    assert torch.equal(weights(model), weights(whole[1])) and metrics[-1].loss == whole[0][-1].loss
    (group,) = torch.load(tmp_path / f"step-{STEPS:08d}.pt")["optimizer"]["param_groups"]
    assert group["capturable"] is False and isinstance(group["lr"], float)


def test_a_learning_rate_on_the_device_is_changed_in_place():
    """A recorded step goes on reading it where it was."""
    for lr in (0.1, torch.tensor(0.1)):
        optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr)
        TrainingState.set_learning_rate(SimpleNamespace(optimizer=optimizer), 0.5)
        (group,) = optimizer.param_groups
        assert float(group["lr"]) == 0.5 and type(group["lr"]) is type(lr)
        assert lr is group["lr"] or isinstance(lr, float)


def test_weights_of_another_start_are_overwritten(tmp_path, whole):
    train(tmp_path, stop=9)
    torch.manual_seed(99)
    other = UNet(base=8, time_dim=16, groups=4, num_classes=10)
    train(tmp_path, resume=True, model=other)
    assert torch.equal(weights(other), weights(whole[1]))


def test_saving_does_not_disturb(tmp_path, whole):
    metrics, model = train(tmp_path, every=1)
    assert torch.equal(weights(model), weights(whole[1]))
    assert [m.loss for m in metrics] == [m.loss for m in whole[0]]


def test_a_finished_training_resumes_to_its_last_report(tmp_path, whole):
    metrics, _ = train(tmp_path)
    again, model = train(tmp_path, resume=True, model=unet(num_classes=10))
    assert len(again) == 1 and again[0].step == again[0].steps == STEPS
    assert again[0].loss == metrics[-1].loss and again[0].remaining == 0
    assert torch.equal(weights(model), weights(whole[1]))


def test_resuming_where_nothing_is_begins(tmp_path, whole):
    _, model = train(tmp_path / "new" / "folder", resume=True)
    assert torch.equal(weights(model), weights(whole[1]))


def test_the_bar_goes_on_where_it_was(tmp_path, capsys):
    train(tmp_path, stop=12)
    assert capsys.readouterr().err == ""
    train(tmp_path, resume=True, cfg=config(progress=True))
    told = capsys.readouterr().err
    assert "12/20" in told and "20/20" in told


def test_reports_may_come_at_other_steps(tmp_path, whole):
    train(tmp_path, stop=9)
    rest, model = train(tmp_path, resume=True, cfg=config(log_every=7))
    assert [m.step for m in rest] == [14, 20]
    assert torch.equal(weights(model), weights(whole[1]))


# ---- losses that are not finite


def test_nan_names_the_step_and_the_last_good_checkpoint(tmp_path):
    steps = []

    class Poison(OTPath):
        def sample(self, x0, x1, t):
            steps.append(t)
            return super().sample(x0, x1 * float("nan") if len(steps) == 10 else x1, t)

    where = rf"the loss is nan in step 10 of {STEPS} .*checkpoint is .*step-00000008.pt"
    with pytest.raises(FloatingPointError, match=where):
        train(tmp_path, path=Poison(), every=4)
    assert Checkpoints(tmp_path).latest().name == "step-00000008.pt"
    assert json.dumps(torch.load(Checkpoints(tmp_path).latest())["what"])  # plain values


def test_masks_with_minus_infinity_are_no_fault(tmp_path):
    model = unet(num_classes=10)
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    train(tmp_path, stop=4, model=model)
    assert Checkpoints(tmp_path).latest()


def test_numbers_of_numpy_are_saved_as_numbers(tmp_path, whole):
    cfg = config(lr=np.float64(1e-3), clip=np.float32(1), batch_size=np.int64(8))
    train(tmp_path, stop=9, cfg=cfg)
    _, model = train(tmp_path, resume=True)
    assert torch.equal(weights(model), weights(whole[1]))


@pytest.mark.parametrize(
    ("every", "kept", "advice"),
    [
        (4, "step-00000004.pt", "the last good checkpoint is .*00004.pt; try a smaller lr"),
        (8, None, "try a smaller lr"),
    ],
)
def test_nan_weights_are_not_saved(every, kept, advice, tmp_path):
    """The loss of the step before a checkpoint is finite, its gradient is not."""

    class Cliff(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, gradient):
            return gradient * float("nan")

    class Poisoned(UNet):
        calls = 0

        def forward(self, x, t, label=None):
            self.calls += 1
            v = super().forward(x, t, label)
            return Cliff.apply(v) if self.calls == 8 else v

    torch.manual_seed(0)
    model = Poisoned(base=8, time_dim=16, groups=4, num_classes=10)
    said = rf"^a weight is not finite after step 8 of \d+; {advice}"
    with pytest.raises(FloatingPointError, match=said):
        train(tmp_path, model=model, every=every, cfg=config(clip=None))
    latest = Checkpoints(tmp_path).latest()
    assert (latest and latest.name) == kept
