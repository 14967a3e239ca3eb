"""Couplings: the best pairing against all pairings, what labels do to it, pairs from a teacher."""

import itertools
import math

import pytest
import torch
from small import config, gen, noise, pictures, points, unet

from fmcore.couplings import COUPLINGS, FixedPairs, MinibatchOT, independent, reflow_pairs
from fmcore.fields import GaussianMixture, MarginalField
from fmcore.images import to_unit
from fmcore.losses import cfm_loss, describe
from fmcore.metrics import straightness, wasserstein2
from fmcore.networks import MLP
from fmcore.paths import OTPath
from fmcore.sampling import generate
from fmcore.training import Recipe, fit


def permutation(moved, before):
    """Which row of `before` each row of `moved` is; every one of them once."""
    same = (moved[:, None] == before).flatten(2).all(2)
    assert bool((same.sum(0) == 1).all()) and bool((same.sum(1) == 1).all())
    return same.long().argmax(1)


def cost(x0, x1, apart, p):
    """Of the pairing that gives row i the noise p(i), by hand."""
    rows = enumerate(p)
    return sum(((x0[j] - x1[i]) ** 2).sum().item() + apart[j][i].item() for i, j in rows)


LABELS = {
    "none": lambda n: (None, torch.zeros(n, n)),
    "classes": lambda n: (c := torch.arange(n) % 2, (c[:, None] != c).double()),
    "conditions": lambda n: (c := noise(n, 3, seed=7), ((c[:, None] - c) ** 2).sum(2)),
    "angles": lambda n: (c := noise(n, seed=8), (c[:, None] - c) ** 2),
}


# ---- optimal transport


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("shape", [(2,), (1, 2, 3)])
def test_it_is_the_best_of_all_pairings(labels, shape):
    for n, seed in itertools.product(range(1, 7), range(4)):
        x0, x1 = noise(n, *shape, seed=seed), 2 * noise(n, *shape, seed=seed + 50)
        label, apart = LABELS[labels](n)
        couple = MinibatchOT(label_weight=0.0 if label is None else 1.7)
        moved, data, after = couple(x0, x1, label)
        assert torch.equal(data, x1) and (label is None or torch.equal(after, label))
        found = cost(x0, x1, 1.7 * apart, permutation(moved, x0).tolist())
        every = itertools.permutations(range(n))
        assert found == pytest.approx(min(cost(x0, x1, 1.7 * apart, p) for p in every), rel=1e-6)


def test_it_never_costs_more_than_the_identity_and_is_its_own_best():
    for seed in range(10):
        x0, x1 = noise(70, 3, seed=seed), points(n=70).repeat(1, 2)[:, :3]
        moved, x1, _ = MinibatchOT()(x0, x1)
        assert (moved - x1).square().sum() < (x0 - x1).square().sum()
        permutation(moved, x0)
        again, _, _ = MinibatchOT()(moved, x1, generator=gen(seed))
        assert torch.equal(again, moved)


def test_on_a_line_it_pairs_in_order():
    x0, x1 = noise(500, 1), noise(500, 1, seed=2) ** 3
    x0, x1, _ = MinibatchOT()(x0, x1)
    assert torch.equal(x0.argsort(0), x1.argsort(0))


