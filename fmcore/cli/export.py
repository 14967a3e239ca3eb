"""`fmcore export`: a trained network for programs that have no fmcore."""

from __future__ import annotations

from typing import Any

from fmcore.cli.options import Export, to_stdout
from fmcore.export import export_model
from fmcore.weights import load_model


def export(o: Export) -> dict[str, Any]:
    """Write the network; what there is to say of it."""
    if to_stdout(o.out):
        raise ValueError("a network goes to a file, not to the standard output")
    model = load_model(o.weights)
    if o.to == "web":
        if o.opset is not None:
            raise ValueError(f"opset={o.opset!r} is a version of ONNX, and a page has none")
        from fmcore.viz.web import export_web  # with matplotlib, which ONNX does without

        export_web(model, o.out)
    else:
        export_model(model, o.out, opset=o.opset)
    size = o.out.expanduser().stat().st_size
    print(f"wrote {o.out}: {size:,} bytes")
    return {"out": str(o.out), "weights": o.weights, "to": o.to, "opset": o.opset, "bytes": size}
