"""Replaying a step, with a CUDA graph that is played by hand: `test_gpu.py` has real ones."""

import contextlib
import warnings

import pytest
import torch

from fmcore.training import Team, TrainConfig
from fmcore.training.replay import Replayed
from fmcore.training.state import can_replay


class Graph:
    """What was recorded happens again, on what lies at the same places."""

    def replay(self):
        self.result.copy_(self.work())


@pytest.fixture
def gpu(monkeypatch):
    """The calls of torch.cuda, in order."""
    calls = []

    class Stream:
        def wait_stream(self, other):
            calls.append("wait")

    @contextlib.contextmanager
    def named(name):
        calls.append(name)
        yield

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: named("aside"))
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, stream: named("record"))
    return calls


def test_it_runs_aside_three_times_then_records_then_replays(gpu):
    place = {}

    def step(x, weight):
        assert weight is None
        place["x"] = x
        return 2 * x

    replayed, answers = Replayed(step), []
    for k in range(6):
        if replayed.graph is not None:
            replayed.graph.result = replayed.result
            replayed.graph.work = lambda: 2 * place["x"]
        elif k == 3:  # played by hand: the first replay comes with the recording
            Graph.result, Graph.work = torch.zeros(2), lambda self: torch.full((2,), 6.0)
        answers.append(replayed(torch.full((2,), float(k)), None))
    assert gpu == ["wait", "aside", "wait"] * 3 + ["record"]
    # The last three answers: the fourth from the recording, the others from new arguments, and none
    # of them is the place that the next replay writes to.
    assert [a.tolist() for a in answers] == [[2.0 * k] * 2 for k in range(6)]
    assert len({a.data_ptr() for a in answers[3:]} | {replayed.result.data_ptr()}) == 4


def test_what_is_given_is_not_kept(gpu):
    """The arguments of the recording are copies: the caller's may be overwritten."""
    Graph.result, Graph.work = torch.zeros(1), lambda self: torch.zeros(1)
    replayed = Replayed(lambda x: x + 1, warm_up=0)
    x = torch.zeros(1)
    replayed(x)
    assert replayed.given[0].data_ptr() != x.data_ptr()


def test_a_step_that_looks_at_a_value_is_refused_with_a_remedy(gpu):
    def step(x):
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="cannot be recorded.*compile=False"):
        Replayed(step, warm_up=0)(torch.zeros(1))


def test_an_optimizer_that_waits_to_be_recorded_is_quiet_about_it(gpu):
    def step(x):
        warnings.warn("This instance was constructed with capturable=True", stacklevel=1)
        warnings.warn("something else", stacklevel=1)
        return x

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        Replayed(step)(torch.zeros(1))
    assert [str(w.message) for w in said] == ["something else"]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("size", [1, 2])
def test_what_is_replayed(precision, compiled, device, size):
    config = TrainConfig(steps=1, precision=precision, compile=compiled)
    alone_on_a_gpu = (compiled, device, size) == (True, "cuda", 1)
    expected = alone_on_a_gpu and precision in ("fp32", "bf16")
    assert can_replay(config, torch.device(device), Team(0, size)) == expected
