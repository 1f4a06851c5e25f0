"""Cases that nobody had tried: each lost rows with exit code 0, or ended in a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from tests.assembly.test_again import called, landed
from tests.http.wire import Asked, answer, answering, wire

from penstock.http.since import _earlier
from penstock.resilience import Budget, RetryPolicy, parse_hints

PAGES = '[store]\npath = "s"\n%s\n[source]\nkind = "pages"\npath = "/rows"\n'
KEYS = '[store]\npath = "s"\non_same = "replace"\n[source]\nkind = "range"\nstop = %d\n'
CSV = '[source]\nkind = "csv"\npath = "k.csv"\ncolumn = "id"\n[store]\npath = "s"\n'
ONE = '[request]\npath = "/{key}"\n'


class Service:
    """What a test says, called by a file in a folder of its own; ``queries`` is what it heard."""

    def __init__(self, folder: Path, url: str, heard: list[Asked]) -> None:
        self._folder, self._url, self._heard = folder, url, heard

    def run(self, text: str, *words: str, retry: str = "", code: int = 0) -> Any:
        file = self._folder / "f.toml"
        tail = f'[api]\nbase = "{self._url}"\n[retry]\nattempts = 1\nbase = 0\n{retry}'
        file.write_text(f"{text}\n{tail}")
        ended, out, err = called("run", file, "--json", "--quiet", *words)
        assert ended == code, (ended, out, err)
        assert "Traceback" not in err
        return json.loads(out) if out else err

    @property
    def rows(self) -> dict[str | int, Any]:
        return landed(self._folder / "s")

    @property
    def queries(self) -> list[dict[str, str]]:
        return [query(asked) for asked in self._heard]


@contextmanager
def service(folder: Path, reply: Callable[[Asked], bytes]) -> Iterator[Service]:
    with wire(answering(reply)) as server:
        yield Service(folder, server.url, server.asked)


def query(asked: Asked) -> dict[str, str]:
    return dict(parse_qsl(asked.target.partition("?")[2]))


@pytest.mark.parametrize("cursor", ["12345678901234567890123", "1700000000.123456789"])
def test_a_cursor_that_is_a_number_keeps_all_its_digits(tmp_path: Path, cursor: str) -> None:
    """Half the digits went: the server gave an empty page, which was the end."""

    def reply(asked: Asked) -> bytes:
        given = query(asked).get("cursor")
        if given is None:
            return answer(b'{"items": [{"id": 1}], "next": %b}' % cursor.encode())
        row = b'{"id": 2}' if given == cursor else b""
        return answer(b'{"items": [%b], "next": null}' % row)

    with service(tmp_path, reply) as it:
        it.run(PAGES % "" + 'style = "cursor"\nitems = "items"\nnext = "next"\n')
        assert set(it.rows) == {1, 2}


def test_a_link_header_in_utf_8_leads_to_the_next_page(tmp_path: Path) -> None:
    """It was read as Latin-1, and another URL was asked for."""

    def reply(asked: Asked) -> bytes:
        if "page" not in asked.target:
            link = 'Link: </é?page=2>; rel="next"'.encode().decode("latin-1")
            return answer(b'[{"id": 1}]', 200, link)
        return answer(b'[{"id": 2}]' if asked.target == "/%C3%A9?page=2" else b"[]")

    with service(tmp_path, reply) as it:
        it.run(PAGES % "")
        assert set(it.rows) == {1, 2}


def test_rows_beside_errors_of_graphql_are_told(tmp_path: Path) -> None:
    """A part of the rows, and an error in place of the others, with status 200."""
    body = {"data": {"rows": [{"id": 1}], "end": None}, "errors": [{"message": "timeout"}]}
    text = PAGES % "" + 'method = "POST"\njson = { query = "q" }\nstyle = "cursor"\n'
    with service(tmp_path, lambda _: answer(json.dumps(body).encode())) as it:
        told = it.run(text + 'param = "after"\nitems = "data.rows"\nnext = "data.end"\n', code=1)
    assert "rows and errors" in told["warnings"][0]


def test_an_etag_that_no_header_can_carry_is_left_out(tmp_path: Path) -> None:
    """Its key was never refreshed again."""
    number = iter(range(10))

    def reply(_: Asked) -> bytes:
        return answer(b'{"v": %d}' % next(number), 200, 'ETag: "\xe9"')

    with service(tmp_path, reply) as it:
        for version in range(3):
            it.run(KEYS % 1 + ONE, "--refresh")
            assert it.rows == {0: {"v": version}}


def test_a_key_that_is_absent_when_it_is_fetched_again_is_no_failure(tmp_path: Path) -> None:
    answers = iter([answer(b'{"v": 1}'), answer(b"{}", 404), answer(b"", 204)])
    with service(tmp_path, lambda _: next(answers)) as it:
        it.run(KEYS % 1 + ONE)
        it.run(KEYS % 1 + ONE, "--refresh", retry="absent = [404]\n")
        it.run(KEYS % 1 + ONE, "--refresh", retry="absent = [204]\n")
        assert it.rows == {0: {"v": 1}}


def test_absent_holds_for_2xx_and_contradicts_always(tmp_path: Path) -> None:
    """204 landed as null, whatever the file said."""
    with service(tmp_path, lambda _: answer(b"", 204)) as it:
        assert it.run(KEYS % 2 + ONE, retry="absent = [204]\n")["absent"] == 2
        told = it.run(KEYS % 2 + ONE, retry="absent = [404]\nalways = [404]\n", code=2)
    assert "retry.absent: a status is in retry.always, too" in told
    assert 503 not in RetryPolicy(absent={503}).always


def test_two_columns_of_one_name_are_not_one(tmp_path: Path) -> None:
    """The last one won, and what was in the first was gone."""
    with service(tmp_path, lambda _: answer(b"id,a,a\n1,2,3\n")) as it:
        assert it.run(KEYS % 1 + ONE + 'decode = "csv"\n', code=1)["failed"] == 1
        (tmp_path / "k.csv").write_text("id,id\n1,2\n")
        assert "two columns are called 'id'" in it.run(CSV + ONE, code=2)
        (tmp_path / "k.csv").write_text('id\n"' + "x" * 200_000)
        assert "cannot be read as CSV: field larger" in it.run(CSV + ONE, code=2)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('style = "page"\nfirst = "a"\n', "source.first: expected int, got str"),
        ('style = "page"\nsize_param = ""\ntotal = "t"\npages = "p"\nmore = "m"\n', ""),
        (
            'style = "page"\nsince = { param = "s", field = "at", start = "soon", overlap = 1 }\n',
            "an overlap needs a time or",
        ),
    ],
)
def test_keys_of_pages_are_of_their_types(tmp_path: Path, keys: str, said: str) -> None:
    """A traceback, after the first call."""
    with service(tmp_path, lambda _: answer(b"[]")) as it:
        told = it.run(PAGES % "" + keys, code=2 if said else 1)
        assert not said or said in told


@pytest.mark.parametrize("source", ["range", "dates"])
def test_a_source_that_stops_before_it_starts_is_not_done(tmp_path: Path, source: str) -> None:
    start, stop = ("5", "1") if source == "range" else ("2026-02-01", "2026-01-01")
    text = f'store = "s"\n[source]\nkind = "{source}"\nstart = {start}\nstop = {stop}\n'
    with service(tmp_path, lambda _: answer()) as it:
        assert "it is before start" in it.run(text + ONE, code=2)


@pytest.mark.parametrize(
    ("value", "earlier"),
    [
        ("20260101", "20251231"),
        ("20260101T000000Z", "20251231T235900Z"),
        ("Thu, 01 Jan 2026 00:00:00 GMT", "Wed, 31 Dec 2025 23:59:00 GMT"),
        ("2026-01-01 00:00:00.5", "2025-12-31 23:59:00.5"),
        ("1700000000", "1699999940"),
        ("1712121201230", "1712121201170"),
    ],
)
def test_a_time_is_made_earlier_in_the_form_it_has(value: str, earlier: str) -> None:
    """A date without signs became 20260041, a time without signs another time."""
    assert _earlier(value, 60) == earlier


def test_times_of_mail_tell_what_is_new(tmp_path: Path) -> None:
    rows = [{"id": 1, "at": "Thu, 01 Jan 2026 10:00:00 GMT"}]

    def reply(asked: Asked) -> bytes:
        return answer(json.dumps(rows if query(asked)["page"] == "1" else []).encode())

    text = PAGES % 'on_same = "replace"' + 'style = "page"\nsince = { param = "s", field = "at" }\n'
    with service(tmp_path, reply) as it:
        it.run(text)
        it.run(text)
        assert it.queries[-1]["s"] == rows[0]["at"]


@pytest.mark.parametrize(
    "lines",
    [
        b"Retry-After: Mon, 01 Jan 2024 00:00:00 GMT",
        b"Retry-After: 0",
        b"X-RateLimit-Limit: 9\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1700000000",
    ],
)
def test_a_refusal_whose_time_is_over_is_not_asked_again_at_once(lines: bytes) -> None:
    """A server with a wrong clock got a hundred calls a second."""
    budget, now, calls = Budget(), 100.0, 0
    hints = parse_hints(b"HTTP/1.1 429 X\r\n" + lines + b"\r\n\r\n")
    while now < 160.0:
        ticket = budget.take(now)
        if isinstance(ticket, float):
            now += max(ticket, 0.001)
            continue
        calls += 1
        now += 0.001
        budget.settle(ticket, now, hints, 429)
    assert calls <= 12
