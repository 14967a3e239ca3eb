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


def train(folder=None, stop=None, model=None, path=None, data=None, cfg=None, how=None, **kwargs):
    """Train, leaving the loop at the first report from step `stop` on; all metrics, and the net.

    `how` has the loss and the coupling, `kwargs` are those of `Checkpoints`.
    """
    model, path = model or unet(num_classes=10), path or OTPath()
    saved = Checkpoints(folder, **{"every": 4, **kwargs}) if folder else None
    data, cfg, metrics = data or pictures(40), cfg or config(), []
    for m in fit(model, path, data, cfg, checkpoints=saved, **(how or {})):
        metrics.append(m)
        if stop is not None and m.step >= stop:
            break
    return metrics, model
