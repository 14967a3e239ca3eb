"""Bad input to networks, losses and training."""

import torch
from calls import bad
from small import Linear, config, noise, unet
from torch.utils.data import TensorDataset
from values import (
    BYTES,
    CLASSES,
    DAMAGED,
    FOUR,
    HERE,
    IMAGES,
    LABELS,
    MLP,
    NAN,
    NET,
    ONE_IMAGE,
    OT,
    OTHER,
    SPOILT,
    TIMES,
    VECTORS,
    G,
    X,
    few,
    to_first,
    to_none,
    turn,
)

import fmcore
from fmcore import networks


def train_on(**changes):
    """Images with labels of one's own, and a step of training on them."""
    return list(fmcore.fit(unet(num_classes=10), OT, few(**changes), config(steps=1)))


def pairs(label):
    """Points, each with a label of its own."""
    label = label.repeat(8, *[1] * (label.ndim - 1))[:32]
    return TensorDataset(noise(len(label), 2), label)


NETWORKS = [
    *bad(
        fmcore.UNet,
        dict(base=8, groups=4, time_dim=16),
        (dict(base=10), ValueError, "a multiple of groups=4, got 10"),
        (dict(base=8.0), TypeError, "got 8.0"),
        (dict(base="8"), TypeError, "got '8'"),
        (dict(groups=0), ValueError, "got 0"),
        (dict(in_channels=0), ValueError, "got 0"),
        (dict(num_classes=0), ValueError, "got 0"),
        (dict(num_classes=True), TypeError, "got True"),
        (dict(condition_dim=0), ValueError, "condition_dim must be a whole number of at least 1"),
        (dict(num_classes=3, condition_dim=2), ValueError, "classes or vectors as conditions"),
        (dict(levels=1), ValueError, "got 1"),
        (dict(levels=2.0), TypeError, "got 2.0"),
        (dict(time_dim=5), ValueError, "must be even, got 5"),
        (dict(time_scale=-1), ValueError, "got -1"),
        (dict(time_scale="fast"), TypeError, "got 'fast'"),
    ),
    *bad(
        CLASSES,
        dict(x=FOUR, t=0.5, label=LABELS),
        (dict(x=FOUR[0]), ValueError, "got (1, 8, 8)"),
        (dict(x=noise(4, 3, 8, 8)), ValueError, "got (4, 3, 8, 8)"),
        (dict(x=noise(4, 1, 7, 8)), ValueError, "multiples of 2, got (4, 1, 7, 8)"),
        (dict(x=BYTES[:4]), TypeError, "got torch.uint8"),
        (dict(x=FOUR.double()), TypeError, "got torch.float64"),
        (dict(x=FOUR.tolist()), TypeError, "got list"),
        (dict(t=1.5), ValueError, "got 1.5"),
        (dict(t=TIMES), ValueError, "got shape (3,)"),
        (dict(label=3), TypeError, "got int"),
        (dict(label=LABELS[:2]), ValueError, "got (2,)"),
        (dict(label=LABELS + 8), ValueError, "got 8 to 11"),
        (dict(label=LABELS / 2), ValueError, "got torch.float32"),
        (dict(label=LABELS > 1), ValueError, "got torch.bool"),
    ),
    *bad(NET, dict(x=FOUR, t=0.5), (dict(label=LABELS), ValueError, "condition_dim=None")),
    *bad(
        fmcore.MLP,
        dict(hidden=8),
        (dict(dim=0), ValueError, "got 0"),
        (dict(hidden=8.5), TypeError, "got 8.5"),
        (dict(depth=None), TypeError, "got None"),
        (dict(time_dim=2), ValueError, "at least 4, got 2"),
        (dict(time_scale=NAN), ValueError, "got nan"),
        (dict(condition_dim=2.5), TypeError, "got 2.5"),
    ),
    *bad(
        MLP,
        dict(x=X, t=0.5),
        (dict(x=X[0]), ValueError, "(B, 2), got (2,)"),
        (dict(x=FOUR), ValueError, "got (4, 1, 8, 8)"),
        (dict(x=X.int()), TypeError, "got torch.int32"),
        (dict(x=X.double()), TypeError, "got torch.float64"),
        (dict(x=[[0.0, 1.0]]), TypeError, "got list"),
        (dict(t=-0.5), ValueError, "got -0.5"),
        (dict(label=X), ValueError, "without a condition"),
    ),
    *bad(
        VECTORS,
        dict(x=X, t=0.5, label=X),
        (dict(label=X[:2]), ValueError, "label must have shape (3, 2), got (2, 2)"),
        (dict(label=noise(3, 5)), ValueError, "label must have shape (3, 2), got (3, 5)"),
        (dict(label=X[:, 0]), ValueError, "label must have shape (3, 2), got (3,)"),
        (dict(label=X.double()), TypeError, "weights, torch.float32, got torch.float64"),
        (dict(label=X.long()), TypeError, "got torch.int64"),
        (dict(label=[0.0, 1.0]), TypeError, "got list"),
    ),
    *bad(
        networks.ConditionEmbedding,
        dict(dim=4, num_classes=3),
        (dict(num_classes=None), ValueError, "got neither"),
        (dict(condition_dim=3), ValueError, "not both: got num_classes=3 and condition_dim=3"),
        (dict(num_classes=0), ValueError, "got 0"),
        (dict(dim="4"), TypeError, "got '4'"),
    ),
    *bad(
        networks.TimeEmbedding,
        dict(dim=8),
        (dict(dim=7), ValueError, "got 7"),
        (dict(dim="8"), TypeError, "got '8'"),
        (dict(scale=0), ValueError, "got 0"),
    ),
    *bad(
        networks.TimeEmbedding(8),
        dict(t=TIMES),
        (dict(t=0.5), TypeError, "got float"),
        (dict(t=TIMES[:, None]), ValueError, "got (3, 1)"),
    ),
    *bad(
        networks.ResBlock,
        dict(channels=8, embedding_dim=4, groups=2),
        (dict(channels=0), ValueError, "got 0"),
        (dict(groups=3), ValueError, "a multiple of groups=3, got 8"),
        (dict(embedding_dim=4.0), TypeError, "got 4.0"),
    ),
    *bad(
        networks.ResBlock(8, 4, 2),
        dict(x=noise(2, 8, 4, 4), embedding=noise(2, 4)),
        (dict(x=IMAGES), ValueError, "got (2, 1, 8, 8)"),
        (dict(embedding=noise(2, 5)), ValueError, "and (2, 5)"),
    ),
]

