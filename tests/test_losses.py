"""Losses against closed forms and against torch's own smooth L1."""

from functools import partial

import pytest
import torch
from small import gen

from fmcore.losses import (
    TIMES,
    cfm_loss,
    describe,
    draws,
    inner_times,
    logit_normal_times,
    prediction_loss,
    reference_loss,
    reference_weight,
    stratified_times,
    uniform_times,
)
from fmcore.paths import CosinePath, OTPath, VPPath

NOISE = partial(prediction_loss, predict="noise")


def batch(*shape, seed=1):
    return torch.randn(*shape, generator=gen(seed), dtype=torch.float64)


def test_loss_of_a_constant_error_is_its_square():
    x0, x1 = batch(6, 3, seed=1), batch(6, 3, seed=2)
    ut = x1 - 0.9 * x0
    error = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    loss = cfm_loss(lambda x, t: ut + error, OTPath(sigma_min=0.1), x1, x0=x0, t=0.3)
    torch.testing.assert_close(loss.item(), (1 + 4 + 9) / 3)


def test_network_is_asked_at_the_point_of_the_path_and_at_its_time():
    x0, x1 = batch(4, 1, 4, 4, seed=1), batch(4, 1, 4, 4, seed=2)
    t, seen = torch.tensor([0.1, 0.4, 0.6, 0.9], dtype=torch.float64), {}

    def net(x, t):
        seen.update(x=x, t=t)
        return torch.zeros_like(x)

    cfm_loss(net, OTPath(), x1, x0=x0, t=t)
    assert torch.equal(seen["t"], t)
    for i, ti in enumerate(t):
        torch.testing.assert_close(seen["x"][i], ti * x1[i] + (1 - ti) * x0[i])


@pytest.mark.parametrize("path", [OTPath(), OTPath(sigma_min=0.2)])
def test_floor_is_the_variance_of_the_conditional_velocity(path):
    """For x1 ~ N(0, s^2) the marginal field is linear, and the variance has a closed form.

    (x_t, u_t) is Gaussian: Var(u | x_t) = Var(u) - Cov(u, x_t)^2 / Var(x_t), averaged over t.
    """
    s, c = 0.5, 1 - path.sigma_min
    t = torch.linspace(0, 1, 20_001, dtype=torch.float64)
    b = 1 - c * t
    variance, covariance = t**2 * s**2 + b**2, t * s**2 - c * b
    floor = torch.trapezoid(s**2 + c**2 - covariance**2 / variance, t).item()

    def marginal(x, t):
        t = t[:, None]
        b = 1 - c * t
        return (t * s**2 - c * b) / (t**2 * s**2 + b**2) * x

    x1 = s * batch(400_000, 1)
    at_optimum = cfm_loss(marginal, path, x1, generator=gen()).item()
    assert floor > 0.1
    assert abs(at_optimum - floor) < 0.005
    assert cfm_loss(lambda x, t: marginal(x, t) + 0.1, path, x1, generator=gen()) > at_optimum


def test_drawn_noise_is_standard_and_time_uniform():
    seen = {}

    def net(x, t):
        seen.update(x=x, t=t)
        return x

    cfm_loss(net, OTPath(), torch.zeros(200_000, 1, dtype=torch.float64), generator=gen())
    x0 = seen["x"] / (1 - seen["t"][:, None])
    assert abs(x0.mean()) < 0.01 and abs(x0.std() - 1) < 0.01
    quantiles = torch.quantile(seen["t"], torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64))
    torch.testing.assert_close(quantiles.tolist(), [0.1, 0.5, 0.9], atol=0.01, rtol=0)


def test_reference_loss_weighs_the_rows_by_time():
    """Only row i is wrong, by much more than beta: the loss is w_i (|r| - beta / 2) / B."""
    x0, x1 = batch(3, 2, 4, 4, seed=1), batch(3, 2, 4, 4, seed=2)
    t = torch.tensor([0.1, 0.5, 0.8], dtype=torch.float64)
    weights = [0.09 / 0.5, 0.25 / 0.5, 0.16 / 0.5]  # t (1 - t) over its sum
    for i, w in enumerate(weights):

        def net(x, t, i=i):
            v = (x1 - x0).clone()
            v[i] += 5.0
            return v

        loss = reference_loss(net, OTPath(), x1, x0=x0, t=t, penalty=0.0)
        torch.testing.assert_close(loss.item(), w * (5.0 - 0.05))


