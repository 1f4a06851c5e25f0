"""The rules of MongoDB's order that need no server: what marks a place, and what stands behind."""

import pytest

from penstock.mongo.sort_order import behind, has_array, keys_at


@pytest.mark.parametrize(
    ("document", "path", "there"),
    [
        ({"a": [1]}, "a", True),
        ({"a": {"b": [1]}}, "a.b", True),
        ({"a": [{"b": 1}]}, "a.b", True),
        ({"a": {"b": 1}}, "a.b", False),
        ({"a": {"b": 1}, "b": [1]}, "a.b", False),
        ({"a": 1}, "a.b", False),
        ({}, "a", False),
    ],
)
def test_an_array_is_found_wherever_it_stands_on_the_way(
    document: dict[str, object], path: str, *, there: bool
) -> None:
    assert has_array(document, path) is there


def test_what_cannot_mark_a_place_ends_the_keys() -> None:
    document = {"n": 1, "x": float("nan"), "at": {"y": "z"}}
    assert keys_at(document, ["n", "at.y", "x", "n"]) == (1, "z")
    assert keys_at(document, ["at.none", "n"]) == ()


@pytest.mark.parametrize(("direction", "sign"), [(1, "$gt"), (-1, "$lt")])
def test_what_stands_behind_lies_in_the_direction_of_the_sort(direction: int, sign: str) -> None:
    choices = behind([("n", direction), ("m", 1)], [7, "t"])["$or"]
    assert {"n": {sign: 7}} in choices
    assert ({"n": {"$exists": False}} in choices) is (direction < 0)
    assert choices[-1]["$and"][0] == {"n": 7}
