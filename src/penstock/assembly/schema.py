"""A file's structs with the kinds of its open slots filled in: for reading it, and for editors."""

from __future__ import annotations

import functools
import operator
import types
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, TypeAlias, cast

import msgspec
from msgspec import Meta, Struct

from penstock.assembly.kinds import RESUMES, SLOTS, kind_of, meanings, section_of, words
from penstock.assembly.sections import PipelineFile
from penstock.assembly.stream_sections import StreamFile, StreamsFile
from penstock.assembly.values import Steps
from penstock.errors import InputError
from penstock.registry import Registry

Form: TypeAlias = Any
"""A type as it stands in an annotation."""


class _Python(Struct, frozen=True, tag_field="kind", tag="python"):
    """A kind beside the file: the other keys are the parameters of its object.

    Attributes:
        object: Where it is: ``my_module:MyKind``, resolved beside the pipeline file.
    """

    object: str


def filled(
    file: type[Struct], tables: dict[str, object], refuse: Callable[[Steps, str], InputError]
) -> type[Struct]:
    """Return ``file`` with the kinds that ``tables`` name in its open slots.

    A table with ``kind = "python"`` gets its object's name as its kind.

    Args:
        file: The struct of the whole file.
        tables: As they stand in the file; changed as said.
        refuse: Makes the error for what stands at a place.

    Raises:
        InputError: An object is not named, cannot be imported, or takes no keys.
    """
    return _Filling(refuse).struct(file, tables, ()) if _named(tables) - _OWN else _usual(file)


_OWN: Final = {name for slot in (*SLOTS.values(), RESUMES) for name in slot.own()} | {"resource"}
_OWN.discard("python")  # of destinations a scheme; elsewhere a kind beside the file


@functools.cache
def _usual(file: type[Struct]) -> type[Struct]:
    """Return the file's struct with our own kinds, made once: most files name no others."""
    return _Filling(lambda _, what: InputError(what)).struct(file, {}, ())


def _named(value: object) -> set[str]:
    """Return what tables name as their kind, and the framings and presets they name."""
    if isinstance(value, list):
        return {name for one in value for name in _named(one)}
    if not isinstance(value, dict):
        return set()
    own = [value.get(key) for key in ("kind", "framing", "preset", "like")]
    own += value["dialects"] if isinstance(value.get("dialects"), list) else []
    inner = (name for one in value.values() for name in _named(one))
    return {name for name in own if isinstance(name, str)} | set(inner)


