"""Bad input to sampling, images, metrics, what is on disk, and tables."""

from functools import cache

import torch
from calls import bad
from small import Linear, noise
from values import (
    BYTES,
    CLASSES,
    FOUR,
    HERE,
    IMAGES,
    INF,
    LABELS,
    MLP,
    NAN,
    NET,
    NOWHERE,
    OT,
    OTHER,
    SAVED,
    SPOILT,
    TIMES,
    VECTORS,
    G,
    X,
    few,
    still,
    to_double,
    to_first,
    to_none,
    turn,
)

import fmcore
from fmcore import images, metrics
from fmcore.devices import find_device

MODEL = fmcore.FlowModel(NET, OT, shape=(1, 8, 8))
MANY = noise(200, 1, 28, 28).clamp(-1, 1)


@cache
def a_judge():
    digits = few(200, pixels=images.from_unit(MANY))
    return metrics.Judge(digits, digits)


def judge(**arguments):
    """The scores of a judge who knows few images."""
    return a_judge()(**arguments)


def classified(x):
    """The logits of a classifier of digits."""
    return metrics.DigitClassifier().eval()(x)


def register(table, name, row):
    """A row comes into a table, and goes again."""
    table[name] = row
    del table[name]


SAMPLING = [
    *bad(
        fmcore.generate,
        dict(model=CLASSES, n=4, shape=(1, 8, 8), steps=1, label=LABELS, generator=G),
        (dict(model="mnist", label=None), TypeError, "got str"),
        (dict(model=to_none, label=None), TypeError, "got NoneType"),
        (dict(model=to_first, label=None), ValueError, "(4, 1, 8, 8), got (1, 1, 8, 8)"),
        (dict(model=to_double, label=None), TypeError, "got torch.float64"),
        (dict(n=0), ValueError, "got 0"),
        (dict(n=4.0), TypeError, "got 4.0"),
        (dict(method="eular"), ValueError, "got 'eular'"),
        (dict(steps=0), ValueError, "got 0"),
        (dict(steps="5"), TypeError, "got '5'"),
        (dict(steps=1, rtol=1e-3, atol=1e-3), ValueError, "got steps and rtol and atol"),
        (dict(last_step="best"), ValueError, "got 'best'"),
        (dict(generator=None), TypeError, "got NoneType"),
        (dict(x0=FOUR[:2]), ValueError, "n=4 samples, got shape (2, 1, 8, 8)"),
        (dict(x0=FOUR.tolist()), TypeError, "got list"),
        (dict(x0=BYTES), TypeError, "got torch.uint8"),
        (dict(x0=FOUR, shape=(1, 4, 4)), ValueError, "got (4, 1, 8, 8)"),
        (dict(label=True), TypeError, "label must be real numbers, got torch.bool"),
        (dict(label="3"), TypeError, "label must be real numbers, got '3'"),
        (dict(label=3.0), ValueError, "got torch.float32"),
        (dict(label=11), ValueError, "got 11 to 11"),
        (dict(label=LABELS[:3]), ValueError, "got (3,)"),
        (dict(label=LABELS + 9), ValueError, "got 9 to 12"),
        (dict(label=LABELS.float()), ValueError, "got torch.float32"),
        (dict(model=NET), ValueError, "UNet takes none"),
        (dict(model=still, label=None, shape=None), ValueError, "such as (3, 32, 32)"),
        (dict(shape=8), TypeError, "got 8"),
        (dict(shape="188"), TypeError, "got '188'"),
        (dict(shape=(1, 8.0, 8)), TypeError, "got 8.0"),
        (dict(shape=(1, 7, 8)), ValueError, "got (4, 1, 7, 8)"),
        (dict(batch_size=0), ValueError, "got 0"),
        (dict(clamp="no"), TypeError, "got 'no'"),
        (dict(guidance="2"), TypeError, "guidance must be a finite number, got '2'"),
        (dict(guidance=torch.ones(3)), ValueError, "guidance must be a number or have shape (4,)"),
        (dict(guidance=2.0, label=None), ValueError, "guidance=2.0 pushes towards a label"),
    ),
    *bad(
        fmcore.generate,
        dict(model=VECTORS, n=4, shape=(2,), steps=1, label=FOUR[:, 0, 0, :2], generator=G),
        (dict(label=FOUR[:, 0, 0, :3]), ValueError, "label must have shape (4, 2), got (4, 3)"),
        (dict(label=FOUR[0, 0, 0, :3]), ValueError, "label must have shape (4, 2), got (3,)"),
        (dict(label=LABELS), ValueError, "label must have shape (4, 2), got (4,)"),
        (dict(label=3), ValueError, "label must have shape (4, 2), got ()"),
        (dict(label=[[0.0, 1.0], [2.0]]), TypeError, "label must be real numbers"),
        (dict(label=FOUR[:, 0, 0, :2] / 0), ValueError, "label must be finite"),
        (dict(label=FOUR[:, 0, 0, :2] > 0), TypeError, "got torch.bool"),
    ),
    *bad(
        fmcore.Guided,
        dict(model=CLASSES, scale=2.0),
        (dict(model=NET), TypeError, "UNet takes no label"),
        (dict(model=None), TypeError, "NoneType"),
        (dict(scale="2"), TypeError, "got '2'"),
        (dict(scale=True), TypeError, "got True"),
        (dict(scale=INF), ValueError, "got inf"),
        (dict(scale=TIMES / 0), ValueError, "scale must be finite"),
        (dict(scale=X), ValueError, "shape (B,), got (3, 2)"),
        (dict(scale=LABELS), TypeError, "got torch.int64"),
    ),
    *bad(fmcore.clamp_time, dict(model=turn), (dict(model=3), TypeError, "got int")),
    *bad(
        fmcore.slerp,
        dict(x=X, y=X.roll(1, 0), s=0.5),
        (dict(x=X.tolist()), TypeError, "got list"),
        (dict(y=X[:2]), ValueError, "got (3, 2) and (2, 2)"),
        (dict(x=X[0], y=X[1]), ValueError, "got (2,) and (2,)"),
        (dict(y=X.double()), TypeError, "got torch.float32 and torch.float64"),
        (dict(x=SPOILT), ValueError, "must be finite"),
        (dict(x=0 * X), ValueError, "zero vector"),
        (dict(y=-X), ValueError, "opposite"),
        (dict(s=TIMES[:2]), ValueError, "(3,), got (2,)"),
        (dict(s="half"), TypeError, "got 'half'"),
        (dict(s=NAN), ValueError, "nan"),
    ),
]

