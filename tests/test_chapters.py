"""The chapters that read images, on the part of MNIST that comes with the library.

Every chapter is executed as it stands by nbval; here once more, without the whole of MNIST.
"""

from pathlib import Path

import nbclient
import nbformat
import pytest

BOOK = Path(__file__).resolve().parent.parent / "book"
SOURCES = {file.stem: file.read_text(encoding="utf-8") for file in sorted(BOOK.glob("*.ipynb"))}
READERS = [name for name, source in SOURCES.items() if "load_images" in source]


@pytest.mark.parametrize("name", READERS)
def test_a_chapter_holds_on_the_embedded_part(name, monkeypatch):
    """Every assertion passes, and one visible line says what the page was made with."""
    monkeypatch.setenv("FMCORE_DATA", "embedded")
    notebook = nbformat.reads(SOURCES[name], as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": BOOK}}).execute()
    told = [
        output.get("text", "")
        for cell in notebook.cells
        if cell.cell_type == "code" and not hidden(cell)
        for output in cell.outputs
    ]
    assert sum("5,000 images of mnist, the part that comes" in text for text in told) == 1


def hidden(cell):
    """Whether the page leaves out what the cell prints."""
    return {"remove-output", "remove-cell", "hide-cell", "hide-output"} & set(
        cell.metadata.get("tags", [])
    )


@pytest.mark.parametrize("name", SOURCES)
def test_no_claim_of_a_chapter_depends_on_the_data(name):
    """No line asks which data set it is."""
    notebook = nbformat.reads(SOURCES[name], as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    for question in ("data.name", ".complete:", "DataUnavailable", "if data"):
        assert question not in code, question


def test_the_chapters_that_read_images_are_known():
    assert [name[:2] for name in READERS] == ["04", "05", "07", "09", "10", "12"]
