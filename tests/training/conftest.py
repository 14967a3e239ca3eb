"""Fixtures of all tests of training."""

import signal

import pytest
from saved_trainings import train


@pytest.fixture(autouse=True)
def python_waits_for_ctrl_c():
    """Also where the tests are a job in the background, to which Ctrl-C means nothing."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def whole():
    """The run that nobody disturbs."""
    return train()
