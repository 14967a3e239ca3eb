"""Settings of the kernel that executes the chapters (copied into .venv by tools/setup.sh)."""

c = get_config()  # noqa: F821  (provided by IPython)
c.InlineBackend.figure_formats = {"retina"}  # two pixels a point: sharp on today's screens
c.HistoryManager.enabled = False
