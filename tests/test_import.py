"""Where torch is missing, one sentence says so: to who imports, and to who types the command."""

import subprocess
import sys

SENTENCE = "fmcore needs PyTorch, which is not installed: pip install torch"
HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, Hidden())
"""


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
    ran = run("sys.modules['safetensors'] = None\nimport fmcore")
    assert SENTENCE in ran.stderr  # torch is looked for first
    ran = subprocess.run(
        [sys.executable, "-c", "import sys; sys.modules['safetensors'] = None; import fmcore"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "safetensors" in ran.stderr and SENTENCE not in ran.stderr
