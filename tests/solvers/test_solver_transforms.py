"""`torch.func` and a compiler through solvers: each row as in the batch, gradients as without."""

import pytest
import torch
from known import F64, decay
from small import noise
from torch.func import jacrev, jvp, vmap

from fmcore import MLP, OTPath, multistep, odeint

SETTINGS = [
    {"method": "rk4", "steps": 3},
    {"method": "dopri5", "steps": 20, "t_eval": [0.25, 1.0]},
    {"method": "heun", "step_size": 0.3},
    {"method": "dopri5", "rtol": 1e-4, "atol": 1e-5, "t_eval": [0.25, 1.0]},
]


def turn(x, t):
    """A rotation, faster and faster: x' = 2 t (x_2, -x_1)."""
    return 2 * t * torch.stack([x[..., 1], -x[..., 0]], dim=-1)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_vmap_over_states_is_the_batch(settings):
    x0 = noise(4, 2)
    together = odeint(turn, x0, **settings)
    sol = vmap(lambda x: odeint(turn, x, **settings).x)(x0)
    assert torch.equal(sol, together.x)
    if "t_eval" in settings:
        xs = vmap(lambda x: odeint(turn, x, **settings).xs, out_dims=1)(x0)
        assert torch.equal(xs, together.xs)


@pytest.mark.parametrize(
    "solve",
    [
        lambda net, x: odeint(net, x, steps=3).x,
        lambda net, x: multistep(net, OTPath(), x, steps=3).x,
    ],
    ids=["odeint", "multistep"],
)
def test_vmap_over_the_states_of_a_network(solve):
    torch.manual_seed(0)
    net, x0 = MLP(hidden=8, depth=1), noise(4, 2)
    torch.testing.assert_close(vmap(lambda x: solve(net, x[None])[0])(x0), solve(net, x0))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_jvp_and_jacrev_turn_as_the_flow_does(settings):
    x0 = noise(2).double()
    flow = lambda x: odeint(turn, x, **settings).x  # noqa: E731
    c, s = torch.cos(torch.ones((), dtype=F64)), torch.sin(torch.ones((), dtype=F64))
    exact = torch.stack([torch.stack([c, s]), torch.stack([-s, c])])  # int 2 t dt = 1
    jacobian = jacrev(flow)(x0)
    torch.testing.assert_close(jacobian, exact, rtol=0, atol=0.05)
    forward = jvp(flow, (x0,), (torch.ones_like(x0),))[1]
    torch.testing.assert_close(forward, jacobian.sum(1))


def test_a_row_that_leaves_the_numbers_is_found():
    with pytest.raises(ValueError, match="NaN or infinity in the state after step 1 of 4"):
        vmap(lambda x: odeint(lambda x, t: 1 / x, x, steps=4).x)(torch.tensor([[1.0], [0.0]]))
    with pytest.raises(ValueError, match="x0 must be finite"):
        vmap(lambda x: odeint(decay, x, steps=4).x)(torch.tensor([[1.0], [torch.nan]]))


def test_one_graph_holds_a_whole_solve():
    torch.compiler.reset()
    solve = lambda x: odeint(turn, x, method="rk4", steps=2).x  # noqa: E731
    x0 = noise(3, 2)
    compiled = torch.compile(solve, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x0), solve(x0))
