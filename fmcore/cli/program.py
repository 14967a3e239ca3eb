"""The program `fmcore`: its commands, and how a user's mistake ends."""

from __future__ import annotations

import sys
from typing import Annotated

import tyro

from fmcore import __version__
from fmcore.cli.options import Evaluate, Export, Sample, Train

ABOUT = (
    "Flow matching, from noise to data: train a network, draw with it, judge what it draws. "
    "`fmcore --version` prints the version; `fmcore --tyro-print-completion bash` (or zsh, tcsh) "
    "prints a script that lets that shell complete commands and options."
)


def main(args: list[str] | None = None) -> None:
    """Entry point: a user's mistake ends in one line and exit status 2, not in a traceback."""
    args = sys.argv[1:] if args is None else args
    if args == ["--version"]:
        print(f"fmcore {__version__}")
        return
    try:
        tyro.cli(
            _commands(args), prog="fmcore", args=args, description=ABOUT,
            config=(tyro.conf.DisallowNone,),
        )()  # fmt: skip
    except KeyboardInterrupt as stop:
        status, told = 130, str(stop) or "stopped"
    except FloatingPointError as error:
        status, told = 1, str(error)
    except Exception as error:
        if not isinstance(error, _mistakes()):
            raise
        status, told = 2, str(error)
    else:
        return
    print(f"fmcore: {told}", file=sys.stderr)
    raise SystemExit(status)


def _mistakes() -> tuple[type[Exception], ...]:
    """The errors that are no fault of the program."""
    import torch

    from fmcore.data import DataUnavailable
    from fmcore.training import CheckpointError

    known = ValueError, TypeError, OSError, MemoryError, torch.OutOfMemoryError
    return (*known, DataUnavailable, CheckpointError, ModuleNotFoundError)


def _commands(args: list[str]):
    """The commands, with the defaults of the recipe that `args` name."""
    train = tyro.conf.subcommand("train")
    if any(arg.startswith("--recipe") for arg in args):
        from fmcore.cli.train import defaults_of_recipe  # a recipe comes with torch

        if default := defaults_of_recipe(args):
            train = tyro.conf.subcommand("train", default=default)
    sample, judge = tyro.conf.subcommand("sample"), tyro.conf.subcommand("evaluate")
    drawn = Annotated[Sample, sample] | Annotated[Evaluate, judge]
    return Annotated[Train, train] | drawn | Annotated[Export, tyro.conf.subcommand("export")]
