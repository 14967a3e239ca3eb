#!/bin/sh
# Resolve pyproject.toml with all extras, for Python 3.11 and newer on every platform, into
# requirements.txt. No host, index or path is written into it.
set -eu

uv=$(command -v uv) || { python -m pip install --quiet uv && uv=$(command -v uv); }
new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
    echo "# Universal lock of pyproject.toml with all extras, Python 3.11 to 3.13: made by 'make lock'."
    "$uv" pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade \
        --no-header --no-annotate --no-emit-index-url pyproject.toml
} >"$new"
cat "$new" >requirements.txt
