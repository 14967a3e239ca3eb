"""The command line: `fmcore train`, `fmcore sample` and `fmcore evaluate`."""

from fmcore.cli.draw import Evaluate, Sample
from fmcore.cli.program import main
from fmcore.cli.train import Train

__all__ = ["Evaluate", "Sample", "Train", "main"]
