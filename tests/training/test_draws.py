"""What a step is given: by which rule a loss gets its times, and what a coupling has paired."""

from functools import partial

import pytest
import torch
from small import config, gen, pictures, points, unet, weights

from fmcore.checks import rand_time
from fmcore.data import ImageData
from fmcore.images import from_unit
from fmcore.losses import (
    cfm_loss,
    reference_loss,
    reference_weight,
    stratified_times,
    uniform_times,
)
from fmcore.networks import MLP
from fmcore.paths import OTPath
from fmcore.training import fit


def net():
    torch.manual_seed(0)
    return MLP(hidden=8, depth=1)


def train(model=None, data=None, cfg=None, **kwargs):
    data = points() if data is None else data
    return list(fit(model or net(), OTPath(), data, cfg or config(), **kwargs))


# ---- a loss of one's own


def spy(seen, net, path, x1, given):
    """Notes what a loss was given; the loss itself is that of cfm."""
    seen.append({"x1": x1, **given})
    return cfm_loss(net, path, x1, **{"t": 0.5, **given})


def test_a_loss_that_draws_its_own_times_gets_a_generator():
    seen = []

    def mine(net, path, x1, **given):
        return spy(seen, net, path, x1, given)

    train(loss=mine)
    assert len(seen) == 6 and all(given.keys() == {"x1", "x0", "generator"} for given in seen)
    assert isinstance(seen[0]["generator"], torch.Generator)
    train(unet(num_classes=10), pictures(), loss=mine)
    assert seen[-1].keys() == {"x1", "x0", "label", "generator"}


def test_it_draws_from_the_stream_of_the_training():
    """With times from that generator it is the loss of the library, bit for bit."""

    def mine(net, path, x1, *, x0, generator):
        return cfm_loss(net, path, x1, x0=x0, t=rand_time(x1, generator))

    ours, theirs = train(), train(loss=mine)
    assert [m.loss for m in ours] == [m.loss for m in theirs]
    assert torch.equal(weights(ours[-1].ema), weights(theirs[-1].ema))
    other = train(loss=mine, cfg=config(seed=1))
    assert other[-1].loss != ours[-1].loss


def test_a_loss_that_names_its_times_gets_them():
    """They are drawn after rows and noise; `weights`, if there are any, are of these times."""
    seen = []

    def late(x, generator):
        return 0.5 + rand_time(x, generator) / 2

    def mine(net, path, x1, times=late, **given):
        return spy(seen, net, path, x1, given)

    def weighed(net, path, x1, times=late, weights=lambda t: 1 - t, **given):
        return spy(seen, net, path, x1, given)

    for loss, names in ((mine, {"x0", "t"}), (weighed, {"x0", "t", "weight"})):
        seen.clear()
        train(loss=loss)
        assert len(seen) == 6 and all(given.keys() == {"x1"} | names for given in seen)
        t = torch.stack([given["t"] for given in seen])
        assert 0.5 <= t.min() < 0.6 and 0.9 < t.max() < 1
        if "weight" in names:
            assert torch.equal(torch.stack([given["weight"] for given in seen]), 1 - t)
    g = gen()
    rows, x0 = torch.randperm(64, generator=g)[:8], torch.randn(8, 2, generator=g)
    assert torch.equal(seen[0]["x1"], points()[rows]) and torch.equal(seen[0]["x0"], x0)
    assert torch.equal(seen[0]["t"], late(x0, g))


def test_weights_without_times_are_the_affair_of_the_loss():
    seen = []

    def mine(net, path, x1, weights=reference_weight, **given):
        return spy(seen, net, path, x1, given)

    train(loss=mine)
    assert seen[0].keys() == {"x1", "x0", "generator"}


def test_what_partial_sets_is_obeyed():
    seen = []

    def mine(net, path, x1, scale=1.0, times=uniform_times, weights=None, **given):
        return scale * spy(seen, net, path, x1, given)

    double = partial(mine, scale=2.0, times=stratified_times, weights=torch.ones_like)
    first, second = train(loss=double)[0], train(loss=partial(double, scale=4.0))[0]
    assert torch.equal((8 * seen[0]["t"]).floor(), torch.arange(8.0))
    assert torch.equal(seen[0]["weight"], torch.ones(8))
    assert second.loss != first.loss  # the second step starts from other weights
    one, two = (
        train(loss=partial(double, scale=s), cfg=config(steps=1))[0].loss for s in (1.0, 2.0)
    )
    assert two == pytest.approx(2 * one)
    robust = train(loss=partial(reference_loss, penalty=10.0), cfg=config(steps=1))[0].loss
    assert robust > train(loss=reference_loss, cfg=config(steps=1))[0].loss


# ---- couplings


def shuffled(x0, x1, label=None, *, generator):
    return x0[torch.randperm(len(x0), generator=generator)], x1, label


def recorded(seen):
    """That coupling, with what it was given and what it gave back."""

    def couple(*given, **named):
        back = shuffled(*given, **named)
        seen.append((given, named, back))
        return back

    return couple


