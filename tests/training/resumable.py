"""A training that tests stop, kill and resume."""

from small import pictures, unet

from fmcore.paths import OTPath
from fmcore.training import Checkpoints, TrainConfig, fit

STEPS = 20


def config(**kwargs):
    # 5 batches an epoch, 20 steps, reports that do not fall on checkpoints
    defaults = dict(
        epochs=4, batch_size=8, log_every=3, progress=False, lr=1e-3, schedule="cosine", clip=1.0
    )
    return TrainConfig(**{**defaults, **kwargs})


def train(folder=None, stop=None, model=None, path=OTPath(), data=None, cfg=None, **kwargs):  # noqa: B008
    """Train, leaving the loop at the first report from step `stop` on; all metrics, and the net."""
    model = model or unet(num_classes=10)
    saved = Checkpoints(folder, **{"every": 4, **kwargs}) if folder else None
    metrics = []
    for m in fit(model, path, data or pictures(40), cfg or config(), checkpoints=saved):
        metrics.append(m)
        if stop is not None and m.step >= stop:
            break
    return metrics, model
