"""The bundler: modules in folders become one script that computes the same, or it says why not."""

import json
import re
import shutil
import subprocess

import pytest

from fmcore.viz.living.bundle import FOLDER, bundle

NODE = shutil.which("node")
ENTRIES = (
    "flow_figure.js", "digit_figure.js", "pair_figure.js", "jump_figure.js", "host/host.js",
    "hand_figure.js", "net/worker.js", "net/hand_worker.js", "train/worker.js",
    "playground.js", "wire_figure.js", "net/wire_worker.js",
)  # fmt: skip


def folder(tmp_path, **modules):
    """A folder with `main.js` and other modules; `a__b` is the file a/b.js."""
    for name, text in modules.items():
        file = tmp_path / f"{name.replace('__', '/')}.js"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    return tmp_path


def run(script):
    """The value of `result` at the end of a script."""
    if not NODE:
        pytest.skip("no Node")
    script += "\nprocess.stdout.write(JSON.stringify(result));"
    done = subprocess.run(
        [NODE, "--input-type=module"], input=script, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_rooms_import_from_each_other(tmp_path):
    text = bundle(
        "main.js",
        folder(
            tmp_path,
            main='import { f } from "./fields/f.js";\nimport { g, } from "./flow/g.js";\n'
            "export const result = [f(), g()];\nexport default { result };\n",
            fields__f='import { one } from "../one.js";\nexport function f() {\n  return one;\n}\n',
            flow__g='import {\n  f,\n} from "../fields/f.js";\nexport const g = () => f() + 1;\n',
            one="export const one = 1;\nexport async function later() {}\n"
            "export function* each() {}\nexport class Two {}\n",
        ),
    )
    assert run(text) == [1, 2]
    assert not re.search(r"\b(import|export)\b", text)
    assert text.count("one=1") == 1  # each module once


def test_blanks_and_comments_go_and_nothing_else_changes(tmp_path):
    """Everything that looks like a comment, an import or the end of a line, and is none."""
    source = r"""
// A comment with "quotes", `ticks` and export const no = 1;
export const url = "https://a/b"; // 'x'
const quote = 'it\'s // no comment';
const word = "a /* b */ c";
const text = `import { a } from 'b'; // ${[1, 2].map((n) => `<${n /* two */ + 1}  b>`)} export {`;
const pattern = /[/"'`]\/\/ {2}/.test('"// ' + "/   ") /* a regular expression */;
const half = 8 / 2 / 2; // not one
const inside = [typeof /a/ , "a" in { a: 1 }];
let x = 1
let y = x
++x
const signs = [x - -y, x + +y, x - (-y), y++ + 1, y-- - -1, 1 - - 1];
/** Nothing
    comes back. */
function nothing() {
  return
  1;
}
const names = { import: 1, export: 2 };
const sum = names.import
  + names.export;
const list = [1, 2]
  .map((n) => n * 2);
const lines = `a
  b`;
class Counter {
  static start = 3
  #n = 4;
  get n() { return this.#n } // no semicolon
  async *each() { yield* [this.n] }
}
if (x) { y = 5 }
(() => { y += 1 })();
label: for (const z of[1, 2]) { if (z > 1) break label }
let z = 3;
function loops() {
  while (z-- > 1);
}
function empty() { if (z) z = 9; else; }
loops(), empty();
for (;;) { break; }
const holes = [[1, ,].length, [,].length, [1,].length, [[, 2,]], ((a, b,) => a + b)(1, 2,), z];
const optional = x ?.5 : names?.import;
export const result = [
  url, quote, word, text, pattern, half, inside, x, y, signs, nothing() ?? "nothing", sum, list,
  lines, holes, Counter.start, new Counter().n, optional,
];
"""
    if not NODE:
        pytest.skip("no Node")
    text = bundle("main.js", folder(tmp_path, main=source))
    assert run(text) == run(re.sub("^export ", "", source, flags=re.M))
    assert "/**" not in text and "A comment" not in text and len(text) < 0.8 * len(source)


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("import { a } from './a.js';", "double quotes"),
        ('import { a as b } from "./a.js";', "names as they are"),
        ('import * as a from "./a.js";', "each name by itself"),
        ('import a from "./a.js";', "by name, not the default"),
        ('import a, { b } from "./a.js";', "by name, not the default"),
        ('import "./a.js";', "import what is needed"),
        ('import { a } from "d3";', "a file of this folder"),
        ('import { a } from "./a.js"', "a file of this folder"),
        ('const a = await import("./a.js");', "at the top of the file"),
        ('const a = `${import("./a.js")}`;', "at the top of the file"),
        ("const a = import.meta.url;", "at the top of the file"),
        ('if (true) { import { a } from "./a.js"; }', "cannot bundle"),
        ("const a = 1; export { a };", "export where it is declared"),
        ('export { a } from "./a.js";', "export where it is declared"),
        ('export * from "./a.js";', "export where it is declared"),
        ("export let a = 1;", "export a constant"),
        ("export var a = 1;", "export a constant"),
        ("export const { a, b } = c;", "one name at a time"),
        ("export const a = f(1, 2), b = 2;", "one name at a time"),
        ("export default function () {}", "name what is exported above"),
        ("export default 3;", "name what is exported above"),
        ("export async () => 3;", "export const, class, function or async function"),
    ],
)
def test_what_cannot_be_bundled_is_refused_with_its_line(tmp_path, line, advice):
    modules = folder(tmp_path, main=f"// first\n/* second\n*/\n{line}\n", a="export const a = 1;\n")
    with pytest.raises(ValueError, match=rf"main\.js, line 4: .*{advice}"):
        bundle("main.js", modules)


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        ({"main": 'import { a } from "./b.js";'}, "main.js, line 1: there is no file b.js"),
        ({"main": 'import { a } from "../b.js";'}, "there is no file ../b.js"),
        (
            {"main": 'import { b } from "./r/a.js";', "r__a": "export const a = 1;"},
            "main.js, line 1: r/a.js exports no b; export it there",
        ),
        (
            {
                "main": '\nimport { a } from "./a.js";\nexport const c = a;',
                "a": 'import { b } from "./b.js";\nexport const a = () => b;',
                "b": '\n\nimport { a } from "./a.js";\nexport const b = () => a;',
            },
            "b.js, line 3: a circle of imports, main.js -> a.js -> b.js -> a.js",
        ),
        ({"main": 'import { a } from "./main.js";\nexport const a = 1;'}, "a circle of imports"),
        (
            {
                "main": 'import { a } from "./a.js";\nimport { b } from "./b.js";',
                "a": "export const a = 1;",
                "b": "export const b = 1;\nexport const a = 2;",
            },
            "b.js, line 2: a.js exports a a too; rename one",
        ),
        ({"main": "const a = `${1`;"}, "main.js, line 1: a template without an end"),
    ],
)
def test_modules_that_do_not_fit_together_are_refused(tmp_path, modules, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        bundle("main.js", folder(tmp_path, **modules))


def test_the_scripts_are_small_and_whole(tmp_path):
    """One script without imports, as a frame carries it; that no name is taken twice, Node says."""
    texts = {entry: bundle(entry) for entry in ENTRIES}
    assert len(texts["flow_figure.js"].encode()) < 67_500
    assert len(texts["net/worker.js"].encode()) < 26_500
    assert len(texts["hand_figure.js"].encode()) < 46_000
    assert len(texts["net/hand_worker.js"].encode()) < 31_500
    assert len(texts["wire_figure.js"].encode()) < 44_000
    assert len(texts["net/wire_worker.js"].encode()) < 27_500
    assert len(texts["train/worker.js"].encode()) < 45_000
    assert len(texts["playground.js"].encode()) < 85_000
    assert len(texts["pair_figure.js"].encode()) < 62_000
    assert len(texts["jump_figure.js"].encode()) < 56_000
    whole = "".join(texts.values())
    assert not re.search(r"\b(import|export)\b", whole)
    for module in FOLDER.rglob("*.js"):
        source = module.read_text("utf-8")
        assert len(source.splitlines()) <= 300, module
        exported = re.findall(r"^export (?:const|class|(?:async )?function\*?) (\w+)", source, re.M)
        assert exported or module.name == "types.js"
        assert all(name in whole for name in exported), module
    for i, text in enumerate(texts.values()):
        (tmp_path / f"{i}.mjs").write_text(text, "utf-8")
        if NODE:
            subprocess.run([NODE, "--check", tmp_path / f"{i}.mjs"], check=True, timeout=60)
