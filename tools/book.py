"""Build the book into _build/html, and serve it.

    python tools/book.py build
    python tools/book.py serve --port 8000

Run it through `make html` and `make book`, which prepare the environment.
"""

import argparse
import errno
import functools
import hashlib
import http.server
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import finish
import sharing
import slides
import stamp
import yaml
from stamp import repository

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
LIBRARY = ["fmcore", "benchmarks/results", "requirements.txt", "tools/ipython_kernel_config.py"]
SITE = ["book", "_config.yml", "_toc.yml", "references.bib", "tools"]


def digest(sources: list[str], *extra: str) -> str:
    """Return a hash of all files in `sources` (files or folders) and of the strings `extra`."""
    state = hashlib.sha256("\n".join(extra).encode())
    for source in sources:
        top = ROOT / source
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            hidden = {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
            if path.is_file() and not hidden:
                state.update(f"\n{path.relative_to(ROOT).as_posix()}\n".encode())
                state.update(path.read_bytes())
    return state.hexdigest()


def config(root: Path = ROOT) -> dict[str, Any]:
    """What _config.yml says of the book: its title, its authors, ..."""
    return yaml.safe_load((root / "_config.yml").read_text("utf-8"))


def pages(root: Path = ROOT) -> list[str]:
    """All pages of the table of contents, in its order: book/index, book/01_wind, ..."""

    def listed(node: Any) -> Iterator[str]:
        for key, value in node.items():
            if key in ("root", "file"):
                yield value
            elif key in ("parts", "chapters", "sections"):
                for inner in value:
                    yield from listed(inner)

    return list(listed(yaml.safe_load((root / "_toc.yml").read_text("utf-8"))))


def chapters(root: Path = ROOT) -> list[str]:
    """Those pages that are notebooks."""
    return [page for page in pages(root) if (root / f"{page}.ipynb").is_file()]


def about(root: Path = ROOT) -> sharing.Book:
    """What the pages of the site say of the book."""
    said = config(root)
    (description,) = said["sphinx"]["config"]["myst_html_meta"].values()
    return sharing.Book(
        title=said["title"],
        author=said["author"],
        description=description,
        pages=tuple(pages(root)),
        changelog=root / "CHANGELOG.md",
        picture=root / "book" / "assets" / "readme.png",
        home=stamp.site(repository(root)),
    )


def find_data() -> str:
    """Find MNIST for all chapters, or download it; return what was found.

    Its checksums were compared, so "60,000 images of mnist" says every byte.
    """
    from fmcore import load_images  # with torch, which takes seconds

    try:
        data = load_images("mnist")
    except (ValueError, TimeoutError) as error:  # a damaged file; another process downloads
        sys.exit(str(error))
    print(
        f"The chapters run on {data}" + ("." if data.complete else f": {data.source}"), flush=True
    )
    os.environ["FMCORE_DATA"] = os.path.abspath(data.source) if data.complete else "embedded"
    return str(data)


def forget_noisy() -> list[str]:
    """Take executions that wrote to stderr out of the cache; return the names of their chapters."""
    from jupyter_cache import get_cache

    cache, names = get_cache(BUILD / ".jupyter_cache"), []
    for record in cache.list_cache_records():
        cells = cache.get_cache_bundle(record.pk).nb.cells
        if any(out.get("name") == "stderr" for cell in cells for out in cell.get("outputs", [])):
            cache.remove_cache(record.pk)
            names.append(Path(record.uri).name)
    return names


def render() -> int:
    """Execute the chapters that are not in the cache, write all pages; return the exit status."""
    # Pages of chapters that were renamed or removed would stay, so pages start from nothing;
    # the executed cells stay in the cache.
    for stale in ("html", ".doctrees", "jupyter_execute"):
        shutil.rmtree(BUILD / stale, ignore_errors=True)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", "-W", "--keep-going", "."]
    code = subprocess.run(command, cwd=ROOT).returncode
    if not code:
        slides.write(chapters(), config()["title"])
        finish.finish(BUILD / "html", about())
    return code


def build() -> None:
    """Bring _build/html up to date; exit with an error if a page or a cell is not clean."""
    # jupyter-cache re-executes a chapter when its cells change. It cannot see that the library,
    # the packages or the data under them changed: then all chapters have to run again.
    library = digest(LIBRARY, sys.version, find_data())
    site = digest(SITE, library, repository())
    library_stamp, site_stamp = BUILD / ".library", BUILD / ".site"
    if site_stamp.exists() and site_stamp.read_text() == site:
        print("The book is up to date.")
        return
    site_stamp.unlink(missing_ok=True)
    if not library_stamp.exists() or library_stamp.read_text() != library:
        shutil.rmtree(BUILD / ".jupyter_cache", ignore_errors=True)
    BUILD.mkdir(exist_ok=True)
    library_stamp.write_text(library)
    code = render()
    # A library's notice on its first use comes once; what a chapter warns of comes again.
    if code and (noisy := forget_noisy()):
        print(f"Once more, without what was written to stderr: {', '.join(noisy)}", flush=True)
        code = render()
        forget_noisy()
    if code:
        sys.exit(code)
    site_stamp.write_text(site)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serve files without a log line for each; a page is asked for anew after every build."""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def send_error(self, code: int, *args: Any, **kwargs: Any) -> None:
        """A page that is not there is answered with 404.html, as hosts of sites do."""
        page = Path(self.directory, "404.html")
        if code != 404 or not page.is_file():
            super().send_error(code, *args, **kwargs)
            return
        content = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that hung up in the middle of a file."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def serve(port: str) -> None:
    """Build the book, then serve it on 127.0.0.1 until interrupted."""
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        sys.exit(f"A port is a number from 1 to 65535, not {port!r}. Try: make book PORT=8000")
    handler = functools.partial(Handler, directory=str(BUILD / "html"))
    try:  # before the build, so that nobody waits for minutes to learn that the port is taken
        server = Server(("127.0.0.1", int(port)), handler)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        problem = "is taken by another program" if taken else f"cannot be used: {error.strerror}"
        sys.exit(f"Port {port} {problem}. Choose one: make book PORT={int(port) % 65535 + 1}")
    with server:
        build()
        print(f"\nThe book is served at http://127.0.0.1:{port}/  (Ctrl-C stops)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build the book")
    serving = commands.add_parser("serve", help="build the book and serve it on 127.0.0.1")
    serving.add_argument("--port", default="8000")
    arguments = parser.parse_args()
    if arguments.command == "serve":
        serve(arguments.port)
    else:
        build()


if __name__ == "__main__":
    main()
