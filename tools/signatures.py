"""The signatures of the reference: parameters with types and defaults as in the source."""

from __future__ import annotations

import ast
import re

from api import Entry, Module, decorated, docstring_of, library
from docutils import nodes
from sphinx import addnodes

WIDE = 68  # a signature with more characters has its parameters one on a line


def parameters(entry: Entry) -> list[str]:
    """The parameters as the source writes them: `t_span: tuple[float, float] = (0.0, 1.0)`."""
    node = entry.node
    if isinstance(node, ast.ClassDef):
        return _to_construct(entry, node)
    if not isinstance(node, ast.FunctionDef):
        return []
    return _arguments(node, entry.module, method=entry.owner is not None)


def _arguments(node: ast.FunctionDef, module: Module, method: bool) -> list[str]:
    spec, found = node.args, []
    plain = [*spec.posonlyargs, *spec.args]
    defaults = [None] * (len(plain) - len(spec.defaults)) + [*spec.defaults]
    for i, (each, default) in enumerate(zip(plain, defaults, strict=True)):
        found.append(_written(each, default, module))
        if i + 1 == len(spec.posonlyargs):
            found.append("/")
    if spec.vararg or spec.kwonlyargs:
        found.append("*" + (_written(spec.vararg, None, module) if spec.vararg else ""))
    for each, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        found.append(_written(each, default, module))
    if spec.kwarg:
        found.append(f"**{_written(spec.kwarg, None, module)}")
    return found[1:] if method and not decorated(node, "staticmethod") else found


def _segment(node: ast.expr, module: Module) -> str:
    """What the source says there. `ast.get_source_segment` cuts the whole file into lines first."""
    lines = module.lines[node.lineno - 1 : node.end_lineno]
    lines[-1] = lines[-1][: node.end_col_offset]
    lines[0] = lines[0][node.col_offset :]
    return " ".join(b" ".join(lines).decode().split())


def _written(argument: ast.arg, default: ast.expr | None, module: Module) -> str:
    typed = f": {_segment(argument.annotation, module)}" if argument.annotation else ""
    equals = " = " if typed else "="
    return argument.arg + typed + (f"{equals}{_segment(default, module)}" if default else "")


def _to_construct(entry: Entry, node: ast.ClassDef) -> list[str]:
    """What a class is called with: its `__init__`, or the fields of a dataclass."""
    home = (entry.module.name, node.name)
    for module_name, name in (home, *library().bases(home)):
        module = library().modules[module_name]
        found = module.defined[name]
        assert isinstance(found, ast.ClassDef)
        for each in found.body:
            if isinstance(each, ast.FunctionDef) and each.name == "__init__":
                return _arguments(each, module, method=True)
        if decorated(found, "dataclass") or "NamedTuple" in map(ast.unparse, found.bases):
            keywords = ["*"] if decorated(found, "kw_only=True") else []
            return keywords + [written for written, _ in fields(entry)]
    return []


def fields(entry: Entry) -> list[tuple[str, str]]:
    """The fields of a dataclass with those of its bases: as they are written, and what they say."""
    home, found = (entry.module.name, entry.node.name), {}  # ty: ignore[unresolved-attribute]
    for module_name, name in reversed([home, *library().bases(home)]):
        module = library().modules[module_name]
        body = module.defined[name].body  # ty: ignore[unresolved-attribute]
        for node, after in zip(body, [*body[1:], None], strict=True):
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
                continue
            kind = _segment(node.annotation, module)
            if kind.startswith("ClassVar"):
                continue
            default = f" = {_segment(node.value, module)}" if node.value else ""
            default = re.sub(r"^ = field\(default_factory=(\w+)\)$", r" = \1()", default)
            default = re.sub(r"^ = field\(repr=False\)$", "", default)
            said = " ".join(docstring_of(after).split())
            found[node.target.id] = (f"{node.target.id}: {kind}{default}", said)
    return list(found.values())


def signature(entry: Entry) -> addnodes.desc:
    """The name with its parameters and types."""
    node, module, short = entry.node, entry.module, entry.name.rpartition(".")
    before = {"class": "class ", "property": "property "}.get(entry.kind, "")
    if entry.owner:
        short = ("", "", short[2]) if short[2] != "__call__" else ("", "", "self")
    sig = addnodes.desc_signature("", "", classes=["sig-object"], is_multiline=False)
    if before:
        sig += addnodes.desc_annotation(before, before)
    if short[0]:
        sig += addnodes.desc_addname(f"{short[0]}.", f"{short[0]}.")
    sig += addnodes.desc_name(short[2], short[2])
    listed = parameters(entry)
    if entry.kind in ("function", "method") or listed:
        shown = addnodes.desc_parameterlist()
        if len(f"{entry.name}({', '.join(listed)})") > WIDE:
            sig["classes"].append("fm-long")  # the style sheet gives each parameter its line
        for each in listed:
            shown += addnodes.desc_parameter("", "", *_parts(each))
        sig += shown
    if isinstance(node, ast.FunctionDef) and node.returns:
        returns = _segment(node.returns, module)
        sig += addnodes.desc_returns("", "", addnodes.desc_sig_name(returns, returns))
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        said = f": {_segment(node.annotation, module)}" if isinstance(node, ast.AnnAssign) else ""
        value = _segment(node.value, module) if node.value else ""
        said += f" = {value}" if len(value) < 40 and "Table(" not in value else ""
        sig += addnodes.desc_annotation(said, said)
    found = addnodes.desc("", sig, domain="py", objtype=entry.kind, classes=["py", entry.kind])
    found["no-contents-entry"] = True
    return found


def _parts(parameter: str) -> list[nodes.Node]:
    """The name, the type and the default of a parameter, each with the theme's style."""
    name, colon, rest = parameter.partition(": ")
    if not colon:
        return [addnodes.desc_sig_name(parameter, parameter)]
    return [
        addnodes.desc_sig_name(name, name, classes=["n"]),
        addnodes.desc_sig_punctuation(": ", ": "),
        nodes.inline(rest, rest, classes=["fm-type"]),
    ]
