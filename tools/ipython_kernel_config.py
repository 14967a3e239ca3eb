"""Settings of the kernel that executes the chapters (copied into .venv by tools/setup.sh)."""

import os

c = get_config()  # noqa: F821  (provided by IPython)
c.InlineBackend.figure_formats = {"retina"}  # two pixels a point: sharp on today's screens
c.HistoryManager.enabled = False
# Threads that wait do not spin. On a machine that does something else as well, spinning makes small
# networks ten times slower (measured on two cores with one busy process beside it).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
