"""Metrics of chapter 10: how good are these digits? Real images set the scale of every score."""

from fmcore.metrics.classifier import DigitClassifier, load_classifier
from fmcore.metrics.distances import frechet_distance, nearest, precision_recall
from fmcore.metrics.judge import FEWEST, Evaluation, Judge, report
from fmcore.metrics.reader import Reader, load_reader, readable

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
    "precision_recall",
    "readable",
    "report",
]
