"""Data of one's own: a `Dataset`, an iterable of batches, and those that are neither."""

import pytest
import torch
from resumable import train as train_in
from small import config, gen, noise, pictures, points, unet, weights
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from fmcore.losses import cfm_loss
from fmcore.networks import MLP
from fmcore.paths import OTPath
from fmcore.training import fit, train


def net():
    torch.manual_seed(0)
    return MLP(hidden=8, depth=1)


class Pairs(Dataset):
    """Items made by a function of their number; it notes which were asked for."""

    def __init__(self, item, n=32):
        self.item, self.n, self.asked = item, n, []

    def __len__(self):
        return self.n

    def __getitem__(self, k):
        self.asked.append(k)
        return self.item(k)


class Shifted(Dataset):
    """Images with labels, each moved at random whenever it is asked for."""

    def __init__(self, data=None):
        self.data = data or pictures(40)

    def __len__(self):
        return len(self.data)

    def __getitem__(self, k):
        shift = int(torch.randint(0, 8, ()))
        return self.data.pixels[k].roll(shift, -1), int(self.data.labels[k])


class Endless(IterableDataset):
    def __iter__(self):
        return iter([torch.zeros(2)])


class Own(torch.nn.Module):
    """A network that notes what it was trained on."""

    def __init__(self):
        super().__init__()
        self.rate, self.seen = torch.nn.Parameter(torch.zeros(())), []

    def forward(self, x, t, label=None):
        self.seen.append(label)
        return self.rate * x


def spy(seen):
    def loss(net, path, x1, *, x0, generator, label=None):
        seen.append((x1, label))
        return cfm_loss(net, path, x1, x0=x0, label=label, generator=generator)

    return loss


def run(model, data, **how):
    loss = how.pop("loss", cfm_loss)
    return list(fit(model, OTPath(), data, config(**how), loss=loss))


# ---- a data set


def test_every_epoch_has_each_item_once_in_another_order():
    data, seen = Pairs(lambda k: (torch.full((2,), float(k)), k % 3)), []
    model = Own()
    run(model, data, epochs=2, steps=None, loss=spy(seen))
    x1, label = (torch.cat(each) for each in zip(*seen, strict=True))
    assert torch.equal(x1[:, 0].long() % 3, label)  # labels travel with their items
    first, second = x1[:32, 0], x1[32:, 0]
    assert torch.equal(first.sort()[0], torch.arange(32.0)) and not torch.equal(first, second)
    assert torch.equal(second.sort()[0], torch.arange(32.0))


def test_augmentation_repeats_with_the_seed_and_leaves_the_global_stream_alone():
    before = torch.random.get_rng_state()
    seen = [[], [], []]
    for each, seed in zip(seen, (0, 0, 1), strict=True):
        model = unet(num_classes=10)
        torch.random.set_rng_state(before)
        run(model, Shifted(), steps=10, seed=seed, loss=spy(each))
        assert torch.equal(torch.random.get_rng_state(), before)
        torch.manual_seed(seed + 7)  # the caller draws something else in between
        before = torch.random.get_rng_state()
    a, b, c = (torch.cat([x1 for x1, _ in each]) for each in seen)
    assert torch.equal(a, b) and not torch.equal(a, c)
    one = {tuple(image.flatten().tolist()) for image in a[:40]}
    two = {tuple(image.flatten().tolist()) for image in a[40:]}
    assert len(one & two) < 20  # an image comes moved in another way


def test_an_augmented_training_goes_on_bit_for_bit(tmp_path):
    _, whole = train_in(data=Shifted())
    train_in(tmp_path, stop=9, data=Shifted())
    rest, model = train_in(tmp_path, resume=True, data=Shifted())
    assert rest[-1].step == 20 and torch.equal(weights(model), weights(whole))
    with pytest.raises(ValueError, match=r"data is '48 of Shifted, shape .*', was '40 of Shifted"):
        train_in(tmp_path, resume=True, data=Shifted(pictures(48)))


def test_the_model_knows_what_it_was_trained_on():
    model = train(unet(), OTPath(), TensorDataset(pictures().pixels), config(steps=2))
    about = model.config["about"]
    assert (about["data"], about["images"]) == ("TensorDataset", 32)
    assert model.config["shape"] == [1, 8, 8]


# ---- batches


def batches(n=4, size=8):
    return [noise(size, 2, seed=k) for k in range(n)]


def test_batches_come_as_they_are_and_begin_again():
    for again in (batches(), DataLoader(TensorDataset(torch.cat(batches())), batch_size=8)):
        seen = []
        reports = run(net(), again, steps=10, log_every=1, loss=spy(seen))
        expected = batches() + batches() + batches(2)
        assert all(torch.equal(x, y) for (x, _), y in zip(seen, expected, strict=True))
        assert [p.epoch for p in reports] == [0] * 4 + [1] * 4 + [2] * 2
    reports = run(net(), batches(), steps=None, epochs=3)
    assert reports[-1].step == reports[-1].steps == 12


def test_shorter_batches_are_trained_on_as_well():
    seen = []
    run(net(), DataLoader(points(n=20), batch_size=8), steps=6, loss=spy(seen))
    assert [len(x1) for x1, _ in seen] == [8, 8, 4, 8, 8, 4]


