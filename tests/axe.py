"""axe-core, which looks for barriers in a page."""

from importlib.util import find_spec
from pathlib import Path

SCRIPT = (Path(find_spec("axe_playwright_python").origin).parent / "axe.min.js").read_text("utf-8")
