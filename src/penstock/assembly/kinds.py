"""The open slots of a pipeline file: one row a kind, ours, a package's, or one beside the file.

A kind's keys are the parameters of its section: a struct, a frozen dataclass, a class or a
function, whichever the room has. What a key means is read from its docstring.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final, TypeAlias, TypeVar, cast, final

import msgspec
from msgspec import Struct

from penstock.assembly.values import SECRET, is_secret, revealed
from penstock.cluster import BUDGETS
from penstock.destinations import DESTINATIONS
from penstock.errors import InputError
from penstock.events import Events
from penstock.http import Secret, secret
from penstock.locks import BACKENDS
from penstock.registry import Registry
from penstock.resilience import DIALECT_KINDS
from penstock.store import STORES
from penstock.streaming import FRAMING_KINDS, PRESET_KINDS


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a pipeline file; its keys are the fields."""


@final
@dataclass(frozen=True, slots=True)
class Site:
    """Where a kind is built.

    Attributes:
        folder: Where relative paths start: that of the pipeline file.
        events: Told what happens.
        file: The whole file.
    """

    folder: Path = Path()
    events: Events | None = None
    file: object = None


@final
@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of a slot.

    Attributes:
        tag: What stands in the file as ``kind``.
        section: What takes the table's keys by name: a struct, a dataclass, a class, a function.
        build: Makes what the slot needs of the section; unset: the section is it.
        describe: Says in words what a section does, for ``penstock check``.
    """

    tag: str
    section: Callable[..., object]
    build: Callable[[typing.Any, Site], object] | None = None
    describe: Callable[[typing.Any], str] | None = None


T = TypeVar("T")

Found: TypeAlias = Kind | Callable[..., object]
Row: TypeAlias = Mapping[str, Found | str]


def _slot(slot: str, group: str, module: str, rows: Mapping[str, str]) -> Registry[Found]:
    return Registry(slot, group, {tag: f"{module}:{name}" for tag, name in rows.items()})


SOURCES: Final = _slot(
    "source",
    "penstock.sources",
    "penstock.assembly.sources",
    {
        name: name.upper()
        for name in (
            *("range", "dates", "grid", "lines", "csv", "jsonl", "store", "javadata", "stdin"),
            *("pages", "resources"),
        )
    },
)
STYLES: Final = _slot(
    "style of pages",
    "penstock.styles",
    "penstock.http",
    {
        "page": "PageNumber",
        "offset": "Offset",
        "cursor": "BodyCursor",
        "header-cursor": "HeaderCursor",
        "link-header": "LinkHeader",
        "link-body": "BodyLink",
        "single": "SinglePage",
    },
)
AUTHS: Final = _slot(
    "authentication",
    "penstock.auth",
    "penstock.http",
    {
        "basic": "Basic",
        "digest": "Digest",
        "bearer": "Bearer",
        "api-key": "ApiKey",
        "oauth1": "OAuth1",
        "oauth2": "OAuth2",
        "jwt-bearer": "jwt_bearer",
        "sigv4": "SigV4",
    },
)
STAGES: Final = _slot(
    "stage", "penstock.stages", "penstock.assembly.build_stages", {"label": "LABEL"}
)
USES: Final = _slot(
    "use",
    "penstock.uses",
    "penstock.assembly.build_stages",
    {"risk": "RISK", "neural": "NEURAL", "edition": "EDITION", "javadata": "JAVADATA"},
)
RESUMES: Final = _slot(
    "way to resume",
    "penstock.resumes",
    "penstock.streaming",
    {
        "none": "NoResume",
        "last-event-id": "LastEventId",
        "query": "QueryCursor",
        "body": "BodyRevision",
        "backfill": "Backfill",
    },
)
GATES: Final = _slot(
    "gate", "penstock.gates", "penstock.assembly.gates", {"memory": "memory", "shared": "SHARED"}
)
EXECUTORS: Final = _slot(
    "executor",
    "penstock.executors",
    "penstock.assembly.executors",
    {"threads": "threads", "processes": "processes"},
)
LAUNCHERS: Final = _slot(
    "scheduler", "penstock.launchers", "penstock.cluster.dask_launcher", {"dask": "Dask"}
)
SLOTS: Final[Mapping[str, Registry[typing.Any]]] = {
    "source": SOURCES,
    "pagination style": STYLES,
    "authentication": AUTHS,
    "stage": STAGES,
    "use": USES,
    "store": STORES,
    "lock backend": BACKENDS,
    "framing": FRAMING_KINDS,
    "stream preset": PRESET_KINDS,
    "destination": DESTINATIONS,
    "rate-limit dialect": DIALECT_KINDS,
    "gate": GATES,
    "place of shared budgets": BUDGETS,
    "executor": EXECUTORS,
    "scheduler": LAUNCHERS,
}
"""Every slot that others can fill, by what it is called in the docs."""


def kind_of(slot: Registry[Found], tag: str) -> Kind:
    """Return the kind of that tag.

    Raises:
        InputError: There is none, or what was found there takes no keys.
    """
    found = slot.find(tag)
    if isinstance(found, Kind):
        return found
    if not callable(found):
        raise InputError(f"{slot.slot} {tag!r} is a value: name a class or a function")
    return Kind(tag, found)


def build(slot: Registry[Found], section: Section, site: Site, place: str) -> object:
    """Return what a section describes; its secrets and references are read now.

    Args:
        slot: The slot it stands in.
        section: The section.
        site: Where it is built.
        place: What errors call it.

    Raises:
        InputError: It cannot be, or a secret is not there.
    """
    kind = kind_of(slot, _tag(section))
    try:
        made = value_of(kind.section, section)
        return made if kind.build is None else kind.build(made, site)
    except (TypeError, ValueError) as error:
        raise InputError(f"{place}: {error}") from error


def describe(slot: Registry[Found], section: Section) -> str:
    """Return what a section does, in words."""
    kind = kind_of(slot, _tag(section))
    return kind.tag if kind.describe is None else kind.describe(section)


def _tag(section: Section) -> str:
    return str(section.__struct_config__.tag)


def value_of(kind: Callable[..., T], section: Section) -> T:
    """Return the room's own value of a section, with its references and secrets read.

    Raises:
        InputError: One of them is not there.
    """
    ready = revealed(section)
    if isinstance(kind, type) and isinstance(ready, kind):
        return cast("T", ready)
    keys = {name: getattr(ready, name) for name in ready.__struct_fields__}
    for name in filter(lambda name: is_secret(type(section), name), keys):
        keys[name] = None if keys[name] is None else secret(keys[name])
    return kind(**{name: value for name, value in keys.items() if value is not msgspec.UNSET})


@cache
def section_of(section: Callable[..., object], tag: str | None) -> type[Section]:
    """Return the struct of a table whose keys are the parameters of ``section``.

    Raises:
        InputError: It has a parameter without a type, or of a type that no file can have.
    """
    if isinstance(section, type) and issubclass(section, Section):
        return section
    name = getattr(section, "__name__", str(tag))
    try:
        hints = _hints(section)
        fields = [
            _field(parameter, hints[parameter.name])
            for parameter in inspect.signature(section).parameters.values()
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        ]
        made = msgspec.defstruct(
            name,
            fields,
            bases=(Section,),
            namespace={"__doc__": _doc(section)},
            tag_field=None if tag is None else "kind",
            tag=tag,
            frozen=True,
            kw_only=True,
            forbid_unknown_fields=True,
        )
        msgspec.json.schema(made)  # says of what types a file can have no value
    except (TypeError, NameError, KeyError, ValueError) as error:
        raise InputError(
            f"{tag or name}: a key needs a type that a file can hold: {error}"
        ) from error
    return cast("type[Section]", made)


def _hints(section: Callable[..., object]) -> dict[str, object]:
    """Return the types of the parameters, of a class those of its ``__init__`` and its fields."""
    if not isinstance(section, type):
        return typing.get_type_hints(section, include_extras=True)
    made = typing.get_type_hints(vars(section).get("__init__", object), include_extras=True)
    return {**typing.get_type_hints(section, include_extras=True), **made}


def _field(parameter: inspect.Parameter, annotation: object) -> tuple[str, object, object]:
    kind = _writable(annotation)
    if parameter.default is parameter.empty:
        return parameter.name, kind, msgspec.NODEFAULT
    default = parameter.default
    if default is None or isinstance(default, str | int | float | bool | tuple | frozenset):
        return parameter.name, kind, default
    return parameter.name, typing.Union[kind, msgspec.UnsetType], msgspec.UNSET  # noqa: UP007 - a value


def _writable(annotation: object) -> object:
    """Return a parameter's type as it is in a file: a secret is the text that points to it."""
    members = typing.get_args(annotation)
    if Secret in members or annotation is Secret:
        text = Annotated[str, SECRET]
        return typing.Optional[text] if type(None) in members else text  # noqa: UP045 - a value
    return annotation


