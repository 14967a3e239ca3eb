"""A run can be made longer: optimizer, average and data go on; the schedule is the new one."""

import pytest
import torch
from resumable import config, train
from small import pictures, unet, weights

from fmcore.paths import OTPath
from fmcore.training import Checkpoints
from fmcore.training import train as to_the_end


def constant(**kwargs):
    return config(schedule="constant", **kwargs)


@pytest.mark.parametrize("stop", [None, 9])  # at its end, and on the way
def test_at_a_constant_rate_it_is_the_longer_training(stop, tmp_path):
    _, longer = train(cfg=constant(epochs=6))
    reports, _ = train(cfg=constant(epochs=6))
    train(tmp_path, cfg=constant(), stop=stop)
    rest, model = train(tmp_path, cfg=constant(epochs=6), resume=True)
    assert torch.equal(weights(model), weights(longer))
    assert torch.equal(weights(rest[-1].ema), weights(reports[-1].ema))
    assert (rest[-1].step, rest[-1].steps, rest[-1].epoch) == (30, 30, 5)
    done = 20 if stop is None else rest[0].step - 3
    assert rest[-1].extended == ((done, 20),) and reports[-1].extended == ()


def test_a_cosine_is_that_of_the_new_length_from_there_on(tmp_path):
    reports, _ = train(tmp_path, cfg=config(log_every=1))
    assert reports[-1].lr < 0.01 * 1e-3
    rest, model = train(tmp_path, cfg=config(epochs=8, log_every=1), resume=True)
    expected = [config(epochs=8).learning_rate(step, 40) for step in range(20, 40)]
    assert [p.lr for p in rest] == expected
    assert expected[0] == pytest.approx(1e-3 / 2) and expected[-1] < 0.01 * 1e-3
    _, longer = train(cfg=config(epochs=8))
    assert not torch.equal(weights(model), weights(longer))  # and so it is said:
    assert rest[-1].extended == ((20, 20),)


def test_steps_or_epochs_and_more_than_once(tmp_path):
    how = Checkpoints(tmp_path, resume=True)
    for length in (dict(epochs=None, steps=3), dict(epochs=1), dict(epochs=1), dict(epochs=2)):
        cfg = constant(**length)
        model = to_the_end(unet(num_classes=10), OTPath(), pictures(40), cfg, checkpoints=how)
    about = model.config["about"]
    assert about["extended"] == [[3, 3], [5, 5]] and about["recipe"]["epochs"] == 2
    once = to_the_end(unet(num_classes=10), OTPath(), pictures(40), constant(epochs=2))
    assert torch.equal(weights(model), weights(once)) and "extended" not in once.config["about"]


def test_fewer_steps_than_are_done_are_refused(tmp_path):
    train(tmp_path, stop=9)  # after step 9, of 20
    with pytest.raises(ValueError, match="done 9 steps, and 5 are asked for in all: .* longer"):
        train(tmp_path, cfg=config(epochs=1), resume=True)
    rest, _ = train(tmp_path, cfg=config(epochs=2), resume=True)
    assert rest[-1].step == 10 and rest[-1].extended == ((9, 20),)
    for cfg, named in (
        (config(epochs=5, batch_size=10), "batch_size is 10, was 8"),
        (config(epochs=5, lr=1e-4), "lr is 0.0001, was 0.001"),
    ):
        with pytest.raises(ValueError, match=f"is of another training: {named}$"):
            train(tmp_path, cfg=cfg, resume=True)


def test_a_checkpoint_from_before_there_was_extending(tmp_path):
    train(tmp_path, cfg=constant())
    file = Checkpoints(tmp_path).latest()
    state = torch.load(file)
    del state["extended"]
    torch.save(state, file)
    rest, _ = train(tmp_path, cfg=constant(epochs=5), resume=True)
    assert rest[-1].step == 25 and rest[-1].extended == ((20, 20),)
