"""Metrics of chapter 10: how good are these digits? Real images set the scale of every score.

And of chapter 7: how straight is a flow, and how far apart are two clouds of points?
"""

from fmcore.metrics.classifier import DigitClassifier, load_classifier
from fmcore.metrics.distances import frechet_distance, nearest, precision_recall
from fmcore.metrics.judge import FEWEST, Evaluation, Judge, report
from fmcore.metrics.reader import Reader, load_reader, readable
from fmcore.metrics.transport import path_length, straightness, wasserstein2

__all__ = [
    "FEWEST",
    "DigitClassifier",
    "Evaluation",
    "Judge",
    "Reader",
    "frechet_distance",
    "load_classifier",
    "load_reader",
    "nearest",
    "path_length",
    "precision_recall",
    "readable",
    "report",
    "straightness",
    "wasserstein2",
]
