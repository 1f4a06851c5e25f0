"""Pipeline files, read with exact errors: which line, which key, and what it should have been."""

from __future__ import annotations

import enum
import re
import tomllib
import types
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from penstock.assembly.schema import filled
from penstock.assembly.sections import PipelineFile
from penstock.assembly.stream_sections import StreamFile, StreamsFile
from penstock.assembly.values import Steps, secrets_in
from penstock.errors import InputError
from penstock.registry import beside, did_you_mean

F = TypeVar("F", PipelineFile, StreamFile, StreamsFile)


def read_file(path: str | Path) -> PipelineFile:
    """Return the pipeline that the file describes.

    Raises:
        InputError: It cannot be read, is not TOML, or says something we do not understand.
    """
    return read_text(text_of(path), str(path))


def read_any(path: str | Path, text: str | None = None) -> PipelineFile | StreamFile:
    """Return the pipeline that the file describes; one with ``[stream]`` is a stream's.

    Args:
        path: The file.
        text: What stands in it, where that is known.

    Raises:
        InputError: It cannot be read, is not TOML, says something we do not understand, or has
            several streams: see :func:`read_several`.
    """
    found = read_several(path, text)
    if isinstance(found, StreamsFile):
        raise InputError(f"{path} has several streams: this is for one")
    return found


def read_several(
    path: str | Path, text: str | None = None
) -> PipelineFile | StreamFile | StreamsFile:
    """Return what :func:`read_any` does, or the streams of a file with ``[[stream]]``.

    :func:`penstock.assembly.parts` has them one by one.

    Raises:
        InputError: As :func:`read_any`.
    """
    text = text_of(path) if text is None else text
    stream = _tables(text, str(path)).get("stream")
    if isinstance(stream, list):
        return _converted(StreamsFile, text, str(path))
    if stream is not None:
        return read_stream_text(text, str(path))
    return read_text(text, str(path))


def text_of(path: str | Path) -> str:
    """Return what stands in a pipeline file.

    Raises:
        InputError: It cannot be read.
    """
    file = Path(path)
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{file}: no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{file} is a directory: name a pipeline file (.toml)") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error


def read_text(text: str, name: str) -> PipelineFile:
    r"""Return the pipeline that ``text`` describes; ``name`` is what errors call it.

    >>> read_text('[source]\nkind = "range"\nstop = 9\n[apl]\n', "users.toml")
    Traceback (most recent call last):
    ...
    penstock.errors.InputError: users.toml:4: unknown section [apl]; did you mean [api]?
    """
    return _converted(PipelineFile, text, name)


def read_stream_text(text: str, name: str) -> StreamFile:
    r"""Return the stream that ``text`` describes; ``name`` is what errors call it.

    >>> read_stream_text('[stream]\nurl = "https://a.example"\npresett = "x"\n', "s.toml")
    Traceback (most recent call last):
    ...
    penstock.errors.InputError: s.toml:3: unknown key 'presett' in [stream]; did you mean 'preset'?
    """
    return _converted(StreamFile, text, name)