@pytest.mark.parametrize("shift", [(0, 1e8), (1e8, 0), (1e8, 1e8), (-1e8, 1e8)])
def test_a_cloud_moved_as_a_whole_is_paired_as_before(shift):
    """Distances of points 1e8 away, by products, would be wrong by more than those between them."""
    x0, x1 = noise(60, 3).double(), noise(60, 3, seed=2).double()
    expected = permutation(MinibatchOT()(x0, x1)[0], x0)
    moved = MinibatchOT()(x0 + shift[0], x1 + shift[1])[0]
    assert torch.equal(permutation(moved, x0 + shift[0]), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_precision_is_paired_as_in_double(dtype):
    x0, x1 = (300 * noise(60, 784, seed=s).to(dtype) for s in (1, 2))  # squares overflow fp16
    moved, data, _ = MinibatchOT()(x0, x1)
    assert moved.dtype is data.dtype is dtype
    assert torch.equal(moved.double(), MinibatchOT()(x0.double(), x1.double())[0])


def test_gradients_go_through_to_the_noise():
    x0 = noise(8, 2).requires_grad_()
    MinibatchOT(1.0)(x0, noise(8, 2, seed=2), noise(8, 1))[0].sum().backward()
    assert torch.equal(x0.grad, torch.ones(8, 2))


# ---- labels


@pytest.mark.parametrize("beyond", [1.001, 1e12])
def test_a_large_weight_transports_within_each_class(beyond):
    """Beyond the largest squared distance; labels that are hidden, here 3, are a class as well."""
    x0, x1, label = noise(90, 2), 5 + noise(90, 2, seed=2), torch.arange(90) % 4
    most = torch.cdist(x0 - x0.mean(0), x1 - x1.mean(0)).square().max().item()
    moved, _, _ = MinibatchOT(beyond * most)(x0, x1, label)
    for k in range(4):
        alone = MinibatchOT()(x0[label == k], x1[label == k])[0]
        assert torch.equal(moved[label == k], alone)


def test_labels_travel_with_their_data():
    label = torch.arange(40) % 10
    x1 = label[:, None] + torch.tensor([0.0, 0.5])
    for weight in (0.0, 3.0):
        moved, data, after = MinibatchOT(weight)(noise(40, 2), x1, label)
        assert torch.equal(data[:, 0].long(), after) and not torch.equal(moved, noise(40, 2))


def total_variation(x, bins=20):
    """Between values and N(0, 1), over bins that are equally likely under N(0, 1)."""
    u = torch.special.ndtr(x.double().flatten())
    share = torch.histc(u, bins, 0, 1) / len(u)
    return (share - 1 / bins).abs().sum().item() / 2


def test_label_blind_transport_skews_the_noise_of_a_class():
    """In 2,000 batches of 100: two classes, at -2 and 2, and 100,000 pairs for each of them."""
    g, label = gen(), torch.arange(100) % 2
    weights, batches = (0.0, 4.0, 16.0, 100.0), []
    for _ in range(2000):
        x0, x1 = torch.randn(2, 100, 1, generator=g)
        x1 = 0.5 * x1 + 4.0 * label[:, None] - 2.0
        coupled = [MinibatchOT(w)(x0, x1, label)[0] for w in weights]
        batches.append(torch.stack([x0, *coupled])[:, :, 0])
    pairs = torch.cat(batches, dim=1)  # (1 + weights, 200,000)
    of_class = torch.arange(200_000) % 2
    for k in (0, 1):
        fresh, blind, *weighed = map(total_variation, pairs[:, of_class == k])
        assert 0.003 < fresh < 0.008
        assert 0.4 < blind < 0.5  # the class gets the half of the noise on its own side
        assert blind > weighed[0] > weighed[1] > weighed[2]
        assert weighed[2] <= 0.01
    assert total_variation(pairs[1]) < 0.006  # of both classes together it is N(0, 1) all the same


# ---- in a training


def seen_in(couple, **kwargs):
    """What the loss is given in a training with that coupling: noise, data, labels."""
    seen = []

    def spy(net, path, x1, *, x0, label=None, generator=None):
        seen.append((x0, x1, label))
        return cfm_loss(net, path, x1, x0=x0, label=label, generator=generator)

    kwargs = dict(model=MLP(hidden=8), data=points(), config=config()) | kwargs
    list(fit(path=OTPath(), loss=spy, couple=couple, **kwargs))
    x0, x1, label = zip(*seen, strict=True)
    return torch.cat(x0), torch.cat(x1), None if label[0] is None else torch.cat(label)


def test_all_couplings_of_the_table_are_usable_in_fit():
    far = {name: (x0 - x1).square().mean() for name, c in COUPLINGS.items()
           for x0, x1, _ in [seen_in(c)]}  # fmt: skip
    assert far["minibatch_ot"] < 0.8 * far["independent"]
    for one, other in zip(seen_in(independent), seen_in(None), strict=True):
        assert one is other is None or torch.equal(one, other)


def test_images_keep_their_labels_in_a_training():
    data = pictures(32)
    kwargs = dict(model=unet(num_classes=10), data=data, config=config(label_dropout=0.25))
    x0, x1, label = seen_in(MinibatchOT(label_weight=1e3), **kwargs)
    images = to_unit(data.pixels)
    row = (x1[:, None] == images).flatten(2).all(2).long().argmax(1)
    told = label != 10
    assert 0 < told.sum() < len(told)
    assert torch.equal(label[told], data.labels[row][told])
    torch.manual_seed(0)
    again = seen_in(MinibatchOT(label_weight=1e3), **kwargs)
    assert all(map(torch.equal, again, (x0, x1, label)))


def test_noise_is_exchanged_between_vectors_that_are_alike():
    """Four pairs whose best pairing crosses, and vectors near each other in twos."""
    x0, couple = torch.tensor([[0.0], [1.0], [2.0], [3.0]]), MinibatchOT(100.0)
    c = torch.tensor([[0.0, 5.0], [9.0, 5.0], [0.1, 5.0], [9.1, 5.0]])
    assert torch.equal(couple(x0, -x0, c)[0], x0[[2, 3, 0, 1]])
    assert torch.equal(couple(x0, -x0, 0 * c)[0], x0.flip(0))
    ends = torch.tensor([[True], [False], [False], [True]])
    hidden = torch.where(ends, torch.nan, c)  # those are alike as well
    kept, _, label = couple(x0, -x0, hidden)
    assert torch.equal(kept, x0[[3, 1, 2, 0]]) and label is hidden
    first = torch.tensor([[True], [True], [False], [False]])  # and no more like 0 than like others
    hidden = torch.where(first, torch.nan, torch.tensor([[0.0, 0], [0, 0], [0, 0], [9, 0]]))
    assert torch.equal(couple(x0, -x0, hidden)[0], x0[[1, 0, 2, 3]])
    assert torch.equal(couple(x0, -x0, c * torch.nan)[0], x0.flip(0))
    with pytest.raises(ValueError, match="distances must be finite"):
        couple(x0, -x0, torch.where(c == 9, torch.nan, c))


def test_a_coupling_says_its_numbers():
    assert describe(MinibatchOT(0.5)) == "MinibatchOT(label_weight=0.5)"
    assert Recipe(couple=MinibatchOT()).as_dict()["couple"] == "MinibatchOT(label_weight=0.0)"


# ---- reflow


def growth(x, t):
    return t * x  # x1 = x0 exp(1/2)


def test_pairs_are_noise_and_where_it_is_carried():
    how = dict(shape=(2, 3), method="rk4", steps=20)
    x0, x1 = reflow_pairs(growth, 5000, generator=gen(), **how)
    torch.testing.assert_close(x1, math.exp(0.5) * x0)
    assert x0.shape == (5000, 2, 3)
    assert x0.mean().abs() < 0.02 and abs(x0.std() - 1) < 0.02
    again, other = (reflow_pairs(growth, 5000, generator=gen(s), **how)[0] for s in (0, 1))
    assert torch.equal(again, x0) and not torch.equal(other, x0)
    near, _ = reflow_pairs(growth, 5000, generator=gen(), **how | dict(method="euler", steps=1))
    assert torch.equal(near, x0)


def test_pairs_have_the_dtype_of_the_teacher_and_are_not_clamped():
    teacher = MLP(hidden=8, dim=2).double()
    x0, x1 = reflow_pairs(teacher, 300, shape=(2,), method="euler", steps=2, generator=gen())
    assert x0.dtype is x1.dtype is torch.float64
    assert x0.float().double().ne(x0).any() and not x1.requires_grad
    step = x0 + teacher(x0, 0.0) / 2
    torch.testing.assert_close(x1, step + teacher(step, 0.5) / 2)
    images = dict(shape=(1, 4, 4), method="euler", steps=1, generator=gen())
    x0, x1 = reflow_pairs(lambda x, t: x, 3, **images)
    assert torch.equal(x1, 2 * x0) and x1.abs().max() > 1


def test_fixed_pairs_stay_together_in_a_training():
    x0, x1 = reflow_pairs(growth, 20, shape=(2,), method="euler", steps=4, generator=gen())
    noise_seen, data_seen, _ = seen_in(FixedPairs(x0, x1), data=x1, config=config(steps=30, seed=3))
    rows = (noise_seen[:, None] == x0).all(2).long().argmax(1)
    assert torch.equal(noise_seen, x0[rows]) and torch.equal(data_seen, x1[rows])
    assert len(rows.unique()) == 20 and len(rows) == 240


def test_fixed_pairs_are_known_by_their_numbers():
    """Else a checkpoint of a training on other pairs would be gone on with."""
    x0, x1 = noise(6, 2), noise(6, 2, seed=2)
    assert repr(FixedPairs(x0, x1)) == repr(FixedPairs(x0.clone(), x1.clone()))
    others = [(x0 + 1, x1), (x0, x1 + 1), (x0.bfloat16(), x1.bfloat16()), (x0[:5], x1[:5])]
    others += [(x0.reshape(6, 1, 2), x1.reshape(6, 1, 2)), (x0.flip(0), x1)]
    assert len({repr(FixedPairs(*pairs)) for pairs in [(x0, x1), *others]}) == 7


def test_reflow_straightens():
    """A network trained on the ends of a curved flow is nearly straight, and needs one step."""
    mix = GaussianMixture([[-2.0, 1.5], [-2.0, -1.5]], stds=0.3)
    teacher = MarginalField(mix, OTPath())
    how = dict(shape=(2,), method="midpoint", steps=20)
    x0, x1 = reflow_pairs(teacher, 4000, generator=gen(), **how)
    torch.manual_seed(0)
    cfg = config(steps=900, batch_size=256, lr=3e-3, schedule="cosine", ema=0.99)
    *_, last = fit(MLP(hidden=64), OTPath(), x1, cfg, couple=FixedPairs(x0, x1))
    new, data = noise(1000, 2), mix.sample(1000, generator=gen())
    before, after = (straightness(v, new, steps=20) for v in (teacher, last.ema))
    assert after < 0.02 * before
    one_step = dict(x0=new, steps=1, method="euler")
    before, after = (wasserstein2(generate(v, 1000, **one_step), data) for v in (teacher, last.ema))
    assert before > 1.5 and after < 0.3
