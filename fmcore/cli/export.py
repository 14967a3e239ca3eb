"""`fmcore export`: a trained network for programs that have no fmcore."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a trained network as ONNX (.onnx) or for torch.export (.pt2), for any batch size.

    Inputs are x (batch, *shape), t (batch,) between 0, noise, and 1, data, and of a network with
    classes label (batch,), int64; the output v (batch, *shape) is the velocity.
    """

    weights: str = "mnist"
    """A weight file, or the name of a model that comes with the library."""
    out: Path
    """Where the network goes; the ending of the name says how (.onnx or .pt2)."""
    opset: int | None = None
    """Version of ONNX's operators; left out, 18."""

    def __call__(self) -> None:
        from fmcore.export import export_model  # torch is needed only when something runs
        from fmcore.weights import load_model

        model = load_model(self.weights)
        export_model(model, self.out, opset=self.opset)
        print(f"wrote {self.out}: {self.out.expanduser().stat().st_size:,} bytes")