def words(section: object) -> str:
    """Return what a kind says of itself, without its keys."""
    return re.split(r"\n\s*(?:Attributes|Args|Raises|Returns):\n|\n\s*>>> ", _doc(section))[
        0
    ].strip()


def meanings(section: object) -> dict[str, str]:
    """Return what each key means, from ``Attributes:`` or ``Args:`` of the docstring.

    >>> meanings(Site)["folder"]
    'Where relative paths start: that of the pipeline file.'
    """
    found = re.search(r"^(?:Attributes|Args):\n((?:    .*\n?|\n)+)", _doc(section), re.MULTILINE)
    if not found:
        return {}
    entries = re.findall(r"^    (\w+): (.*(?:\n      .*)*)", found.group(1), re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def _doc(section: object) -> str:
    """Return the docstring; of a class with the attributes that its bases tell of."""
    words = inspect.getdoc(section) or ""
    for base in section.__mro__[1:] if isinstance(section, type) else ():
        told = re.search(
            _ATTRIBUTES, inspect.cleandoc(vars(base).get("__doc__") or ""), re.MULTILINE
        )
        if told and "Attributes:\n" in words:
            words = words.replace("Attributes:\n", f"Attributes:\n{told.group(1).rstrip()}\n", 1)
        elif told:
            words = f"{words}\n\nAttributes:\n{told.group(1)}"
    return words


_ATTRIBUTES = r"^Attributes:\n((?:    .*\n?|\n)+)"
