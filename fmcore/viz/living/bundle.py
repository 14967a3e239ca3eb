"""The figures' scripts as one text: a module and all it imports, so that a frame needs no file.

Of JavaScript's modules this much is understood, and anything else is refused:

    import { a, b } from "./near.js";                 also from "../room/far.js"
    export const a = 1;                               also class, function, function*, async
    export default { a, b };                          for hosts that import the module itself
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent.parent / "js"

_TOKEN = re.compile(
    r"""(?P<gap>    (?: \s | //[^\n]* | /\*[\s\S]*?\*/ )+ )
      | (?P<string> "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
      | (?P<word>   [\w$]+ )
      | (?P<sign>   [\s\S] )""",
    re.VERBOSE,
)
_TEMPLATE = re.compile(r"[`}](?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)")  # up to a value, or the end
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
# After these words a slash begins a regular expression; after any other it divides.
_BEFORE_REGEX = set(
    "await case delete do else in instanceof new of return throw typeof void yield".split()
)

_IMPORT = re.compile(r'import \{ (\w+(?: , \w+)*)(?: ,)? \} from "(\.\.?/[\w./-]+\.js)" ;')
_EXPORT = re.compile(r"export (?:const|class|(?:async )?function(?: \*)?) (\w+)\b")
_DEFAULT = re.compile(r"export default \{ \w+(?: , \w+)*(?: ,)? \} ;")
_ADVICE = (  # of a statement that cannot be bundled: what is wrong with it, and what to write
    (r"import [.(]", 'import at the top of the file: import { a } from "./a.js";'),
    (r"import .*'", 'put the file into double quotes: import { a } from "./a.js";'),
    (r"import \*", 'import each name by itself: import { a, b } from "./a.js";'),
    (r"import .* as ", 'import names as they are: import { a } from "./a.js";'),
    (r'import "', 'import what is needed: import { a } from "./a.js";'),
    (r"import \w", 'import by name, not the default: import { a } from "./a.js";'),
    (r"import ", 'write import { a, b } from "./a.js"; for a file of this folder'),
    (r"export default", "name what is exported above: export default { a, b };"),
    (r"export [*{]", "export where it is declared: export const a = ...;"),
    (r"export (let|var)", "export a constant: export const a = ...;"),
    (r"export const", "export one name at a time: export const a = ...;"),
    (r"export", "export const, class, function or async function"),
)


class _Token(NamedTuple):
    kind: str  # "word", "string", "regex", "template" (a part of one) or "sign"
    text: str
    line: int
    depth: int  # of brackets around it
    gap: str  # the blanks and comments before it


@cache
def bundle(entry: str, folder: Path = FOLDER) -> str:
    """Module `entry` and all it imports, each once and after what it needs, as a single script.

    Each module becomes a function that is called at once and returns what it exports. Comments and
    needless blanks are left out, and nothing else changes.

    Raises ValueError, with the file and the line, for what it does not understand (see above), for
    a file or a name that is not there, modules that import each other in a circle, and a name that
    two modules export.
    """
    texts: dict[str, str] = {}
    exports: dict[str, dict[str, int]] = {}  # of each module: its names, and the lines they are on
    owners: dict[str, str] = {}

    def visit(module: str, above: tuple[str, ...]) -> None:
        tokens = list(_tokens(module, (folder / module).read_text("utf-8")))
        code, exports[module], imports = _split(module, tokens)
        for needed, names, line in imports:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(module), needed))
            if target.startswith("..") or not (folder / target).is_file():
                raise _error(module, line, f"there is no file {target}", "check the path")
            if target in (*above, module):
                circle = " -> ".join((*above, module, target))
                raise _error(module, line, f"a circle of imports, {circle}", "break it")
            if target not in texts:
                visit(target, (*above, module))
            for name in names:
                if name not in exports[target]:
                    raise _error(module, line, f"{target} exports no {name}", "export it there")
        for name, line in exports[module].items():
            if name in owners:
                trouble = f"{owners[name]} exports a {name} too"
                raise _error(module, line, trouble, "rename one: all share one scope")
            owners[name] = module
        names = ",".join(exports[module])
        result = f"return{{{names}}};" if names else ""
        binding = f"const{{{names}}}=" if names else ""
        texts[module] = f"{binding}(()=>{{\n{_text(code)}{result}\n}})();\n"

    visit(entry, ())
    return "".join(texts.values())


def _tokens(module: str, text: str) -> Iterator[_Token]:
    at, line, gap = 0, 1, ""
    last = _Token("sign", ";", 1, 0, "")
    opened: list[str] = []  # the kind of each open bracket: "template" for the "${" of one
    while at < len(text):
        found = _TOKEN.match(text, at)
        kind = (found and found.lastgroup) or "sign"
        if text[at] == "`" or (text[at] == "}" and opened[-1:] == ["template"]):
            kind, found = "template", _TEMPLATE.match(text, at)
        elif kind == "sign" and text[at] == "/" and _expects_operand(last):
            kind, found = "regex", _REGEX.match(text, at)
        if found is None:
            raise _error(module, line, f"a {kind} without an end", "close it")
        part = found[0]
        if kind == "gap":
            gap = part
        else:
            brackets = kind in ("sign", "template")
            if brackets and part[0] in "}])":
                opened = opened[:-1]
            last = _Token(kind, part, line, len(opened), gap)
            if brackets and part[-1] in "{[(":
                opened.append(kind)
            gap = ""
            yield last
        line += part.count("\n")
        at = found.end()


def _expects_operand(last: _Token) -> bool:
    if last.kind == "word":
        return last.text in _BEFORE_REGEX
    if last.kind == "template":
        return last.text.endswith("{")
    return last.kind == "sign" and last.text not in ")]}"


def _split(
    module: str, tokens: list[_Token]
) -> tuple[list[_Token], dict[str, int], list[tuple[str, list[str], int]]]:
    """The code that is left, exports with their lines, imports as (file, names, line)."""
    code: list[_Token] = []
    exports: dict[str, int] = {}
    imports: list[tuple[str, list[str], int]] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        i += 1
        if not _is_keyword(tokens, i - 1):
            code.append(token)
            continue
        end = i
        while end < len(tokens) and (tokens[end].text, tokens[end].depth) != (";", token.depth):
            end += 1
        statement = tokens[i - 1 : end + 1]
        text = " ".join(part.text for part in statement)
        if token.depth == 0 and (found := _IMPORT.fullmatch(text)):
            imports.append((found[2], found[1].split(" , "), token.line))
            i = end + 1
        elif token.depth == 0 and _DEFAULT.fullmatch(text):
            i = end + 1
        elif token.depth == 0 and (found := _EXPORT.match(text)) and not _names_more(statement):
            exports[found[1]] = token.line
            tokens[i] = tokens[i]._replace(gap=token.gap)
        else:
            short = text if len(text) < 60 else f"{text[:56]} ..."
            advice = next(advice for bad, advice in _ADVICE if re.match(bad, text))
            raise _error(module, token.line, f"cannot bundle `{short}`", advice)
    return code, exports, imports


def _is_keyword(tokens: list[_Token], i: int) -> bool:
    """Whether token i is "import" or "export" and no property of that name."""
    before, after = (tokens[j].text if 0 <= j < len(tokens) else "" for j in (i - 1, i + 1))
    return tokens[i].text in ("import", "export") and before != "." and after != ":"


def _names_more(statement: list[_Token]) -> bool:
    """Whether an exported constant has another one behind a comma."""
    return statement[1].text == "const" and any(
        part.text == "," and part.depth == statement[0].depth for part in statement
    )


def _error(module: str, line: int, trouble: str, advice: str) -> ValueError:
    return ValueError(f"{module}, line {line}: {trouble}; {advice}")


def _text(code: list[_Token]) -> str:
    """The code without comments, and with blanks and line ends only where they matter."""
    triples = zip(code, code[1:], code[2:], strict=False)
    needless = {i for i, triple in enumerate(triples, 1) if _needless(*triple)}
    code = [token for i, token in enumerate(code) if i not in needless]
    pairs = zip([None, *code], code, strict=False)
    return "".join(_blank(last, token) + token.text for last, token in pairs)


def _needless(last: _Token, token: _Token, after: _Token) -> bool:
    """Whether the bracket after a comma or a semicolon ends what that ends."""
    if token.text == ",":  # "[,]" and "[1,,]" have holes
        return after.text in (")", "]", "}") and last.text not in (",", "[")
    whole = last.text in ("]", "}") if last.kind == "sign" else last.text not in ("else", "do")
    return token.text == ";" and after.text == "}" and whole  # "if (a);" is whole with it


# Where a line ends after the first of these or goes on with one of the second, JavaScript supplies
# no semicolon.
_OPEN, _ON = set("{([,;:?=&|<>!~^%"), set(")]},;:?=&|<>%")
# Beside these a blank parts nothing.
_APART = set("{}()[];,:?=<>&|!~^%\"'`")


def _blank(last: _Token | None, token: _Token) -> str:
    """What has to stand between two tokens."""
    if last is None:
        return ""
    left, right = last.text[-1], token.text[0]
    if "\n" in token.gap:
        joined = (last.kind == "sign" and left in _OPEN) or (token.kind == "sign" and right in _ON)
        return "" if joined else "\n"
    if not token.gap or left in _APART or right in _APART:
        return ""
    # "a - b" and "a / b" need no blanks; "a - -b", "a / /b/" and "/a/ in b" keep theirs.
    signs = [(left in pair, right in pair) for pair in ("+-", "/*")]
    apart = (True, False) in signs or (False, True) in signs
    return "" if apart and last.kind != "regex" else " "
