"""The build of the book: when chapters run again, what is kept of them, and the server's port."""

import socket
import sys
from pathlib import Path

import nbformat
import pytest
import torch

import fmcore
from fmcore.data import ImageData

ROOT = Path(__file__).resolve().parent.parent

import book  # noqa: E402

jupyter_cache = pytest.importorskip("jupyter_cache")


def mnist(folder, n, problem=None):
    """What `load_images` gives: the set found in `folder`, or the embedded part, and why."""
    nothing = torch.zeros(1)
    return ImageData(nothing.expand(n), nothing, "mnist", problem or folder, problem is None)


class Build:
    """Builds in an empty folder; an execution of its chapter says a text of `said`."""

    def __init__(self, folder, monkeypatch):
        self.cache, self.site = folder / "_build/.jupyter_cache", folder / "_build/html"
        self.executions, self.rendered, self.said = 0, 0, []
        self.data = mnist("/data", 60_000)
        monkeypatch.setattr(book, "BUILD", folder / "_build")
        monkeypatch.setattr(book, "render", self.render)
        monkeypatch.setattr(book, "digest", lambda sources, *extra: repr((sources, extra)))
        monkeypatch.setattr(fmcore, "load_images", lambda name: self.data)
        monkeypatch.setenv("FMCORE_DATA", "")

    def render(self):
        """As Jupyter Book does: executes what is not in the cache, and fails if it hears a word."""
        self.rendered += 1
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("draw()")])
        cache = jupyter_cache.get_cache(self.cache)
        try:
            notebook = cache.merge_match_into_notebook(notebook)[1]
        except KeyError:
            self.executions += 1
            texts = [("stdout", "drawn"), *(("stderr", text) for text in self.said[:1])]
            del self.said[:1]
            notebook.cells[0].outputs = [
                nbformat.v4.new_output("stream", name=name, text=text) for name, text in texts
            ]
            file = self.cache.parent / "chapter.ipynb"
            nbformat.write(notebook, file)
            cache.cache_notebook_file(file, check_validity=False)
        return int(any(out.name == "stderr" for out in notebook.cells[0].outputs))

    def __call__(self):
        """The exit status, and how often the chapter was executed and the site rendered."""
        self.executions = self.rendered = 0
        try:
            book.build()
        except SystemExit as stop:
            return stop.code, self.executions, self.rendered
        return 0, self.executions, self.rendered


@pytest.fixture
def build(tmp_path, monkeypatch):
    return Build(tmp_path, monkeypatch)


def test_nothing_runs_twice(build):
    assert build() == (0, 1, 1)
    assert build() == (0, 0, 0)


def test_chapters_run_again_when_all_of_mnist_is_found(build):
    build.data = mnist("", 5_000, "no network")
    assert build() == (0, 1, 1)
    assert build() == (0, 0, 0)
    build.data = mnist("/data", 60_000)
    assert build() == (0, 1, 1)


def test_the_same_data_elsewhere_are_the_same(build):
    assert build() == (0, 1, 1)
    build.data = mnist("/moved", 60_000)
    assert build() == (0, 0, 0)
    build.data = mnist("", 5_000, "no network")
    assert build() == (0, 1, 1)
    build.data = mnist("", 5_000, "a full disk")
    assert build() == (0, 0, 0)


@pytest.mark.parametrize(
    ("data", "told"), [(mnist("/data", 60_000), "/data"), (mnist("", 5_000, "none"), "embedded")]
)
def test_all_chapters_see_what_was_found(build, data, told, capsys):
    """A network that comes back in the middle of a build changes nothing for the rest of it."""
    build.data = data
    build()
    assert book.os.environ["FMCORE_DATA"] == told
    assert str(data) in capsys.readouterr().out


@pytest.mark.parametrize("error", [ValueError("t10k is damaged"), TimeoutError("is being loaded")])
def test_data_that_cannot_be_read_are_one_line(build, error, monkeypatch):
    def load(name):
        raise error

    monkeypatch.setattr(fmcore, "load_images", load)
    assert build() == (str(error), 0, 0)


def test_the_first_notice_of_a_library_fails_nothing(build):
    build.said = ["Matplotlib is building the font cache; this may take a moment."]
    assert build() == (0, 2, 2)
    assert build() == (0, 0, 0)


def test_a_warning_that_comes_again_fails_and_is_not_kept(build):
    build.said = ["RuntimeWarning"] * 2
    assert build() == (1, 2, 2)
    assert not jupyter_cache.get_cache(build.cache).list_cache_records()
    assert build() == (0, 1, 1)  # mended, though its cells are the same


def test_another_failure_is_not_tried_again(build, monkeypatch):
    """A chapter without a word on stderr stays in the cache, whatever else fails."""
    render = build.render
    monkeypatch.setattr(book, "render", lambda: render() or 2)
    assert build() == (2, 1, 1)
    assert build() == (2, 0, 1)


@pytest.mark.parametrize("port", ["0", "65536", "99999", "-1", "80.5", "http"])
def test_a_port_that_is_none_is_one_line(port, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["book.py", "serve", f"--port={port}"])
    with pytest.raises(SystemExit) as stop:
        book.main()
    assert stop.value.code == f"A port is a number from 1 to 65535, not '{port}'. Try: " + (
        "make book PORT=8000"
    )


def test_a_port_that_is_taken_is_one_line(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SystemExit, match=f"Port {port} is taken by another program. Choose"):
            book.serve(str(port))


def test_pages_of_every_depth_are_in_the_order_of_the_contents(tmp_path):
    toc = """
root: one
parts:
  - caption: A part
    chapters:
      - file: two
        sections:
          - file: three
          - url: https://example.org
  - chapters:
      - file: four
"""
    (tmp_path / "_toc.yml").write_text(toc, "utf-8")
    (tmp_path / "three.ipynb").touch()
    assert book.pages(tmp_path) == ["one", "two", "three", "four"]
    assert book.chapters(tmp_path) == ["three"]
