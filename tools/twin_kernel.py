"""Run a twin in a kernel of its own, cell by cell, and move the sliders of its labs.

The kernel's Python need not be this one, nor know the packages here: only messages go back and
forth, as between Colab's page and its machine.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager


class CellFailed(AssertionError):
    """A cell raised an error: which one, its text, and what it said."""


class Kernel:
    """A kernel of `python`, started in `folder`; `models` holds the state of its widgets."""

    def __init__(self, manager: KernelManager):
        self.client = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)
        self.models: dict[str, dict] = {}

    def run(self, text: str, timeout: float = 600) -> tuple[str, str | None]:
        """Execute a cell: what it printed or showed as text, and its error if it raised one."""
        said: list[str] = []
        reply = self.client.execute_interactive(
            text, timeout=timeout, allow_stdin=False, output_hook=lambda m: self._heard(m, said)
        )
        content = reply["content"]
        if content["status"] == "ok":
            return "".join(said), None
        # An assertion often has no message: the line that raised says which one it was.
        traceback = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(content["traceback"]))
        lines = re.findall(r"^-+> *\d+ (.*)", traceback, flags=re.MULTILINE)
        at = f" at {lines[-1].strip()!r}" if lines else ""
        return "".join(said), f"{content['ename']}: {content['evalue']}{at}"

    def _heard(self, message: dict, said: list[str]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            said.append(content["text"])
        elif kind in ("display_data", "execute_result"):
            said.append(content["data"].get("text/plain", "") + "\n")
        elif kind == "comm_open":
            self.models[content["comm_id"]] = dict(content["data"].get("state", {}))
        elif kind == "comm_msg" and content["data"].get("method") == "update":
            self.models.setdefault(content["comm_id"], {}).update(content["data"]["state"])

    def move(self, slider: str, value: int, timeout: float = 120) -> None:
        """Set a slider, as the page does when it is dragged, and wait for what follows."""
        data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
        message = self.client.session.msg("comm_msg", {"comm_id": slider, "data": data})
        self.client.shell_channel.send(message)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            heard = self.client.get_iopub_msg(timeout=timeout)
            if heard["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            self._heard(heard, [])
            if heard["msg_type"] == "status" and heard["content"]["execution_state"] == "idle":
                return
        raise TimeoutError(f"a slider was moved, and nothing followed in {timeout:g} s")

    def sliders(self) -> list[str]:
        return [i for i, m in self.models.items() if m.get("_model_name") == "IntSliderModel"]

    def pictures(self) -> set[str]:
        """What the labs show now."""
        shown = [model.get("value") for model in self.models.values()]
        return {value for value in shown if isinstance(value, str) and "data:image/" in value}


@contextmanager
def kernel(python: Path, folder: Path, environment: dict[str, str]) -> Iterator[Kernel]:
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(argv=command, language="python", display_name="rehearsal")
    manager.start_kernel(cwd=str(folder), env=environment, stderr=subprocess.DEVNULL)
    try:
        started = Kernel(manager)
        yield started
        started.client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)


def play(running: Kernel, notebook: dict, timeout: float = 600) -> dict:
    """Run all cells of a notebook, then move its sliders; return what was seen.

    Raises CellFailed at the first cell that fails, and where a slider moves and no picture does.
    """
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    said = []
    for cell in cells:
        text = "".join(cell["source"])
        printed, error = running.run(text, timeout)
        said.append(printed)
        if error:
            raise CellFailed(f"cell {cell['id']!r} said {error}\n{printed[-2000:]}\n{text}")
    moved = 0
    for slider in running.sliders():
        before = running.pictures()
        state = running.models[slider]
        running.move(slider, state["min"] if state["value"] > state["min"] else state["max"])
        if running.pictures() == before:
            raise CellFailed(f"a slider of a lab was moved, and the picture stayed: {state}")
        moved += 1
    return {"cells": len(cells), "sliders": moved, "said": said}