LOSS = [
    (dict(net=None), TypeError, "got NoneType"),
    (dict(net=to_first), ValueError, "(3, 2), got (1, 2)"),
    (dict(net=to_none), TypeError, "got NoneType"),
    (dict(path="ot"), TypeError, "got 'ot'"),
    (dict(x1=X[:0]), ValueError, "got shape (0, 2)"),
    (dict(x1=X.tolist()), TypeError, "got list"),
    (dict(x1=BYTES), TypeError, "x1 holds bytes: `fmcore.images.to_unit`"),
    (dict(x0=X[:2]), ValueError, "got (2, 2) and (3, 2)"),
    (dict(x0=X.double()), TypeError, "got torch.float64"),
    (dict(t=2.0), ValueError, "got 2.0"),
    (dict(times="uniform"), TypeError, "got 'uniform'"),
    (dict(weight=TIMES[:2]), ValueError, "(3,), got (2,)"),
    (dict(weight=0.5), TypeError, "got float"),
    (dict(generator=None), TypeError, "got NoneType"),
]

FIT = [
    (dict(model=turn), TypeError, "got function"),
    (dict(path="ot"), TypeError, "got str"),
    (dict(config={}), TypeError, "got dict"),
    (dict(config=config(device="gpu0")), ValueError, "device='gpu0' is no device"),
    (dict(config=config(precision="fp16")), ValueError, "precision='fp16' needs a GPU"),
    (dict(data=noise(32)), ValueError, "got (32,)"),
    (dict(data=noise(4, 2)), ValueError, "(4, 2) has fewer samples than batch_size=8: 4"),
    (dict(data=noise(32, 2).tolist()), TypeError, "got list"),
    (dict(data=noise(32, 2).int()), TypeError, "got torch.int32"),
    (dict(data=noise(32, 2).double()), TypeError, "data is torch.float64"),
    (dict(data=SPOILT.repeat(8, 1)), ValueError, "NaN"),
    (dict(model=NET, data=noise(32, 3, 8, 8)), ValueError, "has 3 channels, the network 1"),
    (dict(model=CLASSES, data=noise(32, 1, 8, 8)), ValueError, "pass an ImageData"),
    (dict(model=VECTORS), ValueError, "a TensorDataset(x1, label)"),
    (dict(model=VECTORS, data=pairs(noise(32, 3))), ValueError, "(32, 2), got (32, 3)"),
    (dict(model=VECTORS, data=pairs(noise(32))), ValueError, "(32, 2), got (32,)"),
    (dict(model=VECTORS, data=pairs(X.double())), TypeError, "labels must have the dtype"),
    (dict(model=VECTORS, data=pairs(LABELS)), TypeError, "got torch.int64"),
    (dict(model=VECTORS, data=pairs(SPOILT)), ValueError, "labels must be finite"),
    (dict(model=VECTORS, data=[(noise(8, 2), noise(8, 3))]), ValueError, "(8, 2), got (8, 3)"),
    (dict(loss="cfm"), TypeError, "got 'cfm'"),
    (dict(loss=lambda net, path, x1, **k: x1), TypeError, "got shape (8, 2)"),
    (dict(optimizer="sgd"), TypeError, "got str"),
    (dict(couple=3), TypeError, "got 3"),
    (dict(couple=lambda x0, x1, label, generator: x0), TypeError, "got a Tensor"),
    (dict(checkpoints="runs"), TypeError, "got 'runs'"),
    (dict(checkpoints=fmcore.Checkpoints(DAMAGED)), ValueError, "pass resume=True"),
    (
        dict(checkpoints=fmcore.Checkpoints(DAMAGED, resume=True)),
        fmcore.CheckpointError,
        "step-00000001.pt is damaged",
    ),
    (dict(checkpoints=fmcore.Checkpoints(OTHER)), ValueError, "other.safetensors"),
]

