"""Interrupts: a step is done or not begun, and what was learnt is saved however a loop is left."""

from __future__ import annotations

import atexit
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol


class Keepable(Protocol):
    """What `kept` asks of a training."""

    def save_unsaved(self) -> None:
        """Save what is not saved yet, if it can be."""

    def how_to_go_on(self) -> str:
        """In a line: where the training stopped, and the file from which it goes on."""


@contextmanager
def kept(training: Keepable) -> Generator[None]:
    """Saves a training when its loop is left early, by `break`, Ctrl-C or the program's end.

    A `KeyboardInterrupt` goes on with a line that says how to resume.
    """
    # A loop that is still open when the program ends would come too late: Python is half gone then.
    atexit.register(training.save_unsaved)
    try:
        yield
    except GeneratorExit:  # the caller left the loop
        training.save_unsaved()
        raise
    except KeyboardInterrupt:
        training.save_unsaved()
        raise KeyboardInterrupt(training.how_to_go_on()) from None
    finally:
        atexit.unregister(training.save_unsaved)


@contextmanager
def whole_steps() -> Generator[None]:
    """Ctrl-C waits until the block is done; then the signal is raised again."""
    with delayed_interrupt() as interrupts:
        yield
    if interrupts:
        signal.raise_signal(signal.SIGINT)


@contextmanager
def delayed_interrupt() -> Generator[list[int]]:
    """Ctrl-C is only noted while the block runs; afterwards the list is not empty if one came.

    A second one is not held: the handler that was there before gets it at once. Where there is no
    Python handler, as in a thread or in a background job, nothing is held.

    >>> with delayed_interrupt() as interrupts:
    ...     pass
    >>> interrupts
    []
    """
    interrupts: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield interrupts
        return

    def note(number: int, frame: object) -> None:
        interrupts.append(number)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
