"""A training that nobody disturbs, to compare with, and Ctrl-C as it is in a terminal."""

import signal

import pytest
from resumable import train


@pytest.fixture(scope="session")
def whole():
    """The run that nobody disturbs."""
    return train()


@pytest.fixture(autouse=True)
def python_waits_for_ctrl_c():
    """Also where the tests are a job in the background, to which Ctrl-C means nothing."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