def test_reference_loss_is_quadratic_for_small_errors():
    x0, x1 = batch(3, 2, seed=1), batch(3, 2, seed=2)
    loss = reference_loss(
        lambda x, t: x1 - x0 + 0.04, OTPath(), x1, x0=x0, t=0.5, penalty=0.0, beta=0.1
    )
    torch.testing.assert_close(loss.item(), 0.04**2 / (2 * 0.1))


def test_reference_loss_penalises_speed():
    x0, x1 = torch.zeros(3, 2, dtype=torch.float64), torch.full((3, 2), 4.0, dtype=torch.float64)
    loss = reference_loss(lambda x, t: x1 - x0, OTPath(), x1, x0=x0, t=0.5)
    torch.testing.assert_close(loss.item(), 3e-5 * 16)


def test_reference_loss_draws_times_inside_the_margin():
    seen = []

    def net(x, t):
        seen.append(t)
        return x

    times = partial(inner_times, margin=0.2)
    reference_loss(net, OTPath(), batch(50_000, 1), generator=gen(), times=times)
    assert seen[0].min() >= 0.2 and seen[0].max() <= 0.8
    assert seen[0].min() < 0.21 and seen[0].max() > 0.79


def test_margin_is_that_of_the_recipe_and_may_be_none(monkeypatch):
    ends, seen = torch.tensor([0.0, 1.0], dtype=torch.float64), []
    monkeypatch.setattr("fmcore.losses.rand_time", lambda x, generator: ends)
    for kwargs in ({}, {"times": partial(inner_times, margin=0.0)}):
        reference_loss(
            lambda x, t: seen.append(t) or x, OTPath(), batch(2, 2), x0=batch(2, 2), **kwargs
        )
    assert seen[0].tolist() == pytest.approx([1e-5, 1 - 1e-5], rel=1e-12)
    assert seen[1].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("loss", [cfm_loss, reference_loss, NOISE])
def test_same_seed_same_loss_and_no_global_draw(loss):
    x1, before = batch(8, 2), torch.random.get_rng_state()
    values = [loss(lambda x, t: x, OTPath(), x1, generator=gen(s)).item() for s in (3, 3, 4)]
    assert values[0] == values[1] != values[2]
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("loss", [cfm_loss, reference_loss, NOISE])
def test_label_reaches_the_network(loss):
    label, seen = torch.tensor([1, 2]), []
    loss(
        lambda x, t, y: seen.append(y) or x,
        VPPath(),
        batch(2, 2),
        t=0.5,
        label=label,
        generator=gen(),
    )
    assert seen[0] is label


