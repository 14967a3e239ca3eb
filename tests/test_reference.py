"""The reference: an entry for each public name, made of its docstring; terms; exercises."""

import ast
import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import pytest

import fmcore

ROOT = Path(__file__).resolve().parent.parent

pytest.importorskip("sphinx")
import api  # noqa: E402
import exercises  # noqa: E402
import glossary  # noqa: E402
import links  # noqa: E402
import reference  # noqa: E402
import signatures  # noqa: E402
from docstrings import blocks  # noqa: E402
from docutils import nodes  # noqa: E402

LIBRARY = api.library()


def public():
    """Every public name as Python has it: the module that lists it, its name, what it is."""
    names = [module.name for module in pkgutil.walk_packages(fmcore.__path__, "fmcore.")]
    for name in ["fmcore", *names]:
        if not name.endswith("__main__"):
            module = importlib.import_module(name)
            for each in getattr(module, "__all__", ()):
                if not inspect.ismodule(getattr(module, each)):
                    yield name, each, getattr(module, each)


def meant(entry):
    """What an entry is about."""
    found = fmcore
    for part in entry.name.split(".")[1:]:
        found = getattr(found, part)
    return found


@pytest.fixture(scope="module", autouse=True)
def loaded():
    list(public())  # so that `fmcore.viz` is there


# ---- names


def test_every_public_name_has_one_entry():
    homes = {}
    for module, name, value in public():
        entry = LIBRARY.entries[LIBRARY.home(module, name)]
        assert meant(entry) is value
        homes.setdefault(entry.name, set()).add(id(value))
    assert homes.keys() == LIBRARY.by_name.keys()
    assert all(len(values) == 1 for values in homes.values())


def test_every_entry_has_a_page_and_an_anchor_of_its_own():
    assert reference.places().keys() == LIBRARY.anchors.keys()
    anchors = [entry.anchor for entry in LIBRARY.anchors.values()]
    assert len(set(anchors)) == len(anchors)


@pytest.mark.parametrize("entry", LIBRARY.by_name.values(), ids=lambda entry: entry.name)
def test_an_entry_says_what_python_says(entry):
    value = meant(entry)
    if entry.kind == "data":
        assert entry.doc and "\n    " not in entry.doc
        return
    assert entry.doc == inspect.getdoc(value)
    lines, first = inspect.getsourcelines(value)
    assert entry.lines == (first, first + len(lines) - 1)
    assert Path(inspect.getsourcefile(inspect.unwrap(value))) == ROOT / entry.module.file
    if not issubclass(value if entry.is_class else object, Exception):
        told = [re.match(r"\**(\w*)", each)[1] for each in signatures.parameters(entry)]
        assert [name for name in told if name] == list(inspect.signature(value).parameters)


@pytest.mark.parametrize(
    "entry",
    [entry for entry in LIBRARY.by_name.values() if entry.is_class],
    ids=lambda entry: entry.name,
)
def test_every_method_of_a_class_has_an_entry(entry):
    """With the class, or with the one where it began."""
    value = meant(entry)
    for name, method in inspect.getmembers(value):
        ours = getattr(method, "fget", method)
        home = getattr(inspect.unwrap(ours), "__module__", None) or ""
        if name[0] == "_" or not home.startswith("fmcore") or not callable(ours):
            continue
        if inspect.isclass(ours) or name in getattr(value, "__dataclass_fields__", ()):
            continue
        found = LIBRARY.member((entry.module.name, entry.node.name), name)
        assert found.name.endswith(f".{name}"), name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("odeint", "fmcore.odeint"),
        ("fmcore.OTPath", "fmcore.OTPath"),
        ("OTPath(sigma_min=0.0)", "fmcore.OTPath"),
        ("odeint(v, x0, (0, t), ...).x", "fmcore.odeint"),
        ('SOLVERS["rk4"].a', "fmcore.SOLVERS"),
        ("path.sample(x0, x1, t)", "fmcore.ProbabilityPath.sample"),
        ("OTPath.sample", "fmcore.ProbabilityPath.sample"),
        ("sol.nfe", "fmcore.Solution"),
        ("metrics.straightness", "fmcore.metrics.straightness"),
        ("winds.Storm", "fmcore.fields.Storm"),
        ("Storm(inflow=0.0)", "fmcore.fields.Storm"),
        ("viz.plots.path", "fmcore.viz.plots.path"),
        ("model = fmcore.FlowModel(net, path)", "fmcore.FlowModel"),
        ("fmcore train --help", "fmcore.cli.Train"),
        ("fmcore", None),
        ("path", None),
        ("digits", None),
        ("theme", None),
        ("steps=5", None),
        ("model = MLP * 2", None),
        ("fmcore.nothing", None),
        ("np.odeint", None),
        ("x0", None),
    ],
)
def test_who_is_meant_by_code_in_a_sentence(text, name):
    found = links.Code([]).said(text)
    assert (found and found.name) == name


def test_a_name_that_a_chapter_makes_is_its_own():
    code = links.Code(["from fmcore.metrics import straightness as bends\ndef odeint(): ..."])
    assert code.said("odeint") is None and code.entry("odeint") is None
    assert code.entry("bends").name == "fmcore.metrics.straightness"
    assert links.Code(["%pip install x\nimport fmcore"]).entry("fmcore.jump").name == "fmcore.jump"


