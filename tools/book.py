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
from pathlib import Path

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


def build() -> None:
    """Bring _build/html up to date; exit with an error if a page or a cell is not clean."""
    # jupyter-cache re-executes a chapter when its cells change. It cannot see that the library,
    # the packages or the data under them changed: then all chapters have to run again.
    library = digest(LIBRARY, sys.version, os.environ.get("FMCORE_DATA", ""))
    site = digest(SITE, library, repository())
    library_stamp, site_stamp = BUILD / ".library", BUILD / ".site"
    if site_stamp.exists() and site_stamp.read_text() == site:
        print("The book is up to date.")
        return
    site_stamp.unlink(missing_ok=True)
    if not library_stamp.exists() or library_stamp.read_text() != library:
        shutil.rmtree(BUILD / ".jupyter_cache", ignore_errors=True)
    # Pages of chapters that were renamed or removed would stay, so pages start from nothing;
    # the executed cells stay in the cache.
    for stale in ("html", ".doctrees", "jupyter_execute"):
        shutil.rmtree(BUILD / stale, ignore_errors=True)
    BUILD.mkdir(exist_ok=True)
    library_stamp.write_text(library)

    command = [Path(sys.executable).with_name("jupyter-book"), "build", "-W", "--keep-going", "."]
    if code := subprocess.run(command, cwd=ROOT).returncode:
        sys.exit(code)
    site_stamp.write_text(site)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serve files without a log line for each; a page is asked for anew after every build."""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that hung up in the middle of a file."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def serve(port: int) -> None:
    """Build the book, then serve it on 127.0.0.1 until interrupted."""
    handler = functools.partial(Handler, directory=str(BUILD / "html"))
    try:  # before the build, so that nobody waits for minutes to learn that the port is taken
        server = Server(("127.0.0.1", port), handler)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        sys.exit(f"Port {port} is taken by another program. Choose one: make book PORT={port + 1}")
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
    serving.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    if arguments.command == "serve":
        serve(arguments.port)
    else:
        build()


if __name__ == "__main__":
    main()
