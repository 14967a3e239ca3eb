"""Vectors as conditions: embedded as classes are, hidden by NaN, nothing at zero weights."""

import pytest
import torch
from small import gen, noise, unet

from fmcore.networks import MLP, ConditionEmbedding
from fmcore.paths import OTPath
from fmcore.weights import FlowModel, load_weights, save_weights

K = 3
HOT = torch.cat([K**0.5 * torch.eye(K), torch.full((1, K), torch.nan)])  # what the classes 0..K are


def mlp(**kwargs):
    torch.manual_seed(0)
    return MLP(dim=2, hidden=16, **kwargs)


NETWORKS = [(mlp, (4, 2)), (unet, (4, 1, 8, 8))]
BOTH = pytest.mark.parametrize(("make", "shape"), NETWORKS, ids=["MLP", "UNet"])


@BOTH
def test_a_class_is_its_one_hot_vector(make, shape):
    """The same table: row y for class y, and for a vector along axis y whose length is sqrt(k)."""
    classes, vectors = make(num_classes=K), make(condition_dim=K)
    vectors.load_state_dict(classes.state_dict())
    x, t, label = noise(*shape), torch.tensor([0.0, 0.3, 0.6, 1.0]), torch.tensor([2, 0, K, 1])
    told = vectors(x, t, HOT[label])
    torch.testing.assert_close(told, classes(x, t, label))
    torch.testing.assert_close(vectors(x, t), classes(x, t))
    assert torch.equal(told[2], vectors(x, t)[2])  # NaN, K and None all mean no condition
    rows = torch.cat([(told - vectors(x, t))[:2], (told - vectors(x, t))[3:]])
    assert (rows.flatten(1).abs().max(1)[0] > 1e-4).all()


@BOTH
def test_rows_do_not_mix_and_nothing_learnt_is_nothing_heard(make, shape):
    net, x, t, c = make(condition_dim=K), noise(*shape), torch.rand(4, generator=gen()), noise(4, K)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(net(x[order], t[order], c[order]), net(x, t, c)[order])
    with torch.no_grad():
        net.embed_label.weight.zero_()
    bare = make()
    bare.load_state_dict({k: w for k, w in net.state_dict().items() if "label" not in k})
    for label in (c, 100 * c, c * torch.nan, None):
        assert torch.equal(net(x, t, label), bare(x, t))


def test_the_embedding_is_linear_in_the_vector():
    embed, a, b = ConditionEmbedding(8, condition_dim=5), noise(3, 5), noise(3, 5, seed=2)
    torch.testing.assert_close(embed(2 * a - b, 3), 2 * embed(a, 3) - embed(b, 3))
    spread = ConditionEmbedding(4000, condition_dim=50)(noise(20, 50), 20).std()
    assert abs(spread.item() - 1) < 0.1  # as that of a class, however long the vector


def test_only_a_row_of_nan_is_hidden_and_it_learns():
    embed, c = ConditionEmbedding(4, condition_dim=2), torch.tensor([[1.0, 2.0], [torch.nan] * 2])
    embed(c, 2)[1].sum().backward()
    assert embed.weight.grad.tolist() == [[0.0] * 4, [0.0] * 4, [1.0] * 4]
    half = embed(torch.tensor([[1.0, torch.nan]]), 1)
    assert half.isnan().all()  # a mistake is seen, not taken for "no condition"


@BOTH
def test_a_network_with_vectors_is_saved_and_loaded(make, shape, tmp_path):
    net, x, c = make(condition_dim=K), noise(*shape), noise(4, K)
    save_weights(FlowModel(net, OTPath(), shape[1:]), tmp_path / "w.safetensors")
    model = load_weights(tmp_path / "w.safetensors")
    assert model.net.config == net.config and net.config["condition_dim"] == K
    assert torch.equal(model(x, 0.4, c), net(x, 0.4, c))


def test_vectors_that_are_new_to_a_network_change_nothing_at_first():
    small, large, x = unet(), unet(seed=1, condition_dim=K), noise(4, 1, 8, 8)
    large.load_partial(small.state_dict())
    torch.testing.assert_close(large(x, 0.3, noise(4, K)), small(x, 0.3))
    large(x, 0.3, noise(4, K)).square().sum().backward()
    assert (large.embed_label.weight.grad[:-1].abs().sum(1) > 0).all()