# ---- docstrings

DOC = """\
First, with
two lines and `code`.

    x = 1
      y

a      one
b, c   two,
       and more
a long name  three

- item,
  more
- next

>>> 1 + 1
2
"""


def test_the_parts_of_a_docstring():
    paragraph, formula, table, items, example = blocks(DOC)
    assert paragraph.text == "First, with two lines and `code`."
    assert (formula.kind, formula.text) == ("formula", "x = 1\n  y")
    assert table.rows == [("a", "one"), ("b, c", "two, and more"), ("a long name", "three")]
    assert [item for _, item in items.rows] == ["item, more", "next"]
    assert (example.kind, example.text) == ("example", ">>> 1 + 1\n2")


@pytest.mark.parametrize("entry", LIBRARY.anchors.values(), ids=lambda entry: entry.name)
def test_nothing_of_a_docstring_is_lost(entry):
    said = nodes.container("", *reference.text(entry.doc)).astext()

    def letters(text):
        return re.sub(r"[\s`,-]", "", text)

    assert letters(said) == letters(entry.doc)
    examples = [part for part in reference.text(entry.doc) if "fm-example" in part["classes"]]
    assert entry.doc.count("\n\n>>> ") <= len(examples)
    assert all(part["language"] == "pycon" for part in examples)


def test_a_signature_is_written_as_in_the_source():
    told = signatures.signature(LIBRARY.by_name["fmcore.odeint"]).astext()
    assert "max_steps: int = 10_000" in told and told.endswith("-> Solution")
    assert 'method: str | ButcherTableau = "heun"' in told
    assert signatures.signature(LIBRARY.anchors["fmcore.FlowMap.__call__"]).astext()[:5] == "self("


def test_a_source_is_a_link_if_the_book_has_an_address(monkeypatch):
    entry = LIBRARY.by_name["fmcore.odeint"]
    monkeypatch.setattr(reference, "repository", lambda: "")
    assert not list(reference.source_of(entry).findall(nodes.reference))
    monkeypatch.setattr(reference, "repository", lambda: "https://github.com/owner/name")
    (link,) = reference.source_of(entry).findall(nodes.reference)
    first, last = entry.lines
    where = f"blob/main/fmcore/solvers/ode.py#L{first}-L{last}"
    assert link["refuri"] == f"https://github.com/owner/name/{where}"


def test_a_room_that_is_none_is_named():
    with pytest.raises(ValueError, match=r"no module fmcore\.kitchen"):
        list(reference.chapters_of(["fmcore.kitchen"]))


# ---- terms


def test_a_term_is_linked_where_it_is_used_first():
    terms = glossary.Terms()
    text = "Two velocity fields, a Trajectory and a velocity field."
    found = list(terms.first_uses(text))
    assert "".join(words for words, _ in found) == text
    linked = [(words, anchor) for words, anchor in found if anchor]
    assert linked == [
        ("velocity fields", "term-velocity-field"), ("Trajectory", "term-trajectory"),
    ]  # fmt: skip
    assert list(terms.first_uses("A velocity field.")) == [("A velocity field.", "")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("conditional flow matching", "conditional flow matching"),
        ("the probability-flow ODE", "probability-flow ODE"),  # and not "ODE"
        ("a film of FLUX.1, the code, modes", None),
        ("a source, a stage, a schedule", None),
        ("a non-stiff one", None),
    ],
)
def test_which_words_are_a_term(text, words):
    linked = [piece for piece, anchor in glossary.Terms().first_uses(text) if anchor]
    assert linked == ([words] if words else [])


def test_forms_belong_to_terms():
    assert glossary.FORMS.keys() <= glossary.terms().keys()
    anchors = list(glossary.terms().values())
    assert len(set(anchors)) == len(anchors) > 50


# ---- exercises


def test_the_index_has_every_exercise():
    labels = [label for _, _, found in exercises.exercises() for label, _ in found]
    known = []
    for file in sorted((ROOT / "book").glob("*.ipynb")):
        text = "".join("".join(c["source"]) for c in json.loads(file.read_text("utf-8"))["cells"])
        known += re.findall(r":label: (ex-[\w-]+)", text)
    assert sorted(labels) == sorted(known)
    assert all(words for _, _, found in exercises.exercises() for _, words in found)
    assert exercises.written().count("- {ref}`ex-") == len(labels)


def test_the_three_tracks():
    tracks = exercises.tracks()
    assert set(tracks.values()) == {"Quality", "Control", "Speed"}
    assert tracks["ex-wind-design"] == "Control" and "ex-wind-speed" not in tracks
    assert ": Design a wind *(Control)*" in exercises.written()


def test_the_library_is_read_without_being_imported():
    """So that a page of the reference takes no torch."""
    tree = ast.parse((ROOT / "tools/api.py").read_text("utf-8"))
    imports = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not any("fmcore" in line or "torch" in line for line in imports)
    assert api.Library().by_name.keys() == LIBRARY.by_name.keys()