IMAGE_FILES = [
    *bad(
        images.to_unit,
        dict(pixels=BYTES),
        (dict(pixels=FOUR), TypeError, "got torch.float32"),
        (dict(pixels=[0, 255]), TypeError, "got list"),
    ),
    *bad(
        images.from_unit,
        dict(images=FOUR),
        (dict(images=BYTES), TypeError, "got torch.uint8"),
        (dict(images=SPOILT), ValueError, "2 values of the images are NaN"),
        (dict(images=0.5), TypeError, "got float"),
    ),
    *bad(
        fmcore.dequantize,
        dict(pixels=BYTES, generator=G),
        (dict(pixels=FOUR), TypeError, "got torch.float32"),
        (dict(generator=None), TypeError, "got NoneType"),
    ),
    *bad(
        images.image_grid,
        dict(images=FOUR),
        (dict(images=FOUR[0]), ValueError, "got (1, 8, 8)"),
        (dict(images=FOUR[:0]), ValueError, "got (0, 1, 8, 8)"),
        (dict(images=None), TypeError, "got NoneType"),
        (dict(columns=0), ValueError, "got 0"),
        (dict(columns=2.5), TypeError, "got 2.5"),
        (dict(gap=-1), ValueError, "-1"),
        (dict(gap="2"), TypeError, "got '2'"),
    ),
    *bad(
        images.save_grid,
        dict(images=FOUR, file=HERE / "grid.png"),
        (dict(images=noise(4, 5, 8, 8)), ValueError, "5"),
        (dict(file=NOWHERE), ValueError, "there is no folder"),
        (dict(file=HERE), ValueError, "it is a folder"),
        (dict(file=HERE / "grid.txt"), ValueError, "'.txt' is not a picture format"),
        (dict(file=3), TypeError, "int"),
    ),
    *bad(
        fmcore.measured,
        dict(name="training"),
        (dict(name="weather"), ValueError, "'training', 'twins', got 'weather'"),
        (dict(name=None), ValueError, "got None"),
    ),
    *bad(
        fmcore.load_images,
        dict(name="mnist", root="embedded"),
        (dict(name="cifar"), ValueError, "'mnist', 'fashion_mnist', 'kmnist', got 'cif"),
        (dict(name=None), ValueError, "got None"),
        (dict(split="valid"), ValueError, "'train', 'test', got 'valid'"),
        (dict(name="kmnist", root=HERE, download=False), fmcore.DataUnavailable, "download=False"),
        (dict(name="kmnist", root=3, download=False), TypeError, "int"),
        (dict(download="no"), TypeError, "got 'no'"),
    ),
    *bad(
        fmcore.toy,
        dict(name="spiral", n=5, generator=G),
        (dict(name="moon"), ValueError, "'two_moons', 'checkerboard', 'eight_gaussians'"),
        (dict(n=-1), ValueError, "got -1"),
        (dict(n=5.0), TypeError, "got 5.0"),
        (dict(n=True), TypeError, "got True"),
        (dict(generator=None), TypeError, "got NoneType"),
    ),
    *bad(
        fmcore.FlowModel,
        dict(net=NET, path=OT, shape=(1, 8, 8)),
        (dict(net=turn), TypeError, "got function and OTPath"),
        (dict(net=Linear(1.0)), TypeError, "got Linear and OTPath"),
        (dict(path="ot"), TypeError, "got UNet and str"),
        (dict(shape=8), TypeError, "got 8"),
        (dict(shape=(1, 8.5, 8)), TypeError, "got 8.5"),
        (dict(shape=(1, 0, 8)), ValueError, "got 0"),
        (dict(about={"data": print}), TypeError, "print"),
        (dict(about=3), TypeError, "got 3"),
    ),
    *bad(MODEL, dict(x=IMAGES, t=0.5), (dict(t=7), ValueError, "got 7.0")),
    *bad(
        fmcore.save_weights,
        dict(model=MODEL, file=SAVED),
        (dict(model=NET), TypeError, "got UNet"),
        (dict(file=HERE), ValueError, "it is a folder"),
        (dict(file=NOWHERE), ValueError, "there is no folder"),
        (dict(file=None), TypeError, "NoneType"),
    ),
    *bad(
        fmcore.export_model,
        dict(model=fmcore.FlowModel(MLP, OT, (2,)), file=HERE / "saved.pt2"),
        (dict(model=MLP), TypeError, "got MLP"),
        (dict(file=HERE / "saved.jit"), ValueError, "'.onnx', '.pt2', got '.jit'"),
        (dict(file=NOWHERE.with_suffix(".pt2")), ValueError, "there is no folder"),
        (dict(file=None), TypeError, "NoneType"),
        (dict(opset=18), ValueError, "opset=18 is a version of ONNX, and .pt2 has none"),
    ),
    *bad(
        fmcore.load_weights,
        dict(file=SAVED),
        (dict(file=NOWHERE), FileNotFoundError, "file.png"),
        (dict(file=OTHER), ValueError, "other.safetensors is damaged"),
        (dict(file=3), TypeError, "int"),
    ),
    *bad(
        fmcore.load_pretrained,
        dict(name="mnist"),
        (dict(name="imagenet"), ValueError, "'imagenet'; choose from ['mnist']"),
        (dict(name=None), ValueError, "None"),
    ),
    *bad(
        find_device,
        dict(name="cpu"),
        (dict(name="gpu0"), ValueError, "device='gpu0' is no device"),
        (dict(name="cuda:99"), ValueError, "device='cuda:99'"),
        (dict(name=None), TypeError, "got None"),
    ),
]

