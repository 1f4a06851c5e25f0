"""Which members answer reads: a value, from text, a table of a file, or code.

>>> ReadFrom.of("nearest tags=dc:ber,rack:1 tags= staleness=120")
ReadFrom(mode='nearest', tags=({'dc': 'ber', 'rack': '1'}, {}), staleness=120.0)
>>> ReadFrom.of({"mode": "SECONDARY_PREFERRED", "tags": [{"dc": "ber"}]}).mode
'secondaryPreferred'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, final

from penstock.errors import InputError

if TYPE_CHECKING:
    from pymongo.read_preferences import _ServerMode

__all__ = ["MODES", "ReadFrom"]

MODES: Mapping[str, str] = MappingProxyType(
    {
        "primary": "the primary only: never stale; an error while there is none",
        "primaryPreferred": "the primary, and while there is none a secondary: stale data rather "
        "than no data",
        "secondary": "secondaries only: reads that must not disturb writes; an error without one",
        "secondaryPreferred": "a secondary, and without one the primary: reads spread over the set",
        "nearest": "whichever member answers fastest, primary or not: the least latency",
    }
)
"""The five modes by their names in a URI, and what each is for."""

_SHORTEST_STALENESS = 90.0
_SPELLINGS = {mode.lower(): mode for mode in MODES}


@final
@dataclass(frozen=True, slots=True)
class ReadFrom:
    """Which members may answer a read.

    Attributes:
        mode: One of :data:`MODES`.
        tags: Sets of tags in the order they are tried; an empty one fits every member.
        staleness: Seconds a secondary may lag, 90 or more, or None for any lag. An estimate.

    Raises:
        InputError: The combination is one the servers refuse.
    """

    mode: str = "primary"
    tags: tuple[Mapping[str, str], ...] = ()
    staleness: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            known = ", ".join(MODES)
            raise InputError(f"read preference {self.mode!r}: it is one of {known}")
        if self.mode == "primary" and (any(self.tags) or self.staleness is not None):
            raise InputError(
                "read preference primary takes no tags and no staleness, since there is one "
                "primary and it is never stale: choose primaryPreferred, secondary or nearest"
            )
        if self.staleness is not None and self.staleness < _SHORTEST_STALENESS:
            raise InputError(
                f"read preference staleness={self.staleness:g}: 90 seconds or more, since lag is "
                "only estimated from heartbeats"
            )

    @classmethod
    def of(cls, given: ReadFrom | str | Mapping[str, object]) -> ReadFrom:
        """Return ``given`` as a read preference.

        Args:
            given: One already; or text: the mode, then ``tags=name:value,...`` any number of
                times and ``staleness=seconds``; or a table of these three.

        Raises:
            InputError: It cannot be understood, or the servers refuse the combination.
        """
        if isinstance(given, ReadFrom):
            return given
        if isinstance(given, str):
            return _of_text(given)
        unknown = set(given) - {"mode", "tags", "staleness"}
        if unknown:
            raise InputError(f"read preference {sorted(unknown)}: it has mode, tags, staleness")
        mode, staleness = given.get("mode", "primary"), given.get("staleness")
        return cls(_mode(str(mode)), _tag_sets(given.get("tags", ())), _seconds(staleness))

    def options(self) -> dict[str, object]:
        """Return it as options of ``MongoClient``."""
        options: dict[str, object] = {"readPreference": self.mode}
        if self.tags:
            options["readPreferenceTags"] = [
                ",".join(f"{k}:{v}" for k, v in tags.items()) for tags in self.tags
            ]
        if self.staleness is not None:
            options["maxStalenessSeconds"] = int(self.staleness)
        return options

    def pymongo(self) -> _ServerMode:
        """Return it as PyMongo's own object, for ``with_options(read_preference=...)``."""
        from pymongo.read_preferences import make_read_preference, read_pref_mode_from_name

        tags = [dict(tags) for tags in self.tags] or None
        seconds = -1 if self.staleness is None else int(self.staleness)
        return make_read_preference(read_pref_mode_from_name(self.mode), tags, seconds)


def _of_text(text: str) -> ReadFrom:
    words = text.split()
    if not words:
        raise InputError("read preference '': write one of " + ", ".join(MODES))
    tags: list[Mapping[str, str]] = []
    staleness: float | None = None
    for word in words[1:]:
        name, _, value = word.partition("=")
        if name == "tags" and "=" in word:
            tags.append(_tags(value))
        elif name == "staleness":
            staleness = _seconds(value)
        else:
            raise InputError(
                f"read preference {text!r}: {word!r} is neither tags=name:value nor staleness=120"
            )
    return ReadFrom(_mode(words[0]), tuple(tags), staleness)


def _mode(name: str) -> str:
    # The old names of the field, SECONDARY_PREFERRED, are the same words.
    return _SPELLINGS.get(name.replace("_", "").lower(), name)


def _tags(text: str) -> dict[str, str]:
    pairs = [pair.partition(":") for pair in text.split(",") if pair]
    for name, colon, _ in pairs:
        if not colon or not name:
            raise InputError(f"tags={text}: write name:value, several with commas between")
    return {name: value for name, _, value in pairs}


def _tag_sets(given: object) -> tuple[Mapping[str, str], ...]:
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        raise InputError(f"tags={given!r}: a list of tables, tried in their order")
    sets = list(given)
    if not all(isinstance(tags, Mapping) for tags in sets):
        raise InputError(f"tags={given!r}: a list of tables, tried in their order")
    return tuple({str(k): str(v) for k, v in tags.items()} for tags in sets)


def _seconds(given: object) -> float | None:
    if given is None:
        return None
    try:
        return float(str(given))
    except ValueError as error:
        raise InputError(f"staleness={given}: a number of seconds, 90 or more") from error