def _tables(text: str, name: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        where = f":{found.group(1)}:{found.group(2)}" if found else ""
        what = re.sub(r" \(at .*\)$", "", str(error))
        raise InputError(f"{name}{where}: not TOML: {what}") from error


def _converted(kind: type[F], text: str, name: str) -> F:
    tables = _tables(text, name)

    def refuse(at: Steps, what: str) -> InputError:
        return InputError(f"{name}:{line_of(text, at)}: {_dotted(at)}: {what}")

    resources = tables.get("resource")
    if isinstance(resources, list) and kind is PipelineFile:
        if "source" in tables or "request" in tables:
            what = "source" if "source" in tables else "request"
            raise refuse((what,), "a file with [[resource]] has its sources there")
        tables["source"] = {"kind": "resources"}
        for one in resources:
            if isinstance(one, dict):
                one["kind"] = "resource"
    source = tables.get("source")
    if isinstance(source, dict) and source.get("kind") == "python":
        tables.setdefault("api", {"base": "http://localhost"})  # a feed of one's own calls nobody
    with beside(Path(name).parent):
        whole = filled(kind, tables, refuse)
    try:
        file = cast("F", msgspec.convert(tables, whole))
    except msgspec.ValidationError as error:
        raise InputError(_explained(error, whole, tables, text, name)) from error
    for at, what in secrets_in(file):
        raise refuse(at, what)
    return file


def _unknown(key: str, at: Steps, struct: type, text: str, name: str) -> str:
    fields = typing.get_type_hints(struct, include_extras=False)
    line = line_of(text, (*at, key))
    if not at and key == "stream":
        return f"{name}:{line}: [stream] stands alone with [store]: it is a source of its own"
    if not at:
        shown = {field: _section(field, fields) for field in fields} | {"stream": "[stream]"}
        hint = did_you_mean(key, shown, shown.__getitem__)
        return f"{name}:{line}: unknown section [{key}]; {hint}"
    return f"{name}:{line}: unknown key {key!r} in {_shown(at)}; {did_you_mean(key, fields)}"


def _section(name: str, fields: dict[str, object]) -> str:
    """Return a section's header: ``[api]``, or ``[[use]]`` where there may be several."""
    return f"[[{name}]]" if typing.get_origin(fields[name]) is list else f"[{name}]"


def _shown(at: Steps) -> str:
    return f"[{_dotted(at)}]"


def _dotted(at: Steps) -> str:
    return ".".join(step for step in at if isinstance(step, str))


def _structs(annotation: object) -> list[type]:
    return [k for k in _members(annotation) if hasattr(k, "__struct_config__")]


def _struct_for(annotation: object, value: object) -> type | None:
    """Return the struct that ``value`` is to become, by its tag where there are several."""
    for kind in _structs(annotation):
        config = kind.__struct_config__  # type: ignore[attr-defined] # every msgspec struct has it
        if config.tag_field is None or _inner(value, config.tag_field) == config.tag:
            return kind
    return None


def _members(annotation: object) -> list[type]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [m for part in typing.get_args(annotation) for m in _members(part)]
    return [annotation] if isinstance(annotation, type) else []


def _item_type(annotation: object) -> object:
    arguments = typing.get_args(annotation)
    lists = [member for member in arguments if typing.get_origin(member) is list]
    return _item_type(lists[0]) if lists else arguments[0] if arguments else object


_PLACE = re.compile(r"resource '([^']+)'|\[?([a-z_]+(?:\.[\w-]+)*)\]?(?=:| )")


def located(message: str, path: str | Path, resource: str = "") -> str:
    """Return a message that begins with a key with its file and line before it, any other as it is.

    Args:
        message: What is wrong, such as ``source.json: a body needs method = 'POST'``.
        path: The pipeline file.
        resource: Which of several resources it is about; its keys are those of ``source``.
    """
    found = _PLACE.match(message)
    try:
        text = text_of(path) if found else ""
        tables = tomllib.loads(text)
    except (InputError, tomllib.TOMLDecodeError):
        return message
    if found is None:
        return message
    names = [one.get("name") for one in tables.get("resource", [])]
    steps: Steps = tuple((found[2] or "source").split("."))
    name = found[1] or resource
    if steps[0] == "source" and name in names:
        steps = ("resource", names.index(name), *steps[1:])
    if isinstance(tables.get(str(steps[0])), list) and isinstance(steps[-1], str):
        steps = _first_with(tables, steps)
    known = str(steps[0]) in tables
    return f"{path}:{line_of(text, steps)}: {message}" if known else message


def _first_with(tables: dict[str, object], steps: Steps) -> Steps:
    """Return where a key of a list of tables stands: in the first that has it."""
    if len(steps) > 1 and isinstance(steps[1], int):
        return steps
    several = enumerate(cast("list[dict[str, object]]", tables[str(steps[0])]))
    number = next((n for n, one in several if str(steps[-1]) in one), 0)
    return (steps[0], number, *steps[1:])


@contextmanager
def locating(path: str | Path, resource: str = "") -> Iterator[None]:
    """Give the refusals of a block the line of the key that they begin with."""
    try:
        yield
    except InputError as error:
        message = located(str(error), path, resource)
        if message == str(error):
            raise
        raise InputError(message) from error


_AT = re.compile(r" - at `\$\.?([^`]*)`$")


def _explained(
    error: msgspec.ValidationError, kind: type, tables: dict[str, object], text: str, name: str
) -> str:
    """Turn msgspec's sentence, with its path, into ours with a line."""
    message = str(error)
    found = _AT.search(message)
    at = _steps(found.group(1)) if found else ()
    message = _AT.sub("", message)
    annotation, value = _placed(at, kind, tables)
    unknown = re.match(r"Object contains unknown field `(.*)`$", message)
    if unknown and (struct := _struct_for(annotation, value)):
        return _unknown(unknown.group(1), at, struct, text, name)
    if missing := re.match(r"Object missing required field `(\w+)`", message):
        key = missing.group(1)
        if not at:
            return f"{name}: section [{key}] is missing"
        return f"{name}:{line_of(text, at)}: {_shown(at)} needs {key} = ..."
    if bad := re.match(r"Invalid (?:enum )?value '(.*)'$", message):
        tags = _tags(annotation)
        hint = did_you_mean(bad.group(1), tags)
        known = "" if hint.startswith("known") else f" known: {', '.join(tags)}"
        message = f"{bad.group(1)!r} is unknown; {hint}{known}"
    elif message == "Expected `array`, got `object`" and len(at) == 1:
        message = f"write [[{at[0]}]]: there may be several"
    else:
        message = message[0].lower() + message[1:].replace("`", "")
    return f"{name}:{line_of(text, at)}: {_dotted(at) or 'the file'}: {message}"


def _steps(path: str) -> Steps:
    """Return msgspec's path as steps.

    >>> _steps("budget.limits[1].per"), _steps("api.headers[...]")
    (('budget', 'limits', 1, 'per'), ('api', 'headers'))
    """
    found = re.findall(r"\[(\d+)\]|\[[^\]]*\]|([^.\[\]]+)", path)
    return tuple(int(index) if index else key for index, key in found if index or key)


def _placed(at: Steps, kind: type, value: object) -> tuple[object, object]:
    """Return what is to stand at ``at``, a type, and what stands there."""
    annotation: object = kind
    for step in at:
        if isinstance(step, int):
            annotation = _item_type(annotation)
        elif struct := _struct_for(annotation, value):
            annotation = typing.get_type_hints(struct).get(step, annotation)
        value = _inner(value, step)
    return annotation, value


def _tags(annotation: object) -> list[str]:
    """Return the kinds, or the words, that an annotation allows."""
    configs = [struct.__struct_config__ for struct in _structs(annotation)]  # type: ignore[attr-defined] # likewise
    tags = [str(config.tag) for config in configs if config.tag]
    if tags:
        return tags
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return [str(one.value) for one in annotation]
    return [str(value) for value in typing.get_args(annotation)]


def _inner(value: object, step: str | int) -> object:
    if isinstance(value, dict):
        return value.get(str(step))
    return value[step] if isinstance(value, list) and isinstance(step, int) else None


_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[\w-]+)*)\s*=""")


def line_of(text: str, path: Steps) -> int:
    r"""Return the line where the key at ``path`` stands, or that of the section it belongs to.

    >>> line_of('[api]\nbase = "x"\nauth = { kind = "basic" }\n', ("api", "auth", "kind"))
    3
    >>> line_of('[[use]]\nkind = "risk"\n[[use]]\nkind = "edition"\n', ("use", 1, "kind"))
    4
    """
    best, depth = 1, -1
    section: Steps = ()
    seen: dict[Steps, int] = {}  # how many tables each [[list]] has so far
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            section = _place(_names(header.group(2)), seen, opens=header.group(1) == "[[")
            here = section
        elif key := _KEY.match(line):
            here = (*section, *_names(key.group(1)))
        else:
            here = section
            if path[: len(here)] != here or not re.search(rf"\b{_last(path)}\s*=", line):
                continue
        if here[:-1] == path:  # a list's own header, where none of its tables is meant
            here = path
        if here == path[: len(here)] and len(here) > depth:
            best, depth = number, len(here)
    return best


def _names(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]


def _place(names: list[str], seen: dict[Steps, int], *, opens: bool) -> Steps:
    """Return where a header leads: a name of a list is followed by the number of its table."""
    place: Steps = ()
    for name in names:
        place = (*place, name)
        if opens and len(place) - sum(isinstance(s, int) for s in place) == len(names):
            seen[place] = seen.get(place, 0) + 1
        if place in seen:
            place = (*place, seen[place] - 1)
    return place


def _last(path: Steps) -> str:
    return re.escape(next((step for step in reversed(path) if isinstance(step, str)), ""))