SCORES = [
    *bad(
        metrics.frechet_distance,
        dict(x=noise(9, 2), y=noise(8, 2)),
        (dict(x=noise(9, 3)), ValueError, "got (9, 3) and (8, 2)"),
        (dict(y=noise(1, 2)), ValueError, "at least 2, got (9, 2) and (1, 2)"),
        (dict(x=SPOILT), ValueError, "must be finite, those of shapes (3, 2) and (8, 2)"),
        (dict(x=[[0.0, 1.0]]), TypeError, "got list"),
        (dict(x=noise(9, 2).cfloat()), TypeError, "got torch.complex64"),
    ),
    *bad(
        metrics.precision_recall,
        dict(x=noise(9, 2), real=noise(8, 2)),
        (dict(k=8), ValueError, "at least 9, got (9, 2) and (8, 2)"),
        (dict(k=0), ValueError, "got 0"),
        (dict(k=3.0), TypeError, "got 3.0"),
        (dict(real=noise(8)), ValueError, "got (9, 2) and (8,)"),
    ),
    *bad(
        metrics.nearest,
        dict(pixels=BYTES, known=noise(5, 64)),
        (dict(pixels=FOUR), TypeError, "got torch.float32"),
        (dict(known=noise(5, 60)), ValueError, "(5, 60)"),
    ),
    *bad(
        metrics.Judge,
        dict(
            train=few(200, pixels=BYTES.new_zeros(200, 1, 28, 28)),
            test=few(200, pixels=BYTES.new_zeros(200, 1, 28, 28)),
        ),
        (dict(test=few()), ValueError, "200 test images are needed, got 8"),
        (dict(train=3), TypeError, "got int"),
        (dict(device="gpu0"), ValueError, "device='gpu0' is no device"),
    ),
    *bad(
        judge,
        dict(images=MANY),
        (dict(images=MANY[:9]), ValueError, "at least 200, got (9, 1, 28, 28)"),
        (dict(images=MANY[:, 0]), ValueError, "got (200, 28, 28)"),
        (dict(images=MANY.repeat(2, 1, 1, 1)), ValueError, "400 images"),
        (dict(images=MANY / 0), ValueError, "must be finite"),
        (dict(images=None), TypeError, "got NoneType"),
        (dict(label=LABELS), ValueError, "(200,), got (4,)"),
    ),
    *bad(classified, dict(x=MANY[:2]), (dict(x=FOUR), ValueError, "got (4, 1, 8, 8)")),
]

