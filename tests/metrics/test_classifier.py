"""The classifier that is shipped."""

import pytest
import torch

from fmcore.data import load_images
from fmcore.images import to_unit
from fmcore.metrics import (
    DigitClassifier,
    load_classifier,
)
from fmcore.metrics.classifier import network_card


def test_the_classifier_reads_digits():
    assert network_card("mnist")["test_accuracy"] >= 0.993
    model = load_classifier()
    assert not model.training and sum(p.numel() for p in model.parameters()) == 94_698
    test = load_images("mnist", split="test", download=False)
    if not test.complete:
        pytest.skip("MNIST is not on this machine")
    with torch.no_grad():
        logits = torch.cat([model(to_unit(x)) for x in test.pixels.split(1000)])
    wrong = logits.argmax(1) != test.labels
    assert 1 - wrong.double().mean().item() == pytest.approx(
        network_card("mnist")["test_accuracy"], abs=2e-4
    )


def test_the_classifier_refuses_other_images():
    with pytest.raises(ValueError, match=r"images must have shape \(B, 1, 28, 28\)"):
        DigitClassifier()(torch.zeros(2, 784))
