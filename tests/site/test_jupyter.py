"""The same figures in JupyterLab with a live kernel, in an HTML export, and without scripts."""

import base64
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

FLOW = """\
from fmcore.fields import GaussianMixture, MarginalField, Rotation
from fmcore.paths import OTPath
from fmcore.viz import FlowFigure

FlowFigure(
    MarginalField(GaussianMixture([[0.0, 0.0]], 1.0), OTPath()), solver="euler", steps=3,
    particles=60, t=1.0, start=(0.5, 0.5), caption="a cloud", alt="a round cloud",
)"""
LAB = """\
import torch
from fmcore.viz.labs import solver_lab

solver_lab(Rotation(3.0), torch.tensor([[1.0, 0.0]]), solvers=("euler", "heun"), steps=10)"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    cells = [nbformat.v4.new_code_cell(source) for source in (FLOW, LAB)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(notebook, folder / "figures.ipynb")
    return folder


@pytest.fixture(scope="module")
def jupyter(folder, tmp_path_factory):
    """The address of a JupyterLab of its own, on loopback."""
    home, port = tmp_path_factory.mktemp("jupyter"), free_port()
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.{k}={v}" for k, v in {
        "ip": "127.0.0.1", "port": port, "root_dir": folder, "open_browser": False,
    }.items()]  # fmt: skip
    command += ["--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True"]
    command += [
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    log = open(home / "log.txt", "w")  # noqa: SIM115 - as long as the server runs
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=2)
                break
            except OSError:
                assert server.poll() is None, (home / "log.txt").read_text()[-3000:]
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(30)
        log.close()


@pytest.fixture
def lab(browser, jupyter):
    """The notebook in JupyterLab, all its cells run."""
    page = browser.new_page(viewport={"width": 1400, "height": 1500})
    page.set_default_timeout(120_000)
    outside = []
    page.on(
        "request",
        lambda r: (
            r.url.startswith(("http", "ws")) and "127.0.0.1" not in r.url and outside.append(r.url)
        ),
    )
    page.goto(f"{jupyter}/lab/tree/figures.ipynb?reset")
    page.wait_for_function(
        "() => window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel"
        "?.connectionStatus === 'connected'"
    )
    run(page, "notebook:run-all-cells")
    yield page
    page.close()
    assert outside == []


def run(page, command, **arguments):
    page.evaluate(
        f"window.jupyterapp.commands.execute({json.dumps(command)}, {json.dumps(arguments)})"
    )


def test_the_figure_lives_in_jupyterlab_and_follows_its_theme(lab):
    node = lab.locator(".jp-OutputArea-output iframe.fm-frame")
    node.scroll_into_view_if_needed()
    frame = node.element_handle().content_frame()
    frame.wait_for_function("() => window.fmFigure?.state().steps === 3")
    frame.get_by_label("Steps", exact=True).focus()
    lab.keyboard.press("Home")
    frame.wait_for_function(
        "() => window.fmFigure.state().steps === 1 && !window.fmFigure.state().pending"
    )
    assert frame.evaluate("window.fmFigure.state().farthest") == 0
    assert "NFE\u00a01" in frame.locator(".fm-readout").inner_text()
    assert frame.evaluate("window.fmFigure.state().theme") == "light"
    run(lab, "apputils:change-theme", theme="JupyterLab Dark")
    frame.wait_for_function("() => window.fmFigure.state().theme === 'dark'")
    run(lab, "apputils:change-theme", theme="JupyterLab Light")
    frame.wait_for_function("() => window.fmFigure.state().theme === 'light'")


def test_the_lab_asks_the_kernel(lab):
    output = lab.locator(
        ".jp-OutputArea-output .jupyter-widgets.widget-vbox, .jp-OutputArea-output .widget-vbox"
    ).first
    output.scroll_into_view_if_needed()
    output.get_by_text("Euler, 10 steps").or_(output.get_by_text("Heun, 10 steps")).first.wait_for()
    output.locator("select").select_option("Euler")
    output.get_by_text("Euler, 10 steps: NFE 10").wait_for()
    slider = output.locator("[role=slider], input[type=range], .noUi-handle").first
    slider.focus()
    lab.keyboard.press("ArrowRight")
    output.get_by_text("Euler, 11 steps: NFE 11").wait_for()
    assert lab.locator(".fm-lab").count() == 0  # the line for pages without a kernel


# ---- without a kernel


def nbconvert(folder, *arguments):
    command = [sys.executable, "-m", "nbconvert", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def executed(folder):
    nbconvert(folder, "--to", "notebook", "--execute", "--output", "executed", "figures.ipynb")
    return folder / "executed.ipynb"


@pytest.fixture(scope="module")
def exported(executed):
    nbconvert(executed.parent, "--to", "html", executed.name)
    return executed.with_suffix(".html")


def test_the_figure_lives_in_an_html_export(browser, exported):
    context = browser.new_context(viewport={"width": 1000, "height": 1000})
    # nbconvert's own template asks for scripts elsewhere; the figure does without.
    context.route(
        "**/*", lambda r: r.continue_() if r.request.url.startswith("file:") else r.abort()
    )
    page = context.new_page()
    page.goto(exported.as_uri(), wait_until="commit")
    frame = page.locator("iframe.fm-frame").element_handle(timeout=60_000).content_frame()
    frame.wait_for_function("() => window.fmFigure?.state().steps === 3")
    frame.get_by_label("Steps", exact=True).focus()
    page.keyboard.press("Home")
    frame.wait_for_function("() => window.fmFigure.state().farthest === 0")
    assert frame.evaluate("window.fmFigure.state().theme") == "light"
    context.close()


@pytest.mark.parametrize("where", ["without scripts", "in print", "without frames"])
def test_the_still_stands_in_the_figures_place(browser, exported, where):
    text = exported.read_text("utf-8")
    if where == "without frames":  # a viewer that takes out what could run
        text = re.sub(r"<(script|style|iframe|noscript)\b.*?</\1>", "", text, flags=re.DOTALL)
        text = re.sub(r' (on\w+|data-[\w-]+)="[^"]*"', "", text)
    file = exported.with_name("viewed.html")
    file.write_text(text, "utf-8")
    scripts = where != "without scripts"
    context = browser.new_context(
        java_script_enabled=scripts, viewport={"width": 1000, "height": 1000}
    )
    context.route(
        "**/*", lambda r: r.continue_() if r.request.url.startswith("file:") else r.abort()
    )
    page = context.new_page()
    page.goto(file.as_uri(), wait_until="commit")
    still = page.get_by_role("img", name="a round cloud")
    if where == "in print":
        page.locator("iframe.fm-frame").wait_for(timeout=60_000)
        still.wait_for(state="hidden", timeout=60_000)  # once the figure has spoken
        page.emulate_media(media="print")
    still.wait_for(timeout=60_000)
    box = still.bounding_box()
    assert box["width"] > 300 and box["height"] > 300
    assert not page.locator("iframe.fm-frame").is_visible()
    context.close()


def test_a_notebook_keeps_a_picture_for_viewers_without_html(executed):
    flow, lab = (cell["outputs"][-1]["data"] for cell in nbformat.read(executed, 4).cells)
    assert set(flow) == {"image/png", "text/html", "text/plain"}
    assert base64.b64decode(flow["image/png"]).startswith(b"\x89PNG")
    assert {"application/vnd.jupyter.widget-view+json", "text/html"} <= set(lab)
