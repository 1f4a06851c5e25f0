"""Every regular expression of the package, found in its source."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import penstock

Pattern: TypeAlias = re.Pattern[str] | re.Pattern[bytes]
SOURCE = Path(penstock.__file__).parent
_CALLS = {"compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
_ANCHORED = {"match", "fullmatch"}


class Use(NamedTuple):
    """An expression: where it is, itself (None: made when it is used), and how it is used."""

    place: str
    pattern: Pattern | None
    anchored: bool


def expressions() -> Iterator[Use]:
    for path in sorted(SOURCE.rglob("*.py")):
        if "re." in (text := path.read_text(encoding="utf-8")):
            yield from _of_module(path, ast.parse(text))


def _of_module(path: Path, tree: ast.Module) -> Iterator[Use]:
    room = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    named: dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            for call in ast.walk(node.value):
                named[id(call)] = node.targets[0].id
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        of, name = node.func.value, node.func.attr
        if not (isinstance(of, ast.Name) and of.id == "re" and name in _CALLS):
            continue
        if name == "compile" and id(node) in named:
            constant = named[id(node)]
            made = getattr(importlib.import_module(f"penstock.{room}"), constant, None)
            anchored = _uses(tree, constant) <= _ANCHORED
            yield Use(
                f"{room}:{constant}", made if isinstance(made, re.Pattern) else None, anchored
            )
        else:
            yield Use(f"{room}:{ast.unparse(node.args[0])[:60]}", _literal(node), name in _ANCHORED)


def _uses(tree: ast.Module, constant: str) -> set[str]:
    """Return by which methods an expression is used; ``{"?"}`` where it is handed on."""
    uses = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == constant
    }
    return uses or {"?"}


def _literal(node: ast.Call) -> Pattern | None:
    try:
        text = ast.literal_eval(node.args[0])
    except ValueError:
        return None
    flags = 0
    for word in node.keywords:
        if word.arg == "flags":
            flags = eval(ast.unparse(word.value), {"re": re})
    for extra in node.args[2:]:
        if isinstance(extra, ast.Attribute | ast.BinOp) and "re." in ast.unparse(extra):
            flags = eval(ast.unparse(extra), {"re": re})
    return re.compile(text, flags)
