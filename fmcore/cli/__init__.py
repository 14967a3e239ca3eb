"""The command line: `fmcore train`, `sample`, `evaluate` and `export`."""

from fmcore.cli.draw import Evaluate, Sample
from fmcore.cli.export import Export
from fmcore.cli.program import main
from fmcore.cli.train import Train

__all__ = ["Evaluate", "Export", "Sample", "Train", "main"]
