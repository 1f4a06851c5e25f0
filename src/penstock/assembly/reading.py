"""Pipeline files, read with exact errors: which line, which key, and what it should have been."""

from __future__ import annotations

import difflib
import re
import tomllib
import types
import typing
from pathlib import Path
from typing import TypeVar

import msgspec

from penstock.assembly.sections import PipelineFile
from penstock.errors import InputError

__all__ = ["line_of", "read_file", "read_text"]

T = TypeVar("T")


def read_file(path: str | Path) -> PipelineFile:
    """Return the pipeline that the file describes.

    Raises:
        InputError: It cannot be read, is not TOML, or says something we do not understand.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{file}: no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{file} is a directory: name a pipeline file (.toml)") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    return read_text(text, str(file))


def read_text(text: str, name: str) -> PipelineFile:
    r"""Return the pipeline that ``text`` describes; ``name`` is what errors call it.

    >>> read_text('[source]\nkind = "range"\nstop = 9\n[apl]\n', "users.toml")
    Traceback (most recent call last):
    ...
    penstock.errors.InputError: users.toml:4: unknown section [apl]; did you mean [api]?
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        where = f":{found.group(1)}:{found.group(2)}" if found else ""
        what = re.sub(r" \(at .*\)$", "", str(error))
        raise InputError(f"{name}{where}: not TOML: {what}") from error
    _refuse_unknown(tables, PipelineFile, (), text, name)
    try:
        return msgspec.convert(tables, PipelineFile)
    except msgspec.ValidationError as error:
        raise InputError(_explained(error, text, name)) from error


def _refuse_unknown(
    table: dict[str, object], struct: type, at: tuple[str, ...], text: str, name: str
) -> None:
    fields = typing.get_type_hints(struct, include_extras=False)
    tag = struct.__struct_config__.tag_field  # type: ignore[attr-defined] # every msgspec struct has it
    for key, value in table.items():
        if key == tag:
            continue
        if key not in fields:
            raise InputError(_unknown(key, list(fields), at, text, name))
        inner = _struct_for(fields[key], value)
        if inner is not None and isinstance(value, dict):
            _refuse_unknown(value, inner, (*at, key), text, name)
        elif isinstance(value, list):
            for item in value:
                inner = _struct_for(_item_type(fields[key]), item)
                if inner is not None and isinstance(item, dict):
                    _refuse_unknown(item, inner, (*at, key), text, name)


def _unknown(key: str, known: list[str], at: tuple[str, ...], text: str, name: str) -> str:
    line = line_of(text, (*at, key))
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    if not at:
        hint = f"; did you mean [{near[0]}]?" if near else f"; known: [{'], ['.join(known)}]"
        return f"{name}:{line}: unknown section [{key}]{hint}"
    hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
    return f"{name}:{line}: unknown key {key!r} in [{'.'.join(at)}]{hint}"


def _struct_for(annotation: object, value: object) -> type | None:
    """Return the struct that ``value`` is to become, by its tag where there are several."""
    kinds = [k for k in _members(annotation) if hasattr(k, "__struct_config__")]
    if not kinds or not isinstance(value, dict):
        return None
    for kind in kinds:
        config = kind.__struct_config__
        if config.tag_field is None or value.get(config.tag_field) == config.tag:
            return kind
    return None


def _members(annotation: object) -> list[type]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [m for part in typing.get_args(annotation) for m in _members(part)]
    return [annotation] if isinstance(annotation, type) else []


def _item_type(annotation: object) -> object:
    arguments = typing.get_args(annotation)
    return arguments[0] if arguments else object


_AT = re.compile(r" - at `\$\.?([^`]*)`$")


def _explained(error: msgspec.ValidationError, text: str, name: str) -> str:
    """Turn msgspec's sentence, with its path, into ours with a line."""
    message = str(error)
    found = _AT.search(message)
    path = re.sub(r"\[[^\]]*\]", "", found.group(1)) if found else ""
    at = tuple(part for part in path.split(".") if part)
    message = _AT.sub("", message)
    if missing := re.match(r"Object missing required field `(\w+)`", message):
        key = missing.group(1)
        if not at:
            return f"{name}: section [{key}] is missing"
        return f"{name}:{line_of(text, at)}: [{'.'.join(at)}] needs {key} = ..."
    if bad := re.match(r"Invalid value '(.*)'$", message):
        tags = _tags_at(at)
        near = difflib.get_close_matches(bad.group(1), tags, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        message = f"{bad.group(1)!r} is unknown; {hint}known: {', '.join(tags)}"
    else:
        message = message[0].lower() + message[1:].replace("`", "")
    return f"{name}:{line_of(text, at)}: {'.'.join(at) or 'the file'}: {message}"


def _tags_at(at: tuple[str, ...]) -> list[str]:
    """Return the kinds that may stand at ``at`` (which ends in the tag's own name)."""
    fields: dict[str, object] = typing.get_type_hints(PipelineFile)
    annotation: object = PipelineFile
    for step in at:
        if step in fields:
            annotation = fields[step]
            first = next((m for m in _members(annotation) if hasattr(m, "__struct_config__")), None)
            if first is not None:
                fields = typing.get_type_hints(first)
    tags = [
        str(m.__struct_config__.tag)
        for m in _members(annotation)
        if hasattr(m, "__struct_config__") and m.__struct_config__.tag
    ]
    if tags:
        return tags
    return [str(value) for value in typing.get_args(annotation)]


_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?")


def line_of(text: str, path: tuple[str, ...]) -> int:
    r"""Return the line where the key at ``path`` stands, or that of the section it belongs to.

    >>> line_of('[api]\nbase = "x"\nauth = { kind = "basic" }\n', ("api", "auth", "kind"))
    3
    """
    best, depth = 1, -1
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        here: tuple[str, ...]
        if header := _HEADER.match(line):
            section = tuple(part.strip().strip("\"'") for part in header.group(1).split("."))
            here = section
        elif key := re.match(r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[\w-]+)*)\s*=""", line):
            names = (part.strip().strip("\"'") for part in key.group(1).split("."))
            here = (*section, *names)
        else:
            here = section
            if path[: len(here)] != here or not re.search(rf"\b{re.escape(path[-1])}\s*=", line):
                continue
        common = 0
        while common < min(len(here), len(path)) and here[common] == path[common]:
            common += 1
        if common == len(here) and common > depth:
            best, depth = number, common
    return best