def test_a_coupling_is_asked_once_a_step_for_the_whole_batch():
    seen, trained_on = [], []

    class Spy(OTPath):
        def sample(self, x0, x1, t):
            trained_on.append((x0, x1))
            return super().sample(x0, x1, t)

    list(fit(net(), Spy(), points(), config(), couple=recorded(seen)))
    assert len(seen) == len(trained_on) == 6
    g = gen()  # what comes first is what it would have been without a coupling
    rows, x0 = torch.randperm(64, generator=g)[:8], torch.randn(8, 2, generator=g)
    given, named, back = seen[0]
    assert torch.equal(given[0], x0) and torch.equal(given[1], points()[rows])
    assert given[2] is None and named.keys() == {"generator"}
    assert torch.equal(back[0], x0[torch.randperm(8, generator=g)])  # the same stream goes on
    for (_, _, (x0, x1, _)), (noise, data) in zip(seen, trained_on, strict=True):
        assert torch.equal(x0, noise) and torch.equal(x1, data)


def test_labels_travel_with_their_images():
    """Every image is of one grey, and its label says which."""
    labels = torch.arange(32) % 10
    grey = (25 * labels.to(torch.uint8))[:, None, None, None].expand(32, 1, 8, 8)
    data, seen = ImageData(grey.contiguous(), labels, "grey", "test"), []

    def turned(x0, x1, label=None, *, generator):
        order = torch.randperm(len(x1), generator=generator)
        return x0, x1[order], label[order]

    def mine(net, path, x1, *, label, times=uniform_times, **given):
        seen.append((x1[:, 0, 0, 0], label))
        return cfm_loss(net, path, x1, label=label, **given)

    train(unet(num_classes=10), data, config(label_dropout=0.25), loss=mine, couple=turned)
    x, label = (torch.cat(each) for each in zip(*seen, strict=True))
    told = label != 10
    assert 0 < told.sum() < len(told)
    assert torch.equal(from_unit(x[told]).long(), 25 * label[told])


def test_times_are_drawn_for_the_data_that_a_coupling_gives():
    given, drawn_for = [], []

    def turned(x0, x1, label=None, *, generator):
        given.append(x1.flip(0))
        return x0, x1.flip(0), label

    def times(x, generator):
        drawn_for.append(x)
        return rand_time(x, generator)

    train(loss=partial(reference_loss, times=times), couple=turned)
    assert len(given) == 6 and all(map(torch.equal, given, drawn_for))


def test_training_with_a_coupling_repeats():
    runs = [
        weights(train(couple=couple, cfg=config(seed=seed))[-1].ema)
        for couple, seed in ((shuffled, 0), (shuffled, 0), (shuffled, 1), (None, 0))
    ]
    assert torch.equal(runs[0], runs[1])
    assert not any(torch.equal(runs[0], other) for other in runs[2:])


def test_the_loss_and_the_coupling_are_functions():
    for loss in ("cfm", None, 0.5):
        with pytest.raises(TypeError, match=f"^loss must be callable, as .*, got {loss!r}$"):
            train(loss=loss)
    with pytest.raises(TypeError, match="^couple must be callable or None, got 'ot'$"):
        train(couple="ot")


@pytest.mark.parametrize(
    ("couple", "error", "message"),
    [
        (
            lambda x0, x1, label, generator: (x0, x1),
            TypeError,
            "x0, x1 and label, got a tuple of 2",
        ),
        (lambda x0, x1, label, generator: [x0, x1, label], TypeError, "label, got a list$"),
        (
            lambda x0, x1, label, generator: (x0[1:], x1, label),
            ValueError,
            "noise of couple and x0",
        ),
        (lambda x0, x1, label, generator: (x0, x1[1:], label), ValueError, "data of couple and x1"),
        (lambda x0, x1, label, generator: (x0.double(), x1, label), TypeError, "same dtype"),
        (
            lambda x0, x1, label, generator: (x0, x1, x1),
            ValueError,
            "must return a label if it",
        ),
    ],
)
def test_a_coupling_that_returns_another_batch(couple, error, message):
    with pytest.raises(error, match=message):
        train(couple=couple)


def test_a_coupling_that_loses_labels():
    def forgetful(x0, x1, label, generator):
        return x0, x1, None if label is None else label[1:]

    model = unet(num_classes=10)
    with pytest.raises(ValueError, match=r"label must have shape \(8,\), got \(7,\)"):
        train(model, pictures(), config(batch_size=8), couple=forgetful)


@pytest.mark.parametrize(
    ("loss", "got"),
    [
        (lambda net, path, x1, *, x0, generator: (net(x0, 0.5) - x1).square(), r"shape \(8, 2\)"),
        (lambda net, path, x1, *, x0, generator: 0.0, "float"),
    ],
)
def test_a_loss_that_is_no_mean(loss, got):
    with pytest.raises(TypeError, match=f"the loss must return a 0-d tensor, .*got {got}"):
        train(cfg=config(batch_size=8), loss=loss)