TRAINING = [
    *bad(fmcore.cfm_loss, dict(net=turn, path=OT, x1=X, generator=G), *LOSS),
    *bad(
        fmcore.reference_loss,
        dict(net=turn, path=OT, x1=X, generator=G),
        *LOSS,
        (dict(beta=0), ValueError, "got 0"),
        (dict(penalty=-1), ValueError, "got -1"),
        (dict(weights=1.0), TypeError, "got 1.0"),
    ),
    *bad(
        fmcore.TrainConfig,
        dict(steps=2),
        (dict(steps=None), ValueError, "got epochs=None, steps=None"),
        (dict(epochs=1), ValueError, "got epochs=1, steps=2"),
        (dict(steps=1.5), TypeError, "got 1.5"),
        (dict(batch_size=0), ValueError, "got 0"),
        (dict(lr=-1e-3), ValueError, "got -0.001"),
        (dict(lr="1e-3"), TypeError, "got '1e-3'"),
        (dict(weight_decay=NAN), ValueError, "got nan"),
        (dict(schedule="linear"), ValueError, "'constant', 'cosine', got 'linear'"),
        (dict(warmup=-1), ValueError, "got -1"),
        (dict(clip=0), ValueError, "got 0"),
        (dict(ema=1), ValueError, "got 1"),
        (dict(ema=True), TypeError, "got True"),
        (dict(label_dropout=1.5), ValueError, "got 1.5"),
        (dict(precision="fp8"), ValueError, "'fp32', 'bf16', 'fp16', got 'fp8'"),
        (dict(seed=2**63), ValueError, "got 9223372036854775808"),
        (dict(log_every=None), TypeError, "got None"),
        (dict(compile="no"), TypeError, "got 'no'"),
        (dict(progress=None), TypeError, "got None"),
        (dict(device=3.5), TypeError, "got 3.5"),
    ),
    *bad(
        fmcore.Checkpoints,
        dict(folder=HERE / "new"),
        (dict(folder=None), TypeError, "NoneType"),
        (dict(every=0), ValueError, "got 0"),
        (dict(every=True), TypeError, "got True"),
        (dict(keep=2.0), TypeError, "got 2.0"),
        (dict(resume="no"), TypeError, "got 'no'"),
        (dict(skip_damaged=1), TypeError, "got 1"),
    ),
    *bad(
        fmcore.Recipe,
        {},
        (dict(network=None), TypeError, "got None"),
        (dict(path="ot"), TypeError, "got 'ot'"),
        (dict(train={}), TypeError, "got dict"),
        (dict(loss="cfm"), TypeError, "got 'cfm'"),
        (dict(couple=3), TypeError, "got 3"),
        (dict(optimizer="sgd"), TypeError, "got 'sgd'"),
    ),
    *bad(
        fmcore.Recipe().on,
        dict(device="cpu"),
        (dict(epochs=0), ValueError, "got 0"),
        (dict(speed=2), TypeError, "'speed'"),
    ),
    *bad(fmcore.fit, dict(model=MLP, path=OT, data=noise(32, 2), config=config(steps=1)), *FIT),
    *bad(
        fmcore.train,
        dict(model=MLP, path=OT, data=noise(32, 2), config=config(steps=1)),
        *FIT,
        (dict(model=Linear(1.0)), TypeError, "got Linear and OTPath"),
    ),
    *bad(
        train_on,
        {},
        (dict(labels=torch.arange(8) + 5), ValueError, "from 5 to 12"),
        (dict(labels=LABELS), ValueError, "(8,), got (4,)"),
        (dict(labels=[*range(8)]), TypeError, "got list"),
        (dict(labels=torch.arange(8) / 8), ValueError, "torch.float32"),
        (dict(labels=torch.arange(8) > 3), ValueError, "torch.bool"),
        (dict(pixels=BYTES.tolist()), TypeError, "got list"),
        (dict(pixels=BYTES.int()), TypeError, "got torch.int32"),
    ),
]

FOLDERS = bad(
    fmcore.load_folder,
    dict(folder=ONE_IMAGE),
    (dict(folder=HERE / "nowhere"), ValueError, "there is no folder"),
    (dict(folder=DAMAGED), ValueError, "step-00000001.pt cannot be used as an image"),
    (dict(folder=None), TypeError, "NoneType"),
)

ROWS = [*NETWORKS, *TRAINING, *FOLDERS]
