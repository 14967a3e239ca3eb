#!/bin/sh
# tools/setup.sh VENV: create the virtual environment and install requirements.txt and fmcore.
# Uses uv from the PATH; where there is none, installs it into the environment.
# PYTHON=/path/to/python chooses the interpreter.
# tools/setup.sh --check VENV: is it an environment of this folder, with a Python that works?
set -eu

# Its packages are where its Python looks for them, and its fmcore is the one in this folder.
fits() {
    "$venv/bin/python" -I -c '
import importlib.util, os.path, sys
found = importlib.util.find_spec("fmcore").origin
sys.exit(os.path.realpath(found) != os.path.realpath("fmcore/__init__.py"))
' 2>/dev/null
}

if [ "$1" = --check ]; then
    venv=$2
    fits
    exit
fi
venv=$1

new_enough() {
    "$1" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null
}

if ! fits; then
    for python in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3 ''; do
        [ -n "$python" ] && new_enough "$python" && break
    done
    if [ -z "$python" ]; then
        echo "No Python 3.11 or newer was found (tried ${PYTHON:+$PYTHON, }python3.13, python3.12," \
            "python3.11, python3). Install one, or name it: PYTHON=/path/to/python make ..." >&2
        exit 1
    fi
    rm -rf "$venv"
    echo "Creating $venv with $("$python" --version)"
    if command -v uv >/dev/null; then
        uv venv --quiet --python "$python" "$venv"
    elif ! "$python" -m venv "$venv"; then
        rm -rf "$venv"
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "$python cannot create a virtual environment with pip in it. Install the missing part" \
            "(Debian, Ubuntu: apt-get install python$version-venv) or uv, then try again." >&2
        exit 1
    fi
fi

uv=$(command -v uv || echo "$venv/bin/uv")
[ -x "$uv" ] || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv

# Where the user's folder for downloads is write-protected, uv does without.
cache=$("$uv" cache dir)
if ! mkdir -p "$cache" 2>/dev/null || [ ! -w "$cache" ]; then
    export UV_NO_CACHE=1
fi

# fmcore first: an environment whose installation was interrupted is recognised and completed.
"$uv" pip install --quiet --python "$venv/bin/python" --no-deps -e .
echo "Installing requirements.txt (the first time this downloads several GB, most of it PyTorch)"
"$uv" pip install --quiet --python "$venv/bin/python" -r requirements.txt

# Settings of the kernel that executes the chapters: sharp figures everywhere.
mkdir -p "$venv/etc/ipython"
cp tools/ipython_kernel_config.py "$venv/etc/ipython/"

touch "$venv/.installed"
