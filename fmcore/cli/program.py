"""The program `fmcore`: its commands, and how a user's mistake ends."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import torch
import tyro

from fmcore.cli.draw import Evaluate, Sample
from fmcore.cli.export import Export
from fmcore.cli.train import Train, defaults_of_recipe
from fmcore.data import DataUnavailable
from fmcore.training import CheckpointError


def main(args: list[str] | None = None) -> None:
    """Entry point: a user's mistake ends in one line and exit status 2, not in a traceback."""
    args = sys.argv[1:] if args is None else args
    if args == ["--version"]:
        print(f"fmcore {version('fmcore')}")
        return
    try:
        tyro.cli(_commands(args), prog="fmcore", args=args)()
    except (
        ValueError, TypeError, OSError, MemoryError, torch.OutOfMemoryError, DataUnavailable,
        CheckpointError, ModuleNotFoundError,
    ) as error:  # fmt: skip
        print(f"fmcore: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except FloatingPointError as error:
        print(f"fmcore: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt as stop:
        print(f"fmcore: {str(stop) or 'stopped'}", file=sys.stderr)
        raise SystemExit(130) from None


def _commands(args: list[str]):
    """The commands, with the defaults of the recipe that `args` name."""
    train = tyro.conf.subcommand("train")
    if default := defaults_of_recipe(args):
        train = tyro.conf.subcommand("train", default=default)
    sample, judge = tyro.conf.subcommand("sample"), tyro.conf.subcommand("evaluate")
    drawn = Annotated[Sample, sample] | Annotated[Evaluate, judge]
    return Annotated[Train, train] | drawn | Annotated[Export, tyro.conf.subcommand("export")]
