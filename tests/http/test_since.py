"""What a walk asks from: values of every form, one after the other, without a server."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from penstock.http import Get
from penstock.http.response import Response
from penstock.http.since import Since, Watermark

SOURCE = "GET /orders"
LIST = Get("/orders")


def page(**members: object) -> Response:
    return Response(200, "http://h/orders", b"", json.dumps(members).encode(), 0.0)


def rows(*values: object) -> list[bytes]:
    return [json.dumps({"at": value}).encode() for value in values]


def walked(since: Since, *values: object, kept: str | None = None) -> tuple[Watermark, str]:
    """Walk one page of rows; return the watermark and what the store keeps of it."""
    mark = Watermark(since, SOURCE, kept)
    return mark, mark.saw(page(), rows(*values), last=True).value


def asked(since: Since, *values: object) -> object:
    """Return what the walk after one over these rows asks from."""
    _, kept = walked(since, *values)
    return (Watermark(since, SOURCE, kept).asked(LIST).query or {}).get("since")


FIELD = Since(param="since", field="at")


@pytest.mark.parametrize(
    ("values", "greatest"),
    [
        ((3, 9, 7), 9),
        (("3", "10", "9"), "10"),
        ((0,), 0),
        ((-2, -1), -1),
        (("2026-01-03", "2026-02-01T00:00:00Z", "2025-12-31"), "2026-02-01T00:00:00Z"),
        (("2026-01-01T00:00:00+02:00", "2025-12-31T23:00:00Z"), "2025-12-31T23:00:00Z"),
        ((1_700_000_000, 1_700_000_001.5), "1700000001.5"),
        ((), None),
    ],
)
def test_the_greatest_value_is_asked_from(values: tuple[object, ...], greatest: object) -> None:
    assert asked(FIELD, *values) == greatest


@pytest.mark.parametrize(
    ("values", "unread"),
    [
        ((3, None, 4), 1),
        ((3, True, "x", [1]), 3),
        ((3, "2026-01-01"), 1),
        (("2026-01-01", 3), 1),
        ((0, 1), 0),
        (("nan", 1), 1),
    ],
)
def test_what_cannot_be_compared_is_counted(values: tuple[object, ...], unread: int) -> None:
    mark, _ = walked(FIELD, *values)
    assert (mark.unread.rows, mark.unread.count) == (len(values), unread)


@pytest.mark.parametrize("scale", [1, 10**3, 10**6])
def test_a_number_that_is_a_time_in_the_future_is_not_asked_from(scale: int) -> None:
    now = datetime.now(UTC)
    past, future = ((now + timedelta(days=d)).timestamp() for d in (-1, 900))
    mark, kept = walked(FIELD, int(past * scale), int(future * scale))
    assert Watermark(FIELD, SOURCE, kept).asked(LIST).query == {"since": int(past * scale)}
    assert mark.unread.ahead == 1
    assert mark.unread.note


def test_large_numbers_alone_are_no_times() -> None:
    assert asked(FIELD, 5, 250_000_000_000) == 250_000_000_000


@pytest.mark.parametrize(
    ("found", "known"), [("c2", "c2"), (7, 7), ("", "c1"), (None, "c1"), (["c2"], "c1"), ({}, "c1")]
)
def test_the_last_cursor_counts_and_what_is_none_does_not(found: object, known: object) -> None:
    since = Since(param="since", cursor="next")
    mark = Watermark(since, SOURCE, None)
    mark.saw(page(next="c1"), (), last=False)
    kept = mark.saw(page(next=found), (), last=True).value
    assert Watermark(since, SOURCE, kept).asked(LIST).query == {"since": known}


@pytest.mark.parametrize(
    ("value", "before"),
    [
        ("2026-01-01T00:00:00Z", "2025-12-31T23:59:00Z"),
        ("2026-01-01T00:00:00+00:00", "2025-12-31T23:59:00+00:00"),
        ("2026-01-01T00:00:00.250Z", "2025-12-31T23:59:00.250Z"),
        ("2026-01-01T00:00:00.123456", "2025-12-31T23:59:00.123456"),
        ("2026-01-01 00:00:00", "2025-12-31 23:59:00"),
        ("2026-01-01", "2025-12-31"),
        ("20260101", "20251231"),
        ("20260101T000000Z", "20251231T235900Z"),
        ("Thu, 01 Jan 2026 00:00:00 GMT", "Wed, 31 Dec 2025 23:59:00 GMT"),
        (1000, 940),
        ("1000", "940"),
        (1000.5, "940.5"),  # its digits are kept
    ],
)
def test_an_overlap_is_taken_off_in_the_form_the_value_has(value: object, before: object) -> None:
    assert asked(Since(param="since", field="at", overlap=60), value) == before


def test_until_a_walk_has_ended_the_same_is_asked() -> None:
    mark = Watermark(Since(param="since", field="at", start=1), SOURCE, None)
    kept = mark.saw(page(), rows(5), last=False).value
    assert Watermark(FIELD, SOURCE, kept).asked(LIST).query == {"since": 1}
    kept = Watermark(FIELD, SOURCE, kept).saw(page(), rows(4), last=True).value
    assert Watermark(FIELD, SOURCE, kept).asked(LIST).query == {"since": 5}
