"""The JDK's own time zones: decode ``lib/tzdb.dat`` and list the transitions of a zone.

    python examples/javadata/tzdb.py $JAVA_HOME/lib/tzdb.dat Europe/Stockholm

The container is one record of a schema. Each set of rules inside it is in the compact form of
``java.time.zone.Ser``, where the width of a value depends on its first byte; those are read value
by value.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, NamedTuple

from penstock.javadata import (
    Byte,
    DataInputStream,
    Schema,
    UnsignedShort,
    Utf,
    array_of,
)

Blob = Annotated[bytes, array_of("short")]


class Zone(NamedTuple):
    """A region and its rules, as indexes."""

    region: UnsignedShort
    rules: UnsignedShort


class Tzdb(NamedTuple):
    """The layout that sun.util.calendar and java.time.zone.TzdbZoneRulesProvider read."""

    magic: Byte
    name: Utf
    versions: Annotated[list[Utf], array_of("short")]
    regions: Annotated[list[Utf], array_of("short")]
    rules: Annotated[list[Blob], array_of("short")]
    zones: Annotated[list[Annotated[list[Zone], array_of("short")]], array_of("=versions")]
    aliases: Annotated[list[Zone], array_of("short")]


class Yearly(NamedTuple):
    """A rule for every year after the last listed transition."""

    month: int
    day: int  # of the month; -1 is its last day
    weekday: int | None  # 0 is Monday: that day or the next (or, day below 0, the one before)
    seconds: int  # of the day, 86,400 at its end
    clock: int  # 0 counts in UTC, 1 on the wall, 2 in standard time
    standard: int
    before: int
    after: int


class Rules(NamedTuple):
    """The rules of one zone: the offset at first, transitions, and what goes on every year."""

    first: int
    transitions: list[tuple[int, int]]  # seconds since 1970, offset from then on
    yearly: list[Yearly]


def read_offset(stream: DataInputStream) -> int:
    """Read an offset: quarters of an hour in a byte, or 127 and seconds in an int."""
    quarters = stream.read_byte()
    return stream.read_int() if quarters == 127 else quarters * 900


def read_instant(stream: DataInputStream) -> int:
    """Read seconds since 1970: quarters of an hour since 1825 in three bytes, or 255 and a long."""
    high = stream.read_unsigned_byte()
    if high == 255:
        return stream.read_long()
    quarters = high << 16 | stream.read_unsigned_byte() << 8 | stream.read_unsigned_byte()
    return quarters * 900 - 4_575_744_000


def read_yearly(stream: DataInputStream) -> Yearly:
    """Read a ZoneOffsetTransitionRule: an int of bit fields, and what did not fit in it."""
    bits = stream.read_int() & 0xFFFFFFFF
    hour, standard, weekday = bits >> 14 & 31, bits >> 4 & 255, bits >> 19 & 7
    seconds = stream.read_int() if hour == 31 else hour * 3600
    offset = stream.read_int() if standard == 255 else (standard - 128) * 900
    before = stream.read_int() if bits >> 2 & 3 == 3 else offset + (bits >> 2 & 3) * 1800
    after = stream.read_int() if bits & 3 == 3 else offset + (bits & 3) * 1800
    return Yearly(
        month=bits >> 28,
        day=(bits >> 22 & 63) - 32,
        weekday=weekday - 1 if weekday else None,
        seconds=seconds,
        clock=bits >> 12 & 3,
        standard=offset,
        before=before,
        after=after,
    )


def read_rules(blob: bytes) -> Rules:
    """Read ZoneRules: changes of standard time, changes of the clock, yearly rules."""
    stream = DataInputStream(blob)
    stream.read_byte()  # what sort of object it is: always rules
    count = stream.read_int()
    for _ in range(count):
        read_instant(stream)
    for _ in range(count + 1):
        read_offset(stream)
    times = [read_instant(stream) for _ in range(stream.read_int())]
    offsets = [read_offset(stream) for _ in range(len(times) + 1)]
    yearly = [read_yearly(stream) for _ in range(stream.read_byte())]
    return Rules(offsets[0], list(zip(times, offsets[1:], strict=True)), yearly)


def in_year(rule: Yearly, year: int) -> tuple[int, int]:
    """Return when the rule applies in a year, and the offset from then on."""
    if rule.day < 0:
        after = date(year + rule.month // 12, rule.month % 12 + 1, 1)
        day = after + timedelta(days=rule.day)
        back = 0 if rule.weekday is None else (day.weekday() - rule.weekday) % 7
        day -= timedelta(days=back)
    else:
        day = date(year, rule.month, rule.day)
        on = 0 if rule.weekday is None else (rule.weekday - day.weekday()) % 7
        day += timedelta(days=on)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    ahead = {0: 0, 1: rule.before, 2: rule.standard}[rule.clock]
    return int(midnight.timestamp()) + rule.seconds - ahead, rule.after


def transitions(rules: Rules, last_year: int) -> list[tuple[int, int]]:
    """Return all transitions to the end of ``last_year``."""
    known = list(rules.transitions)
    if known and rules.yearly:
        from_year = datetime.fromtimestamp(known[-1][0], UTC).year
        for year in range(from_year, last_year + 1):
            later = sorted(in_year(rule, year) for rule in rules.yearly)
            known += [each for each in later if each[0] > rules.transitions[-1][0]]
    return known


def read_tzdb(path: str) -> tuple[str, dict[str, Rules]]:
    """Return the release, as "2025a", and the rules of every region."""
    (file,) = Schema(Tzdb).records(path)
    release, zones = file.versions[-1], file.zones[-1]
    return release, {
        file.regions[zone.region]: read_rules(file.rules[zone.rules]) for zone in zones
    }


def main() -> None:
    """Print the transitions of one zone."""
    release, zones = read_tzdb(sys.argv[1])
    print(f"# {sys.argv[2]}, release {release}")
    for when, offset in transitions(zones[sys.argv[2]], 2100):
        print(datetime.fromtimestamp(when, UTC).isoformat(), offset)


if __name__ == "__main__":
    main()