class _Filling:
    """One walk along a file's types and its tables; without tables all kinds are filled in."""

    def __init__(self, refuse: Callable[[Steps, str], InputError] | None) -> None:
        self._refuse = refuse
        self._made_once: dict[type[Struct], type[Struct]] = {}  # one definition a struct

    def struct(self, kind: type[Struct], table: object, at: Steps) -> type[Struct]:
        """Return the struct with every annotation filled; itself, where there is none to fill."""
        hints = typing.get_type_hints(kind, include_extras=True)
        said = meanings(kind) if self._refuse is None else {}
        fields: list[tuple[str, Form, Form]] = []
        for field in msgspec.structs.fields(kind):
            value = table.get(field.name) if isinstance(table, dict) else None
            form = self.form(hints[field.name], value, (*at, field.name))
            if field.name in said:
                form = Annotated[form, Meta(description=said[field.name])]
            if form is not hints[field.name]:
                fields.append((field.name, form, _default(field)))
        if not fields and self._refuse is not None:
            return kind
        if self._refuse is None:
            return self._made_once.setdefault(kind, self._made(kind, fields))
        return self._made(kind, fields)

    def _made(self, kind: type[Struct], fields: list[tuple[str, Form, Form]]) -> type[Struct]:
        config = kind.__struct_config__
        return msgspec.defstruct(
            kind.__name__,
            fields,
            bases=(kind,),
            namespace={"__doc__": words(kind)},
            frozen=True,
            kw_only=True,
            tag_field=config.tag_field,
            tag=config.tag,
            forbid_unknown_fields=config.forbid_unknown_fields,
        )

    def form(self, form: Form, value: object, at: Steps) -> Form:
        """Return an annotation with its open slots filled."""
        origin: object = typing.get_origin(form)
        parts = typing.get_args(form)
        if origin is Annotated:
            slot = next((part for part in parts if isinstance(part, Registry)), None)
            if slot is not None:
                return self._slot(slot, parts[0], value, at)
            shape = next((part for part in parts[1:] if isinstance(part, type)), None)
            return form if shape is None else self.struct(section_of(shape, None), None, at)
        if origin is list:
            values = value if isinstance(value, list) else [value]
            if isinstance(parts[0], type) and issubclass(parts[0], Struct):  # all of one kind
                tables = [one for one in values if isinstance(one, dict)]
                values = [{name: one[name] for one in tables for name in one}]
            forms = [self.form(parts[0], one, (*at, n)) for n, one in enumerate(values)]
            # A list's tables may be of different kinds: all of them are allowed in each place.
            return form if all(one is parts[0] for one in forms) else list[_union(forms)]  # type: ignore[misc] # known when it runs
        if origin in (typing.Union, types.UnionType):
            forms = [self.form(part, value, at) for part in parts]
            same = all(one is part for one, part in zip(forms, parts, strict=True))
            return form if same else _union(forms)
        if isinstance(form, type) and issubclass(form, Struct):
            return self.struct(form, value, at)
        return form

    def _slot(self, slot: Registry[Any], plain: Form, value: object, at: Steps) -> Form:
        if plain is str:  # a name of the slot: one beside the file is imported now
            if isinstance(value, str) and ":" in value:
                self._tried(lambda: slot.find(value), at)
            return str
        if self._refuse is None:
            kinds = [self._section(slot, name, None, at) for name in slot.names()]
            return _union([*kinds, _Python])
        own = [self._section(slot, name, value, at) for name in slot.own()]
        # With one kind of its own msgspec would not ask which it is: there are always two.
        return _union([*own, *self._others(slot, value, at), _Python])

    def _others(self, slot: Registry[Any], value: object, at: Steps) -> Iterator[Form]:
        """Yield the struct of a table's kind where it is none of our own."""
        if not isinstance(value, dict):
            return
        if value.get("kind") == "python":
            named = value.pop("object", None)
            if not isinstance(named, str) or ":" not in named:
                raise self._complaint(at, 'kind = "python" needs object = "my_module:MyKind"')
            value["kind"] = named
        kind = value.get("kind")
        if isinstance(kind, str) and kind not in slot.own() and (":" in kind or kind in slot):
            yield self._section(slot, kind, value, at)

    def _section(self, slot: Registry[Any], name: str, value: object, at: Steps) -> Form:
        found = self._tried(lambda: section_of(kind_of(slot, name).section, name), at)
        meant = isinstance(value, dict) and value.get("kind") == name
        return self.struct(found, value if meant else None, at)

    def _tried(self, act: Callable[[], Form], at: Steps) -> Form:
        try:
            return act()
        except InputError as error:
            raise self._complaint(at, str(error)) from error

    def _complaint(self, at: Steps, text: str) -> InputError:
        return InputError(text) if self._refuse is None else self._refuse(at, text)


def _default(field: msgspec.structs.FieldInfo) -> Form:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return field.default


def _union(forms: list[Form]) -> Form:
    return functools.reduce(operator.or_, dict.fromkeys(forms))


def _anything(kind: type) -> dict[str, object]:
    """Return the schema of a value that may be whatever a file can hold."""
    if kind is object:
        return {"$comment": "any value"}
    raise NotImplementedError


_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, object]:
    """Return the JSON schema of pipeline and stream files, with the kinds that are installed.

    >>> sorted(json_schema()["$defs"])[:3]
    ['Action', 'ApiKey', 'ApiSection']
    """
    filling = _Filling(None)
    files = [filling.struct(file, None, ()) for file in (PipelineFile, StreamFile, StreamsFile)]
    refs, parts = msgspec.json.schema_components(
        files, ref_template="#/$defs/{name}", schema_hook=_anything
    )
    whole = parts
    whole["PipelineFile"]["required"].remove("source")
    whole["PipelineFile"]["oneOf"] = [{"required": ["source"]}, {"required": ["resource"]}]
    whole["ResourceSection"]["required"].remove("kind")  # its place says it
    return {
        "$schema": _DIALECT,
        "title": "A pipeline file of penstock",
        "anyOf": list(refs),
        "$defs": cast("object", parts),
    }
