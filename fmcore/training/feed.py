"""Where batches come from: tensors on the device, the items of a data set, an iterable of batches.

A feed hands out `(x1, label)`, one batch after the other. It knows before the work

x, labels   all samples, or the first few; labels is None if there are none, or if nobody asks
count       how many samples there are, None if that is not known
batches     how many batches are an epoch
even        whether every batch has `batch_size` samples
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, default_collate

from fmcore.checks import class_labels, condition_vectors, finite
from fmcore.config import TrainConfig
from fmcore.data import ImageData
from fmcore.training.identity import fingerprint

Data = ImageData | Tensor | Dataset | Iterable[Any]
"""What `fit` trains on."""
Batch = tuple[Tensor, Tensor | None]


class Feed:
    """What the three kinds have in common; the last two check that every batch is like the first.

    `classes` is how many the network has, and `length` that of its vectors, if it says so.
    """

    x: Tensor
    labels: Tensor | None
    name: str
    count: Any  # an int, or None
    batches: int
    even = True
    classes: int | None = None
    length: int | None = None
    order: Tensor | None = None  # the shuffle of this epoch, if there is one

    def next(self, step: int, generator: torch.Generator) -> Batch:
        """The batch of step `step`, counted from 0."""
        raise NotImplementedError

    def to(self, device: torch.device) -> None:
        """Move what is held to the device."""

    def identity(self) -> dict[str, str]:
        """What a checkpoint knows the data by."""
        count = "" if self.count is None else f"{self.count} of "
        data = f"{count}{self.name}, {_kind(self.x)}"
        return {"data": data, "labels": "" if self.labels is None else _kind(self.labels)}

    def checked(self, batch: Any) -> Batch:
        """A batch from outside as `(x1, label)`."""
        x1, label = read_batch(batch)
        if (x1.shape[1:], x1.dtype) != (self.x.shape[1:], self.x.dtype):
            raise ValueError(f"a batch is of {_kind(x1)}, the first one of {_kind(self.x)}")
        wanted = self.labels is not None
        return x1, self.checked_label(label, len(x1)) if wanted else None

    def checked_label(self, label: Any, n: int, name: str = "label") -> Tensor:
        """Classes `(n,)`, or vectors `(n, k)`, as the network says, if it does."""
        vectors = isinstance(label, Tensor) and label.is_floating_point() and label.ndim > 1
        if self.length is not None:
            return finite(name, condition_vectors(label, n, self.length, name))
        if self.classes is None and vectors and len(label) == n:
            return label
        label = class_labels(label, n, name)
        least, most = label.min().item(), label.max().item()
        if least < 0 or (self.classes is not None and most >= self.classes):
            count = f"the network has {self.classes} classes"
            has = "must not be negative" if self.classes is None else count
            raise ValueError(f"labels run from {least} to {most}, but {has}")
        return label


class Shuffled(Feed):
    """Samples with a number: an epoch is a new shuffle, without the last incomplete batch."""

    def __init__(self, count: int, name: str, config: TrainConfig) -> None:
        self.count, self.name, self.size = count, name, config.batch_size
        self.batches = count // self.size
        if not self.batches:
            raise ValueError(f"{name} has fewer samples than batch_size={self.size}: {count}")

    def next(self, step: int, generator: torch.Generator) -> Batch:
        batch = step % self.batches
        if batch == 0 or self.order is None:
            self.order = torch.randperm(self.count, generator=generator, device=generator.device)
        return self.take(self.order[batch * self.size :][: self.size], generator)

    def take(self, rows: Tensor, generator: torch.Generator) -> Batch:
        """The samples of these numbers."""
        raise NotImplementedError


class Held(Shuffled):
    """Tensors, on the device."""

    def __init__(self, x: Tensor, labels: Tensor | None, name: str, config: TrainConfig) -> None:
        super().__init__(len(x), name, config)
        self.x, self.labels = x.detach(), labels

    def to(self, device: torch.device) -> None:
        self.x = self.x.to(device)
        self.labels = None if self.labels is None else self.labels.to(device)

    def identity(self) -> dict[str, str]:
        labels = "" if self.labels is None else fingerprint(self.labels)
        return {"data": fingerprint(self.x), "labels": labels}

    def take(self, rows: Tensor, generator: torch.Generator) -> Batch:
        return self.x[rows], None if self.labels is None else self.labels[rows]


class Items(Shuffled):
    """The items of a map-style `Dataset`, loaded when their batch comes.

    Augmentation draws from torch's global generator. For every batch that is seeded by the
    generator of the training, so that it repeats, and left as it was.
    """

    def __init__(self, data: Dataset, config: TrainConfig) -> None:
        name = type(data).__name__
        if isinstance(data, IterableDataset) or not hasattr(data, "__len__"):
            raise TypeError(f"{name} has no length or no numbered items: pass a DataLoader of it")
        super().__init__(len(data), name, config)  # ty: ignore[invalid-argument-type]
        self.data, ends = data, torch.tensor([0, self.count - 1])
        self.x, self.labels = read_batch(self._load(ends, torch.Generator().manual_seed(0)))

    def take(self, rows: Tensor, generator: torch.Generator) -> Batch:
        return self.checked(self._load(rows, generator))

    def _load(self, rows: Tensor, generator: torch.Generator) -> Any:
        seed = torch.randint(2**62, (), generator=generator, device=generator.device).item()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(seed))
            (batch,) = DataLoader(self.data, batch_sampler=[rows.tolist()], collate_fn=_collate)
        return batch


class Stream(Feed):
    """An iterable of batches, as they come. At its end it is begun again, if it can be."""

    even = False

    def __init__(self, data: Iterable[Any], config: TrainConfig) -> None:
        self.data, self.name, self.count = data, type(data).__name__, None
        try:
            self.batches = len(data)  # ty: ignore[invalid-argument-type]
        except TypeError:
            if config.steps is None:
                raise ValueError(f"{self.name} has no length: give steps, not epochs") from None
            self.batches = config.steps
        self.size, self.iterator, self.first = config.batch_size, iter(data), True
        self.x, self.labels = read_batch(self._pull(0))
        if len(self.x) != self.size:
            raise ValueError(
                f"the first batch of {self.name} has {len(self.x)} samples: "
                f"set batch_size={len(self.x)}, not {self.size}"
            )

    def next(self, step: int, generator: torch.Generator) -> Batch:
        if self.first:
            self.first = False
            return self.x, self.labels
        x1, label = self.checked(self._pull(step))
        if not 1 <= len(x1) <= self.size:
            raise ValueError(f"a batch of {self.name} must be 1 to {self.size} rows, got {len(x1)}")
        return x1, label

    def _pull(self, step: int) -> Any:
        for batch in self.iterator:
            return batch
        self.iterator = iter(self.data)
        for batch in self.iterator:
            return batch
        raise ValueError(
            f"the batches of {self.name} end after step {step}, and it cannot be begun again: pass "
            "a DataLoader or a list of batches, or take fewer steps"
            if step
            else f"{self.name} holds no batch"
        )


def feed_of(data: Data, config: TrainConfig) -> Feed:
    """The feed of its kind; `TypeError` if `data` is none of them."""
    if isinstance(data, ImageData):
        return Held(_samples(data.pixels), data.labels, data.name, config)
    if isinstance(data, Tensor):
        return Held(_samples(data), None, f"a tensor of shape {tuple(data.shape)}", config)
    if isinstance(data, TensorDataset) and len(data.tensors) <= 2:
        x, labels = (*data.tensors, None)[:2]
        return Held(_samples(x), labels, "TensorDataset", config)
    if isinstance(data, Dataset):
        return Items(data, config)
    if isinstance(data, str | bytes | dict) or not isinstance(data, Iterable):
        raise TypeError(
            "data must be an ImageData, a tensor (N, *shape), a Dataset of torch or an iterable of "
            f"batches, got {type(data).__name__}"
        )
    return Stream(data, config)


def read_batch(batch: Any) -> Batch:
    """`(x1, label)`: a batch is a tensor `(B, *shape)`, or one or two tensors in a tuple or list.

    >>> x1, label = read_batch((torch.zeros(8, 2), torch.arange(8)))
    >>> read_batch({"image": x1})
    Traceback (most recent call last):
    TypeError: a batch must be a tensor (B, *shape) or a pair (x1, label) of tensors, got dict
    """
    parts = [*batch] if isinstance(batch, tuple | list) else [batch]
    if not (1 <= len(parts) <= 2 and all(isinstance(part, Tensor) for part in parts)):
        within = f" of {', '.join(type(part).__name__ for part in parts[:3])}"
        got = type(batch).__name__ + within * isinstance(batch, tuple | list)
        raise TypeError(
            f"a batch must be a tensor (B, *shape) or a pair (x1, label) of tensors, got {got}"
        )
    return _samples(parts[0]), parts[1] if len(parts) == 2 else None


def _samples(x: Any) -> Tensor:
    """`x`, if it can be a batch of samples `(N, *shape)`."""
    if not isinstance(x, Tensor) or not (x.is_floating_point() or x.dtype == torch.uint8):
        raise TypeError(
            "data must be a tensor (N, *shape) of a floating dtype or uint8, got "
            + (str(x.dtype) if isinstance(x, Tensor) else type(x).__name__)
        )
    if x.ndim < 2:
        raise ValueError(f"data must have shape (N, *shape), got {tuple(x.shape)}")
    return x


def _kind(x: Tensor) -> str:
    """The shape of one sample, and its dtype."""
    return f"shape {tuple(x.shape[1:])} and {str(x.dtype).removeprefix('torch.')}"


def _collate(items: list[Any]) -> Any:
    """The items as a batch, as a `DataLoader` makes it."""
    try:
        return default_collate(items)
    except (TypeError, RuntimeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"items of the data cannot be collated: {error}") from error