def test_what_can_be_read_once_ends_where_it_ends():
    reports = run(net(), iter(batches(6)), steps=6, log_every=1)
    assert [(p.step, p.epoch) for p in reports] == [(k, 0) for k in range(1, 7)]
    with pytest.raises(ValueError, match="of list_iterator end after step 4, and .* begun again"):
        run(net(), iter(batches()), steps=6)
    with pytest.raises(ValueError, match="generator has no length: give steps, not epochs"):
        run(net(), (x for x in batches()), steps=None, epochs=2)


def test_batches_with_conditions_reach_a_network_of_ones_own():
    model, condition = Own(), noise(8, 3)
    run(model, [(points(n=8), condition)], steps=2)
    assert len(model.seen) == 2 and all(torch.equal(c, condition) for c in model.seen)


def test_bytes_and_labels_of_batches_become_what_those_of_images_become():
    data, seen, held = pictures(16), [], []
    rows = torch.randperm(16, generator=gen())
    pairs = DataLoader(TensorDataset(data.pixels[rows], data.labels[rows]), batch_size=8)
    run(unet(num_classes=10), pairs, steps=2, label_dropout=0.0, loss=spy(seen))
    run(unet(num_classes=10), data, steps=2, label_dropout=0.0, loss=spy(held))
    for (x1, label), (y1, other) in zip(seen, held, strict=True):
        assert torch.equal(x1, y1) and torch.equal(label, other)


def test_batches_begin_anew_when_a_training_is_resumed(tmp_path):
    def pairs():
        data = pictures(40)
        return list(zip(data.pixels.split(8), data.labels.split(8), strict=True))

    train_in(tmp_path, stop=9, data=pairs())
    rest, _ = train_in(tmp_path, resume=True, data=pairs())
    assert rest[-1].step == 20
    with pytest.raises(ValueError, match="data is 'list_iterator, .*', was 'list, shape"):
        train_in(tmp_path, resume=True, data=iter(pairs()), cfg=config(steps=20))


# ---- what is refused


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (Pairs(lambda k: {"x": torch.zeros(2)}), TypeError, r"pair \(x1, label\) .*, got dict"),
        (Pairs(lambda k: torch.zeros(2 + k)), ValueError, r"be collated: .* got \[2\] .* \[33\]"),
        (Pairs(lambda k: k), TypeError, "uint8, got torch.int64"),
        (Pairs(lambda k: 1.5), ValueError, r"\(N, \*shape\), got \(32,\)|got \(2,\)"),
        (Pairs(lambda k: "a"), TypeError, "got list of str, str"),
        (Pairs(lambda k: None), TypeError, "cannot be collated: default_collate"),
        (Pairs(lambda k: torch.zeros(2), n=7), ValueError, "fewer samples than batch_size=8: 7"),
        (Pairs(lambda k: torch.zeros(2), n=0), ValueError, "fewer samples than batch_size=8: 0"),
        (Pairs(lambda k: torch.zeros(2).double()), TypeError, "data is torch.float64"),
        (Pairs(lambda k: torch.full((2,), float("nan"))), ValueError, "must be finite"),
        (Endless(), TypeError, "Endless has no .*: pass a DataLoader"),
        (type("Long", (Dataset,), {})(), TypeError, "Long has no length"),
        ([], ValueError, "list holds no batch"),
        (batches(size=4), ValueError, "first batch of list has 4 samples: set batch_size=4"),
        ([noise(8, 2), noise(9, 2)], ValueError, "batch of list must be 1 to 8 rows, got 9"),
        ([noise(8, 2), noise(0, 2)], ValueError, "batch of list must be 1 to 8 rows, got 0"),
        ([noise(8, 2), noise(8, 3)], ValueError, r"of shape \(3,\) and float32, the first .*2,"),
        ([noise(8, 2), noise(8, 2).double()], ValueError, r"float64, the first one .* float32"),
        ([noise(8, 2), None], TypeError, "got NoneType"),
        ([(noise(8, 2), 1, 2)], TypeError, "got tuple of Tensor, int, int"),
        ("mnist", TypeError, "a Dataset of torch or an iterable of batches, got str"),
        ({"x": noise(8, 2)}, TypeError, "iterable of batches, got dict"),
        (3, TypeError, "iterable of batches, got int"),
    ],
)
def test_what_is_no_data(data, error, message):
    with pytest.raises(error, match=message):
        run(net(), data)


def test_items_that_differ_are_found_when_they_come():
    data = Pairs(lambda k: torch.zeros(3 if k == 17 else 2))
    with pytest.raises(ValueError, match=r"cannot be collated: .*equal size.*\[3\]"):
        run(net(), data)


@pytest.mark.parametrize(
    ("label", "error", "message"),
    [
        (torch.arange(8) + 3, ValueError, "labels run from 3 to 10, but the network has 10"),
        (torch.zeros(8), ValueError, "must hold integers, got torch.float32"),
        (torch.zeros(8, 2), ValueError, r"must have shape \(8,\), got \(8, 2\)"),
        (torch.arange(7), ValueError, r"must have shape \(8,\), got \(7,\)"),
        (None, TypeError, r"must be a tensor \(8,\), got NoneType"),
    ],
)
def test_labels_of_a_later_batch_are_checked(label, error, message):
    x = pictures(8).pixels
    bad = x if label is None else (x, label)
    with pytest.raises(error, match=message):
        run(unet(num_classes=10), [(x, torch.arange(8)), bad])
    if label is not None:
        with pytest.raises(error, match=message):
            fit(unet(num_classes=10), OTPath(), [bad], config())
    else:
        with pytest.raises(ValueError, match="a network with classes needs labels"):
            fit(unet(num_classes=10), OTPath(), [bad], config())
