"""The people: the same for the same seed, and awkward on purpose."""

from __future__ import annotations

import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.simulator import SimulatorSettings, user, user_json
from penstock.simulator.users import deleted_ids, row_json


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_every_user_is_json_of_about_a_kilobyte(seed: int, user_id: int) -> None:
    body = user_json(seed, user_id)
    found = json.loads(body)
    assert 900 < len(body) < 1400
    assert found["id"] == user_id
    assert found["id_str"] == str(user_id)
    assert found["account"] > 2**53
    assert isinstance(found["status"]["text"], str)
    assert found["entities"]["urls"][0]["url"].startswith("https://")
    assert json.loads(row_json(seed, user_id))["name"] == found["name"]


def test_the_mean_is_a_kilobyte() -> None:
    assert 1000 < statistics.mean(len(user_json(1, id_)) for id_ in range(2000)) < 1150


def test_users_differ_and_seeds_differ() -> None:
    assert len({user_json(1, id_) for id_ in range(1000)}) == 1000
    assert json.loads(user_json(1, 5))["account"] != json.loads(user_json(2, 5))["account"]


def test_texts_are_awkward() -> None:
    texts = {json.loads(user_json(1, id_))["status"]["text"] for id_ in range(200)}
    letters = set("".join(texts))
    assert {"\n", "\t", "\\", "\u2028", "\x00", "🌊", "”"} < letters


def test_deleted_users_are_gone() -> None:
    settings = SimulatorSettings(users=50, deleted=5)
    gone = deleted_ids(settings.seed, 50, 5)
    assert len(gone) == 5
    for id_ in (*gone, -1, 50):
        with pytest.raises(LookupError):
            user(settings, id_)
    alive = next(id_ for id_ in range(50) if id_ not in gone)
    assert user(settings, alive)["id"] == alive