@pytest.mark.parametrize("loss", [cfm_loss, reference_loss, NOISE])
def test_bad_input(loss):
    with pytest.raises(ValueError, match=r"no loss of an empty batch, got shape \(0, 2\)"):
        loss(lambda x, t: x, OTPath(), batch(0, 2), generator=gen())
    with pytest.raises(TypeError, match="generator must be a torch.Generator"):
        loss(lambda x, t: x, OTPath(), batch(2, 2))
    with pytest.raises(ValueError, match=r"must return the shape of its input.*got \(2,\)"):
        loss(lambda x, t: x[:, 0], OTPath(), batch(2, 2), generator=gen())
    with pytest.raises(ValueError, match="same shape"):
        loss(lambda x, t: x, OTPath(), batch(2, 2), x0=batch(1, 2), t=0.5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'weigth'"):
        loss(lambda x, t: x, OTPath(), batch(2, 2), generator=gen(), weigth=1)


def test_bad_reference_settings():
    with pytest.raises(ValueError, match="beta must be a finite number > 0"):
        reference_loss(lambda x, t: x, OTPath(), batch(2, 2), generator=gen(), beta=0.0)
    with pytest.raises(ValueError, match=r"margin must lie in \[0, 0.5\), got 0.5"):
        inner_times(batch(2, 2), gen(), margin=0.5)


@pytest.mark.parametrize("loss", [cfm_loss, reference_loss, NOISE])
def test_weights_multiply_the_rows(loss):
    """A row with weight 0 is as if it were not there, but for the mean over the batch."""
    x0, x1 = batch(4, 2, 3, seed=1), batch(4, 2, 3, seed=2)
    t = torch.tensor([0.2, 0.4, 0.6, 0.8], dtype=torch.float64)

    def net(x, t):
        return 3 * x

    def of(rows, weight):
        return loss(net, OTPath(), x1[rows], x0=x0[rows], t=t[rows], weight=weight)

    def plain(rows):
        return of(rows, torch.ones(len(rows), dtype=torch.float64))

    penalty = 3e-5 * 9 if loss is reference_loss else 0.0  # on the mean square of xt, below
    xt = t[:, None, None] * x1 + (1 - t[:, None, None]) * x0
    size = xt.square().flatten(1).mean(1)
    w = torch.tensor([2.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    first, third = (plain([k]) - penalty * size[k] for k in (0, 2))
    expected = (2 * first + third) / 4 + penalty * size.mean()
    torch.testing.assert_close(of([0, 1, 2, 3], w), expected)
    with pytest.raises(ValueError, match=r"weight must have shape \(4,\), got \(3,\)"):
        of([0, 1, 2, 3], w[:3])


def test_the_reference_weight_is_given_or_worked_out():
    x0, x1 = batch(5, 2, seed=1), batch(5, 2, seed=2)
    t = torch.tensor([0.1, 0.3, 0.5, 0.7, 1.0], dtype=torch.float64)
    w = reference_weight(t)
    torch.testing.assert_close(w.mean().item(), 1.0)
    torch.testing.assert_close((w[0] / w[1]).item(), 0.09 / 0.21)
    assert w[4] == 0 and w.argmax() == 2
    assert reference_weight(torch.zeros(3)).tolist() == [0, 0, 0]  # and not NaN
    worked_out = reference_loss(lambda x, t: x, OTPath(), x1, x0=x0, t=t)
    given = reference_loss(lambda x, t: x, OTPath(), x1, x0=x0, t=t, weight=w)
    torch.testing.assert_close(worked_out, given)


# ---- times, and how others learn of them


def test_stratified_times_stay_below_1():
    """In float32 the last slice would round to 1, where the velocity of a VPPath is infinite."""
    for seed in range(480, 490):
        assert stratified_times(torch.zeros(2**16, 2), gen(seed)).max() < 1


def test_what_the_reference_recipe_draws():
    """t is kept off both ends, and the weights of the whole batch have the mean 1."""
    times, weights = draws(reference_loss)
    t = times(torch.zeros(2**20, 1), gen())
    assert 1e-5 <= t.min() < 2e-5 and 1 - 2e-5 < t.max() <= 1 - 1e-5 + 1e-7
    torch.testing.assert_close(weights(t), reference_weight(t))
    assert draws(cfm_loss) == (uniform_times, None)


@pytest.mark.parametrize("name", TIMES)
def test_times_have_the_dtype_of_the_data_and_a_seed(name):
    for dtype in (torch.float32, torch.float64):
        x = torch.zeros(7, 2, 3, dtype=dtype)
        t = TIMES[name](x, gen(1))
        assert t.dtype == dtype and t.shape == (7,) and t.min() >= 0 and t.max() <= 1
        assert torch.equal(t, TIMES[name](x, gen(1))) and not torch.equal(t, TIMES[name](x, gen(2)))
    with pytest.raises(TypeError, match="generator must be a torch.Generator"):
        TIMES[name](x, None)


def test_how_a_loss_draws_is_read_from_its_keywords():
    def mine(net, path, x1, *, x0, label=None, generator=None):
        raise NotImplementedError

    def given(net, path, x1, *, x0, t, times=stratified_times):
        raise NotImplementedError

    def asks(net, path, x1, *, times, weights):
        raise NotImplementedError

    assert draws(mine) == draws(asks) == (None, None)
    assert draws(given) == (stratified_times, None)
    robust = partial(partial(reference_loss, beta=1.0), times=logit_normal_times)
    assert draws(robust) == (logit_normal_times, reference_weight)


def test_a_loss_is_described_in_a_line():
    assert describe(cfm_loss) == "cfm_loss" and describe(None) == ""

    class Pairing:
        def __call__(self, x0, x1, label=None, *, generator):
            raise NotImplementedError

    assert describe(Pairing()) == "Pairing"  # not its address, which no later process has
    robust = partial(reference_loss, times=partial(inner_times, margin=0.1), beta=1.0)
    assert describe(robust) == "reference_loss(beta=1.0, times=inner_times(margin=0.1))"


# ---- losses of other predictions


def test_the_loss_of_a_prediction_is_that_of_its_own_target():
    x0, x1 = batch(6, 3, seed=1), batch(6, 3, seed=2)
    t = torch.tensor([0.1, 0.2, 0.4, 0.6, 0.8, 0.9], dtype=torch.float64)
    given = dict(x0=x0, t=t)
    for path in (OTPath(), OTPath(0.2), VPPath(), CosinePath()):
        b = path.b(t)[:, None]
        for predict, target in {"noise": x0, "data": x1, "score": -x0 / b}.items():
            found = prediction_loss(lambda x, t: target + 2, path, x1, predict=predict, **given)  # noqa: B023
            torch.testing.assert_close(found.item(), 4.0)
        same = prediction_loss(lambda x, t: 3 * x, path, x1, predict="velocity", **given)
        assert same == cfm_loss(lambda x, t: 3 * x, path, x1, **given)
    weight = torch.tensor([6.0, 0, 0, 0, 0, 0], dtype=torch.float64)  # the first row alone
    of_data = prediction_loss(
        lambda x, t: x1 + 2, OTPath(), x1, predict="data", measure="noise", weight=weight, **given
    )
    torch.testing.assert_close(of_data.item(), 4 * (0.1 / 0.9) ** 2)


@pytest.mark.parametrize(("predict", "measure"), [("noise", None), ("data", "velocity"),
                                                  ("score", "noise")])  # fmt: skip
@pytest.mark.parametrize("path", [OTPath(), CosinePath()], ids=str)
def test_the_least_loss_of_a_prediction_is_its_variance(path, predict, measure):
    """For x1 ~ N(0, s^2): Var(x0 | x) = a^2 s^2 / (a^2 s^2 + b^2), and what is made of it."""
    s, margin = 0.5, 1e-3
    t = torch.linspace(margin, 1 - margin, 20_001, dtype=torch.float64)
    of_noise = (path.a(t) * s) ** 2 / ((path.a(t) * s) ** 2 + path.b(t) ** 2)
    d = path.da(t) * path.b(t) - path.a(t) * path.db(t)
    variance = of_noise * (d / path.a(t)) ** 2 if measure == "velocity" else of_noise
    floor = torch.trapezoid(variance, t).item() / (1 - 2 * margin)

    def best(x, t, factor=1.0):
        a, b = path.a(t)[:, None], path.b(t)[:, None]
        scale = {"noise": b, "data": a * s**2, "score": -1.0}[predict]
        return factor * scale * x / (a**2 * s**2 + b**2)

    x1 = s * batch(400_000, 1)
    loss = partial(prediction_loss, path=path, x1=x1, predict=predict, measure=measure)
    least = loss(best, generator=gen()).item()
    assert abs(least - floor) < 0.01 * floor
    for factor in (0.9, 1.1):
        assert loss(partial(best, factor=factor), generator=gen()) > least


def test_predictions_are_trained_off_the_ends():
    times, weights = draws(partial(prediction_loss, predict="score"))
    t = times(torch.zeros(2**18, 1), gen())
    assert 1e-3 <= t.min() < 1.1e-3 and 1 - 1.1e-3 < t.max() <= 1 - 1e-3 + 1e-7
    assert weights is None
