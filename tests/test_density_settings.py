"""Density: settings reach the solver, and what is counted and allowed at the edges."""

import pytest
import torch
from small import noise

from fmcore.density import continuity_residual, log_det, log_likelihood
from fmcore.solvers import odeint

X = noise(4, 3).double()


@pytest.mark.parametrize("solve", [log_det, log_likelihood])
@pytest.mark.parametrize(
    "how",
    [
        dict(method="dopri5", rtol=1e-3, atol=1e-6, max_steps=77),
        dict(method="rk4", step_size=0.25),
        dict(method="heun", steps=3),
    ],
)
def test_every_setting_reaches_the_solver(how, solve, monkeypatch):
    given = []

    def spy(*arguments, **settings):
        given.append(settings)
        return odeint(*arguments, **settings)

    monkeypatch.setattr("fmcore.density.odeint", spy)
    solve(lambda x, t: x.sin(), X, **how)
    (settings,) = given
    assert {name: value for name, value in settings.items() if value is not None} == {
        "max_steps": 10_000,
        **how,
    }


def test_a_check_is_no_evaluation():
    """A field that does not depend on x is looked at twice, and counts once a step."""
    found = log_det(lambda x, t: torch.ones_like(x), X, method="euler", steps=3)
    assert found.nfe == 3 and found.log_det.equal(torch.zeros(4, dtype=torch.float64))


@pytest.mark.parametrize("t", [0.25, 0.75])
def test_the_residual_may_look_as_far_as_the_ends(t):
    """p = e^t while nothing moves: the difference over h of an exponential is e^t sinh(h) / h."""
    found = continuity_residual(
        lambda x, t: t.expand(len(x)), lambda x, t: torch.zeros_like(x), X, t, h=0.25
    )
    at = torch.tensor(t, dtype=torch.float64)
    torch.testing.assert_close(found, (at.exp() * at.new_tensor(0.25).sinh() / 0.25).expand(4))
