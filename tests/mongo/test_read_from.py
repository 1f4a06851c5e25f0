"""Read preferences as values, and what the servers would refuse refused at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from penstock.errors import InputError
from penstock.mongo import DURABILITY, ReadFrom
from penstock.mongo.client_options import chosen_options
from penstock.mongo.read_from import MODES

NAMES = st.text("abcxyz", min_size=1, max_size=4)


@st.composite
def preferences(draw: st.DrawFn) -> ReadFrom:
    mode = draw(st.sampled_from(sorted(MODES)))
    if mode == "primary":
        return ReadFrom()
    tags = draw(st.lists(st.dictionaries(NAMES, NAMES, max_size=2), max_size=3))
    staleness = draw(st.none() | st.integers(90, 10_000).map(float))
    return ReadFrom(mode, tuple(tags), staleness)


@settings(deadline=None)
@given(preferences())
def test_text_table_and_pymongo_say_the_same(preference: ReadFrom) -> None:
    said = ["tags=" + ",".join(f"{k}:{v}" for k, v in tags.items()) for tags in preference.tags]
    late = [] if preference.staleness is None else [f"staleness={preference.staleness:g}"]
    assert ReadFrom.of(" ".join([preference.mode, *said, *late])) == preference
    table = {"mode": preference.mode, "tags": [dict(tags) for tags in preference.tags]}
    staleness = {} if preference.staleness is None else {"staleness": preference.staleness}
    assert ReadFrom.of({**table, **staleness}) == preference
    theirs = preference.pymongo()
    assert theirs.mongos_mode == preference.mode
    assert theirs.max_staleness == (-1 if preference.staleness is None else preference.staleness)
    make: Any = MongoClient
    with make("mongodb://h", connect=False, **preference.options()) as client:
        assert client.read_preference == theirs


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("sometimes", "'sometimes': it is one of primary"),
        ("", "write one of primary"),
        ("primary tags=dc:ber", "primary takes no tags"),
        ("primary staleness=120", "primary takes no tags and no staleness"),
        ("nearest staleness=30", "staleness=30: 90 seconds or more"),
        ("nearest staleness=soon", "staleness=soon: a number"),
        ("nearest tags=dc", "write name:value"),
        ("nearest hedge", "'hedge' is neither"),
        ({"mode": "nearest", "tag": []}, r"\['tag'\]: it has mode, tags, staleness"),
        ({"mode": "nearest", "tags": {"dc": "ber"}}, "a list of tables"),
    ],
)
def test_a_refused_one_says_what_to_write(given: str | dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        ReadFrom.of(given)


def test_the_fields_old_names_are_understood() -> None:
    assert ReadFrom.of("SECONDARY_PREFERRED") == ReadFrom("secondaryPreferred")


def test_what_the_uri_says_holds() -> None:
    assert chosen_options("mongodb://h", None, None, {}) == {
        "heartbeatFrequencyMS": 500,
        "connectTimeoutMS": 1000,
        "w": "majority",
        "journal": True,
        "readConcernLevel": "majority",
    }
    said = "mongodb://h/?W=1&heartbeatFrequencyMS=9000&readPreference=nearest"
    assert chosen_options(said, None, None, {}) == {"connectTimeoutMS": 1000}


def test_two_words_about_one_thing_are_refused() -> None:
    with pytest.raises(InputError, match=r"durability=.*already say w"):
        chosen_options("mongodb://h/?w=1", "safe", None, {})
    with pytest.raises(InputError, match=r"read_from=.*readpreference"):
        chosen_options("mongodb://h/?readPreference=nearest", None, "secondary", {})
    with pytest.raises(InputError, match="durability='quick': it is one of 'safe'"):
        chosen_options("mongodb://h", "quick", None, {})


def test_every_level_of_durability_is_one_the_driver_takes() -> None:
    for level in DURABILITY.values():
        make: Any = MongoClient
        with make("mongodb://h", connect=False, **level.options) as client:
            assert client.write_concern.acknowledged == (level.name != "fire-and-forget")
