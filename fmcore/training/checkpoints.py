"""Checkpoints: a training that was killed goes on as if nothing had happened.

A checkpoint is one file, `step-00001000.pt`, written under another name and then renamed: whenever
the process dies, every file of that name is whole. It holds tensors and plain values
only, and is read with `weights_only=True`, so that no file can run code.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch

from fmcore.checks import flag, whole
from fmcore.files import replacing

__all__ = ["CheckpointError", "Checkpoints"]


class CheckpointError(RuntimeError):
    """A checkpoint could not be written or read; the message names the file and what is left."""


@dataclass(frozen=True)
class Checkpoints:
    """Where and how often a training is saved, and whether it goes on from there.

    Raises `ValueError` if a number is below 1, `TypeError` for a value of the wrong kind.

    >>> Checkpoints("runs/digits", every=500).latest() is None
    True
    """

    folder: str | Path
    """The folder, made if it is not there."""
    every: int = 1000
    """Steps between two checkpoints; the last step is always saved."""
    keep: int = 3
    """How many of the latest are kept."""
    resume: bool = False
    """Go on from the latest checkpoint; begin at step 0 if there is none."""
    skip_damaged: bool = False
    """Go on from an earlier checkpoint if later ones cannot be read."""

    def __post_init__(self) -> None:
        for name in ("every", "keep"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        for name in ("resume", "skip_damaged"):
            object.__setattr__(self, name, flag(name, getattr(self, name)))
        object.__setattr__(self, "folder", Path(self.folder).expanduser())

    def files(self) -> list[Path]:
        """All whole checkpoints, from the first to the latest."""
        names = ((file, re.fullmatch(r"step-(\d{8,})\.pt", file.name)) for file in self._listing())
        steps = [(int(match[1]), file) for file, match in names if match]
        return [file for _, file in sorted(steps)]

    def _listing(self) -> list[Path]:
        folder = Path(self.folder)
        return list(folder.iterdir()) if folder.is_dir() else []

    def latest(self) -> Path | None:
        """The latest whole checkpoint, if there is one."""
        return next(reversed(self.files()), None)

    def prepare(self) -> None:
        """Make the folder and clear away what a killed process left half-written.

        `ValueError` if checkpoints lie there already and `resume` is off.
        """
        try:
            if not self.resume and (latest := self.latest()):
                raise ValueError(
                    f"{self.folder} holds checkpoints, up to {latest.name}: pass resume=True "
                    "(--resume) to go on from there, or choose another folder"
                )
            Path(self.folder).mkdir(parents=True, exist_ok=True)
            for file in self._listing():
                if file.name.endswith(".pt.partial"):
                    file.unlink()
            tempfile.TemporaryFile(dir=self.folder).close()  # it can be written to
        except OSError as error:
            raise ValueError(f"cannot use {self.folder} for checkpoints: {error}") from error

    def save(self, state: dict, step: int) -> Path:
        """Write `state`, whole or not at all, and delete what is older than the last `keep`.

        Raises `CheckpointError` if the disk is full or gone; what was saved before is still there.
        """
        file = Path(self.folder) / f"step-{step:08d}.pt"
        try:
            with replacing(file) as stream:
                torch.save(state, stream)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
            latest = self.latest()
            left = f"the latest whole one is {latest}" if latest else "there is no earlier one"
            raise CheckpointError(f"could not write {file} ({error}); {left}") from error
        # Later ones are there if they were damaged and skipped: they do not count.
        earlier = [old for old in self.files() if old.name <= file.name]
        for old in earlier[: -self.keep]:
            old.unlink(missing_ok=True)
        return file

    def load(self) -> tuple[dict, Path] | None:
        """The latest state, on the CPU, and its file; None if there is none, or if `resume` is off.

        Raises `CheckpointError` if a file is damaged, unless `skip_damaged` allows going back.
        """
        if not self.resume:
            return None
        problem = None
        for file in reversed(self.files()):
            try:
                return _read(file), file
            except CheckpointError as error:
                problem = error
                if not self.skip_damaged:
                    others = [other.name for other in self.files() if other < file]
                    raise CheckpointError(
                        f"{error}; earlier ones: {', '.join(others) or 'none'}; "
                        "pass skip_damaged=True (--skip-damaged) to go on from the latest good one"
                    ) from error
        if problem:
            raise CheckpointError(f"no checkpoint in {self.folder} can be read: {problem}")
        return None


def _read(file: Path) -> dict:
    try:
        # torch does not compare the checksums that it wrote; a flipped bit would become a weight.
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
        if damaged:
            raise CheckpointError(f"{file} is damaged: the checksum of {damaged} is wrong")
        state = torch.load(file, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or not {"what", "step"} <= state.keys():
            raise CheckpointError(f"{file} was not written by fmcore.fit")
        return state
    except CheckpointError:
        raise
    except Exception as error:  # zipfile, pickle and torch each have errors of their own
        raise CheckpointError(f"{file} is damaged or no checkpoint ({error})") from error
