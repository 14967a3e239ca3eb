"""The command line: `fmcore train`, `sample`, `evaluate` and `export`."""

from fmcore.cli.options import Evaluate, Export, Sample, Train
from fmcore.cli.program import main

__all__ = ["Evaluate", "Export", "Sample", "Train", "main"]
