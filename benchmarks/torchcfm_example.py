"""torchcfm's MNIST example: its network, its matcher, and its training, step by step.

The example is `examples/images/mnist_example.ipynb` of atong01/conditional-flow-matching at commit
cacd4dc, its part OT-CFM: a U-Net of 32 channels with attention, exact optimal transport between the
noise and the images of each batch, Adam with its defaults, 3 epochs in batches of 128, no average
of the weights. `by_example` takes the steps of that notebook and draws its random numbers in the
same order. torchcfm itself is needed by nothing but `torchcfm()`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from fmcore.files import replacing

EXAMPLE = "atong01/conditional-flow-matching, examples/images/mnist_example.ipynb, cacd4dc"
EPOCHS, BATCH, TOLERANCE = 3, 128, 1e-4  # of the example
REPORT = 52  # steps between two reports, a ninth of an epoch


class TimeFirst(nn.Module):
    """A network that is called `net(t, x)`, called `net(x, t)`."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.net(t.expand(len(x)), x)


def torchcfm() -> tuple[Callable[[], nn.Module], Any]:
    """The network and the matcher of the example; ends the program if there is no torchcfm."""
    try:
        from torchcfm.conditional_flow_matching import ExactOptimalTransportConditionalFlowMatcher
        from torchcfm.models.unet import UNetModel
    except ImportError as error:
        raise SystemExit(
            f"this benchmark needs torchcfm, which does not come with fmcore ({error}).\n"
            "Try: pip install torchcfm"
        ) from error
    network = partial(UNetModel, dim=(1, 28, 28), num_channels=32, num_res_blocks=1)
    return network, ExactOptimalTransportConditionalFlowMatcher(sigma=0.0)


def torchcfm_version() -> dict[str, str]:
    return {"torchcfm": version("torchcfm")}


def as_coupling(matcher: Any) -> Callable:
    """The optimal transport of torchcfm for `fit`: pairs drawn from the plan, with replacement."""

    def exact_optimal_transport(x0, x1, label=None, *, generator):
        # The plan is drawn from by NumPy's global stream; its seed comes from that of the training.
        seed = torch.randint(2**31, (), generator=generator, device=generator.device)
        np.random.seed(int(seed))
        return *matcher.ot_sampler.sample_plan(x0, x1), label

    return exact_optimal_transport


def random_state(device: str) -> dict[str, Any]:
    """The state of all global streams of random numbers, as plain values and tensors."""
    kind, numbers, *rest = np.random.get_state()
    cuda = torch.cuda.get_rng_state(device) if device.startswith("cuda") else None
    return {"numpy": [kind, numbers.tolist(), *rest], "torch": torch.get_rng_state(), "cuda": cuda}


def set_random_state(state: Mapping[str, Any], device: str) -> None:
    np.random.set_state(tuple(state["numpy"]))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)


def autocast(device: str, arithmetic: str) -> AbstractContextManager:
    return torch.autocast(torch.device(device).type, torch.bfloat16, arithmetic == "bf16")


def by_example(
    net: nn.Module,
    matcher: Any,
    images: Tensor,
    *,
    epochs: int,
    batch: int,
    device: str,
    arithmetic: str,
    compiled: bool,
    file: Path,
    every: int,
) -> Iterator[tuple[int, float, float]]:
    """Train `net` in place as the notebook does; yields (step, loss, seconds so far).

    Every so many steps the state goes into `file`, from which a later call goes on: with the same
    numbers, as if it had never been stopped.
    """
    net = net.to(device)
    optimizer = torch.optim.Adam(net.parameters())
    loader = DataLoader(TensorDataset(images), batch_size=batch, shuffle=True, drop_last=True)
    run = torch.compile(net) if compiled else net
    step, losses, before, batches = 0, [], 0.0, len(loader)
    first = now = random_state(device)  # at the beginning of the epoch, and after the last step
    if file.is_file():
        state = torch.load(file, map_location="cpu", weights_only=True)
        net.load_state_dict(state["weights"])
        optimizer.load_state_dict(state["optimizer"])
        step, losses, before = state["step"], state["losses"], state["seconds"]
        first, now = state["first"], state["now"]
        set_random_state(now, device)
    start = time.perf_counter()
    for epoch in range(step // batches, epochs):
        done = step - epoch * batches
        if done:
            set_random_state(first, device)  # the order of the images follows from it
        else:
            first = random_state(device)
        data = iter(loader)
        if done:
            for _ in range(done):
                next(data)
            set_random_state(now, device)
        for (x1,) in data:
            optimizer.zero_grad()
            x1 = x1.to(device)
            x0 = torch.randn_like(x1)
            t, xt, ut = matcher.sample_location_and_conditional_flow(x0, x1)
            with autocast(device, arithmetic):
                vt = run(xt, t)
                loss = torch.mean((vt - ut) ** 2)
            loss.backward()
            optimizer.step()
            step, losses = step + 1, [*losses, loss.item()]
            seconds = before + time.perf_counter() - start
            at_the_end = step == epochs * batches
            if step % REPORT == 0 or at_the_end:
                yield step, statistics.fmean(losses), seconds
                losses = []
            if step % every == 0 and not at_the_end:
                state = {
                    "weights": net.state_dict(), "optimizer": optimizer.state_dict(),
                    "step": step, "losses": losses, "seconds": seconds,
                    "first": first, "now": random_state(device),
                }  # fmt: skip
                with replacing(file) as stream:
                    torch.save(state, stream)


def as_the_example_shows(pixels: Tensor) -> Tensor:
    """Bytes as the example's transforms turn them into numbers: to [0, 1], then less 0.5, by 0.5.

    >>> as_the_example_shows(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([-1.,  1.])
    """
    return (pixels / 255 - 0.5) / 0.5
