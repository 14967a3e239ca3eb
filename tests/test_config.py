"""The numbers of a training: what they are, and which are refused."""

import pytest
from small import config

from fmcore.config import TrainConfig


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"steps": None}, "exactly one of epochs and steps, got epochs=None, steps=None"),
        ({"epochs": 1}, "exactly one of epochs and steps, got epochs=1, steps=6"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"log_every": 0}, "log_every must be a whole number of at least 1, got 0"),
        ({"steps": None, "epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"log_every": -1}, "log_every"),
        ({"lr": -1.0}, "lr must be a finite number >= 0"),
        ({"lr": float("nan")}, "lr must be a finite number >= 0"),
        ({"ema": 1.0}, r"ema must lie in \[0, 1\)"),
        ({"label_dropout": 1.0}, r"label_dropout must lie in \[0, 1\)"),
        ({"clip": 0.0}, "clip must be a finite number > 0"),
        ({"schedule": "linear"}, "schedule must be one of .*cosine.*got 'linear'"),
        ({"precision": "fp8"}, "precision must be one of .*bf16"),
        (
            {"seed": 1.5},
            "seed must be a whole number of .*, at most 9223372036854775807, got 1.5",
        ),
        ({"seed": -1}, "seed must be a whole number of at least 0, .*, got -1"),
        ({"seed": 2**63}, "seed must be a whole number of at least 0"),
        ({"warmup": 1.5}, "warmup must be a whole number of at least 0, got 1.5"),
        ({"warmup": -1}, "warmup must be a whole number of at least 0, got -1"),
        ({"steps": True}, "steps must be a whole number of at least 1, got True"),
        ({"seed": True}, "seed must be a whole number of at least 0, .*, got True"),
    ],
)
def test_bad_settings(kwargs, message):
    (value, *_) = kwargs.values() if None not in kwargs.values() else [0]
    no_whole_number = isinstance(value, bool) or value in (1.5, 2.5)
    with pytest.raises(TypeError if no_whole_number else ValueError, match=message):
        config(**kwargs)


def test_settings_unless_told_otherwise():
    """The reference recipe, but for the loss; labels are hidden one time in ten."""
    assert vars(TrainConfig(epochs=50)) == dict(
        epochs=50,
        steps=None,
        batch_size=256,
        lr=2e-4,
        weight_decay=0.01,
        schedule="constant",
        warmup=0,
        clip=None,
        ema=0.999,
        label_dropout=0.1,
        precision="fp32",
        compile=False,
        device="cpu",
        seed=0,
        log_every=50,
        progress=True,
    )


def test_a_misspelt_setting():
    with pytest.raises(TypeError, match="learning_rate"):
        TrainConfig(steps=1, learning_rate=1.0)
