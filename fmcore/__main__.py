"""`python -m fmcore` is `fmcore`."""

from fmcore.cli import main

main()