TABLES = [
    *bad(
        register,
        dict(table=fmcore.SOLVERS, name="heun2", row=None)
        | dict(row=fmcore.ButcherTableau("heun2", 2, ((), (1,)), (0.5, 0.5), (0, 1))),
        (dict(name="heun"), ValueError, "there is a solver 'heun' already"),
        (dict(name=3), TypeError, "got 3"),
        (dict(name="mine"), ValueError, "'heun2' must be called that in SOLVERS, not 'mine'"),
        (dict(row="heun"), TypeError, "got str"),
        (dict(table=fmcore.PATHS), TypeError, "a subclass of ProbabilityPath, got Butcher"),
        (dict(table=fmcore.NETWORKS), TypeError, "a subclass of torch.nn.Module, got Butcher"),
        (dict(table=fmcore.LOSSES), TypeError, "must be callable, got ButcherTableau"),
        (dict(table=fmcore.SDE_METHODS), TypeError, "must be callable, got ButcherTableau"),
        (dict(table=fmcore.RECIPES), TypeError, "must be a Recipe, got ButcherTableau"),
    ),
    *bad(
        fmcore.SOLVERS.__getitem__,
        dict(name="heun"),
        (dict(name="eular"), KeyError, "no solver 'eular', only 'euler', 'midpoint', 'heun'"),
    ),
    *bad(
        fmcore.SOLVERS.find,
        dict(argument="method", name="heun"),
        (dict(name="eular"), ValueError, "'dopri5', got 'eular'"),
        (dict(name=["heun"]), ValueError, "got ['heun']"),
    ),
]

ROWS = [*SAMPLING, *IMAGE_FILES, *SCORES, *TABLES]
