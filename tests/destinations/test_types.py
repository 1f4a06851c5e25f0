"""What each value is after it went to a place: itself, or its text where no type there holds it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.destinations.conftest import Place, Rows, duck
from tests.store.test_nested import same as came_back

from penstock.destinations import Keeper, open_destination
from penstock.pipeline import LandedRecord
from penstock.store import LocalStore, fields, items

# Values as JSONTestSuite has them, accepted ones and those that a parser may refuse, and times.
LITERALS = (
    *("null", "true", "false", "0", "-0", "1", "-1", "9007199254740993", "-9223372036854775808"),
    *(
        "9223372036854775807",
        "9223372036854775808",
        "123123123123123123123123123123",
        "1e2",
        "1E22",
    ),
    *("1E22", "1E-2", "-0.0", "0.1", "123.456789", "-1e-2", "0e+1", "123e-10000000", "1.5e+9999"),
    *(
        "0.4e00669",
        "1.000000000000000005",
        "123.456e78",
        '""',
        '"a"',
        '"1"',
        '"true"',
        '"null"',
        '" "',
    ),
    *('"null"', '" "', '"\\u0060\\u012a\\u12AB"', '"\\uD801\\udc37"', '"\\ud83d"', '"\\u0000"'),
    *(
        '"\\uFFFE"',
        '"\\""',
        '"\\\\u0000"',
        '"\\/"',
        '"\\n\\t"',
        '"€𝄞"',
        '"\\u0007"',
        '"2024-05-01"',
    ),
    *(
        '"2024-05-01"',
        '"2024-02-30"',
        '"2024-05-01T10:00:00Z"',
        '"2024-05-01T10:00:00.000001+02:00"',
    ),
    *('"2024-05-01T10:00:00"', '"2024-05-01 10:00"', '"2024-05-01T10:00:00.1234567Z"', "[]", "{}"),
    *('[null,1,"1",{}]', "[[[]]]", '{"":0}', '{"a":[],"b":{"c":null}}', '{"\\u0000":1}', "[1e999]"),
    *('["\\ud800"]', '{"a":9007199254740993}'),
)
KINDS = "bool int long float text digits json nested raw date datetime timestamp".split()
# As they are written: 1.0 and 1 are one number, and no float rounds it.
EXACT: dict[str, Any] = {"parse_float": Decimal, "parse_int": Decimal}


def bodies(seed: int, records: int = 60, fields: int = 40) -> list[str]:
    """Return records whose fields draw from one to four values each, and are absent at times."""
    chance = random.Random(seed)
    pools = [chance.sample(LITERALS, chance.choice([1, 1, 2, 3, 4])) for _ in range(fields)]
    made = []
    for _ in range(records):
        there = [(at, pool) for at, pool in enumerate(pools) if chance.random() > 0.2]
        made.append("{" + ",".join(f'"f{at}":{chance.choice(pool)}' for at, pool in there) + "}")
    return made


def same(literal: str, got: object) -> bool:
    """Return whether a cell says what a value says, in a type or as text."""
    meant = json.loads(literal, parse_float=Decimal)
    if isinstance(got, datetime) and isinstance(meant, str):
        then = datetime.fromisoformat(meant)
        return then == (got if then.tzinfo is None else got.astimezone(UTC))
    if isinstance(got, date):
        return bool(got.isoformat() == meant)
    if isinstance(got, str) == isinstance(meant, str) and got == meant:
        return True
    if type(meant) in {int, Decimal} and isinstance(got, int | float | Decimal):
        return float(literal) == float(got)
    return isinstance(got, str | list | dict) and same_text(literal, got)


def same_text(literal: str, got: str | list[object] | dict[str, object]) -> bool:
    """Return whether JSON, or the text that stands for a text no place holds, says the same."""
    if not isinstance(got, str):  # as the driver has read it
        return came_back(got, json.loads(literal))
    try:
        return bool(json.loads(got, **EXACT) == json.loads(literal, **EXACT))
    except ValueError:
        meant: str = json.loads(literal)
        return got == meant.encode("utf-8", "backslashreplace").decode()


def check(place: Place, rows: Rows, texts: Iterable[str]) -> None:
    by_key = {row["key"]: row for row in rows}
    for key, text in enumerate(texts):
        literals = fields_of(text)
        for name in {n.partition("__")[0] for n in by_key[key]} - {"key"}:
            cells = [
                cell
                for column in (name, *(f"{name}__{kind}" for kind in KINDS))
                if (cell := by_key[key].get(column)) is not None
            ]
            literal = literals.get(name, "null")
            if literal == "null":
                assert cells == [], (place.address, name, cells)
            else:
                assert len(cells) == 1, (place.address, name, literal, cells)
                assert same(literal, cells[0]), (place.address, name, literal, cells[0])


def fields_of(text: str) -> dict[str, str]:
    """Return the text of each field, as it stands in a record that ``bodies`` made."""
    found = {}
    rest = text[1:-1]
    while rest:
        name, _, rest = rest.partition(":")
        literal = max((one for one in LITERALS if rest.startswith(one)), key=len)
        found[name.strip('"')], rest = literal, rest[len(literal) :].removeprefix(",")
    return found


def texts_of(path: Path) -> Rows:
    """Return what stands in a CSV file, each cell as it is written."""
    words = "all_varchar=true, allow_quoted_nulls=false, delim=',', header=true"
    return [
        row | {"key": int(str(row["key"]))} for row in duck(f"FROM read_csv('{path}', {words})")
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_every_value_comes_back_or_its_text_does(place: Place, tmp_path: Path, seed: int) -> None:
    texts = bodies(seed)
    with (
        LocalStore(tmp_path / "store") as store,
        closing(open_destination(place.address)) as destination,
    ):
        for start in (0, len(texts) // 2):  # the second half meets columns that are there
            part = list(enumerate(texts))[start : start + len(texts) // 2]
            store.settle([LandedRecord(key, text.encode()) for key, text in part], str)
            store.flush()
            Keeper(destination, "users").catch_up(store)
    csv = place.address.startswith("csv://")
    rows = texts_of(Path(place.address.removeprefix("csv://"))) if csv else place.read()
    if place.address.startswith("jsonl"):
        for row, text in zip(rows, texts, strict=True):
            key = row.pop("key")
            assert row == json.loads(text), key
        return
    check(place, rows, texts)


def test_a_record_with_half_a_surrogate_pair_keeps_the_digits_of_its_numbers() -> None:
    """Such a record was parsed and written again: 1e400 became Infinity."""
    parts = {
        "a": '"\\ud83d"',
        "b": "1e400",
        "c": "1.000000000000000005",
        "d": '[ 1e400, "\\ud800"]',
    }
    body = "{ " + " , ".join(f'"{name}" :\n{text}' for name, text in parts.items()) + "\n}"
    found = fields(body.encode(), flatten=False)
    assert found == {(name,): text.encode() for name, text in parts.items()}
    assert items(found["d",]) == [b"1e400", b'"\\ud800"']
    assert fields(b'{"a":{"\\ud800":1}}', flatten=True) == {("a", "\\ud800"): b"1"}
