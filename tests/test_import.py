"""An import takes no time; and where torch is missing, one sentence says so.

To who imports, and to who types the command.
"""

import subprocess
import sys

import pytest

SENTENCE = "fmcore needs PyTorch, which is not installed: pip install torch"
HIDE = "import sys; sys.modules['torch'] = None\n"


def run(program):
    return subprocess.run([sys.executable, "-c", HIDE + program], capture_output=True, text=True)


def test_an_import_says_what_is_missing():
    ran = run("import fmcore")
    assert ran.returncode == 1
    assert ran.stderr.strip().splitlines()[-1] == f"ModuleNotFoundError: {SENTENCE}"


def test_the_command_says_it_without_a_traceback():
    for name in ("/usr/bin/fmcore", "fmcore.exe", "-m"):
        ran = run(f"sys.argv[0] = {name!r}\nfrom fmcore.cli import main")
        assert ran.returncode == 1 and ran.stderr == SENTENCE + "\n"


def test_another_module_that_is_missing_is_named():
    hide = "import sys; sys.modules['safetensors'] = None; import fmcore; fmcore.MLP"
    ran = subprocess.run([sys.executable, "-c", hide], capture_output=True, text=True)
    assert "safetensors" in ran.stderr and SENTENCE not in ran.stderr


@pytest.mark.parametrize(
    "use",
    [
        "fmcore.metrics.Judge",  # rooms as well
        "fmcore.winds.Storm",
        "from fmcore import odeint, viz",
        "from fmcore import *; MLP()",
        "assert {*fmcore.__all__} <= {*dir(fmcore)} and fmcore.MLP",
    ],
)
def test_torch_comes_with_the_first_name_that_is_used(use):
    program = f"""
import sys, fmcore
assert fmcore.__version__ and "torch" not in sys.modules
{use}
assert "torch" in sys.modules
try:
    fmcore.odein
except AttributeError as error:
    assert "odein" in str(error)
else:
    raise AssertionError("found what is not there")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
