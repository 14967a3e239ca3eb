"""What the scripts that train are asked, and what torch and the library make of the same draws."""

from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fmcore import MLP, OTPath, TrainConfig, cfm_loss

TRAIN_RUNNER = (Path(__file__).parent / "train_runner.mjs").read_text("utf-8")
SIZES = ((64, 3, 16), (20, 2, 32), (128, 1, 4))  # hidden, depth, time_dim


def network(hidden=64, depth=3, time_dim=16, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return MLP(dim=2, hidden=hidden, depth=depth, time_dim=time_dim)


def tensors(net):
    return [p.detach().flatten().tolist() for p in net.parameters()]


def about(net):
    """A network as a job names it: its sizes, and its weights."""
    config = net.config
    sizes = {"hidden": config["hidden"], "depth": config["depth"]}
    return {
        "network": {"frequencies": net.embed_time.constants, **sizes},
        "weights": tensors(net),
    }


def drawn(n, seed=0, path=OTPath()):  # noqa: B008
    """x1, x0, t, and the same as a job has it."""
    g = torch.Generator().manual_seed(seed)
    x1, x0, t = (
        2 * torch.randn(n, 2, generator=g),
        torch.randn(n, 2, generator=g),
        torch.rand(n, generator=g),
    )
    return x1, x0, t, batch(x1, x0, t, path)


def batch(x1, x0, t, path=OTPath()):  # noqa: B008
    xt, ut = path.sample(x0.double(), x1.double(), t.double())
    (x, y), (u, v) = xt.T.tolist(), ut.T.tolist()
    return {"x": x, "y": y, "t": t.tolist(), "u": u, "v": v}


def gradient_error(answer, sizes, kinds, n):
    """How far the gradient of a batch is from autograd's, tensor by tensor, relative to each."""
    net = network(*sizes).double()
    x1, x0, t, job = drawn(n)
    loss = cfm_loss(net, OTPath(), x1.double(), x0=x0.double(), t=t.double())
    loss.backward()
    found = answer({"job": "gradient", "kinds": kinds, "batch": job, **about(net)})
    off = [
        (torch.tensor(mine, dtype=torch.float64) - p.grad.flatten()).norm() / p.grad.norm()
        for mine, p in zip(found["gradient"], net.parameters(), strict=True)
    ]
    return found, loss.item(), max(off).item()


def training(answer, kinds, steps=50, n=100, lr=1e-2, clip=1.0):
    """So many steps on the same draws: the script's weights, averages, losses, and torch's."""
    net = network()
    config = TrainConfig(steps=200, lr=lr, schedule="cosine", warmup=20, ema=0.99, clip=clip)
    draws = [drawn(n, seed=k) for k in range(steps)]
    rates = [config.learning_rate(k, config.steps) for k in range(steps)]
    decays = [min(config.ema, k / (9 + k)) for k in range(steps)]
    how = [
        {"lr": rate, "decay": config.weight_decay, "average": decay, "clip": clip}
        for rate, decay in zip(rates, decays, strict=True)
    ]
    job = {"job": "steps", "kinds": kinds, "batches": [d[3] for d in draws], "how": how}
    found = answer({**job, **about(net)})
    ema = AveragedModel(net).module
    optimizer = torch.optim.AdamW(net.parameters(), lr, weight_decay=config.weight_decay)
    losses = []
    for k, (x1, x0, t, _) in enumerate(draws):
        optimizer.param_groups[0]["lr"] = rates[k]
        optimizer.zero_grad()
        loss = cfm_loss(net, OTPath(), x1, x0=x0, t=t)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        with torch.no_grad():
            get_ema_multi_avg_fn(decays[k])([*ema.parameters()], [*net.parameters()], k)
        losses.append(loss.item())
    return found, {"weights": tensors(net), "averages": tensors(ema), "losses": losses}
