"""What servers say of their limits, in every dialect, and in what is no dialect at all."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.resilience import (
    Dialect,
    Fields,
    Hints,
    Quota,
    Reset,
    hints_in_body,
    parse_hints,
    parse_reset,
    parse_retry_after,
    seconds_until,
    too_fast,
)
from penstock.resilience.hints import LONGEST_WAIT

NAMES = [
    b"RateLimit",
    b"RateLimit-Policy",
    b"RateLimit-Reset",
    b"X-RateLimit-Limit",
    b"X-RateLimit-Remaining-Tokens",
    b"X-RateLimit-Reset",
    b"X-Rate-Limit-Reset",
    b"X-RateLimit-Reset-After",
    b"Retry-After",
    b"Retry-After-Ms",
    b"Backoff",
    b"Date",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def quota(head: bytes) -> Quota:
    hints = parse_hints(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
    assert hints is not None
    (only,) = hints.quotas
    return only


def finite(hints: Hints | None) -> bool:
    if hints is None:
        return True
    resets = [q.reset for q in hints.quotas] + [hints.retry_after]
    numbers = [r.value for r in resets if r] + [hints.backoff or 0.0, hints.date or 0.0]
    return all(math.isfinite(number) for number in numbers)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_break_the_parser(head: bytes) -> None:
    assert finite(parse_hints(head))


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=60)), max_size=4))
@example([(b"RateLimit-Reset", b"9" * 400 + b"s")])
@example([(b"Retry-After", b"1e309")])
@example([(b"X-RateLimit-Reset", b"0001-01-01T00:00:00+23:59")])
@example([(b"X-RateLimit-Reset", b"9999-12-31T23:59:59-23:59")])
@example([(b"Date", b"Mon, 01 Jan 0001 00:00:00 +2359"), (b"Backoff", b"1")])
def test_no_value_of_a_known_field_breaks_the_parser(fields: list[tuple[bytes, bytes]]) -> None:
    assert finite(parse_hints(b"".join(b"%s: %s\r\n" % field for field in fields)))


@given(st.text(max_size=40))
@example("9" * 400 + "h")
@example("-5")
@example("nan")
def test_no_text_breaks_the_reset_parsers(text: str) -> None:
    for parse in (parse_reset, parse_retry_after):
        reset = parse(text)
        assert reset is None or math.isfinite(reset.value)


@given(JSON)
@example({"retry_after": 10**400})
@example({"retry_after_ms": -1})
def test_no_body_breaks_the_hints(body: object) -> None:
    assert finite(hints_in_body(body, None))


counts = st.integers(0, 10**9)
seconds = st.integers(0, 10**8)


@given(limit=counts, left=counts, reset=seconds, window=st.integers(1, 10**6))
def test_every_dialect_is_read_back_as_written(
    limit: int, left: int, reset: int, window: int
) -> None:
    policy = b'RateLimit-Policy: "all"; q=%d; w=%d; pk=:c2VjcmV0:\r\n' % (limit, window)
    eight = quota(b'RateLimit: "all"; r=%d; t=%d\r\n' % (left, reset) + policy)
    seven = quota(
        b"RateLimit: limit=%d, remaining=%d, reset=%d\r\n" % (limit, left, reset)
        + b"RateLimit-Policy: %d;w=%d\r\n" % (limit, window)
    )
    six = quota(
        b"RateLimit-Limit: %d\r\nRateLimit-Remaining: %d\r\nRateLimit-Reset: %d\r\n"
        % (limit, left, reset)
        + b"RateLimit-Policy: %d;w=%d\r\n" % (limit, window)
    )
    for read in (eight, seven, six):
        assert (read.limit, read.remaining, read.window) == (limit, left, window)
        assert read.reset == Reset(reset)
        assert read.unit == "requests"


@pytest.mark.parametrize(
    ("text", "value", "epoch"),
    [
        ("50", 50.0, False),
        ("0", 0.0, False),
        ("31536000", 31536000.0, False),
        ("1795284304", 1795284304.0, True),
        ("1795284304.25", 1795284304.25, True),
        ("1795284304250", 1795284304.25, True),
        ("1795284304250000", 1795284304.25, True),
        ("1795284304250000000", 1795284304.25, True),
        ("2026-11-21T18:05:04Z", 1795284304.0, True),
        ("2026-11-21T18:05:04.250+00:00", 1795284304.25, True),
        ("2026-11-21 19:05:04+01:00", 1795284304.0, True),
        ("Sat, 21 Nov 2026 18:05:04 GMT", 1795284304.0, True),
        ("6m0s", 360.0, False),
        ("1h2m3.5s", 3723.5, False),
        ("12ms", 0.012, False),
    ],
)
def test_a_reset_is_told_apart_by_form_and_magnitude(text: str, value: float, epoch: bool) -> None:
    reset = parse_reset(text)
    assert reset is not None
    assert reset.value == pytest.approx(value, abs=1e-6)
    assert reset.epoch is epoch


@pytest.mark.parametrize("text", ["", "soon", "-5", "nan", "inf", "5 apples", "tomorrow at 5"])
def test_what_is_no_reset_is_none(text: str) -> None:
    assert parse_reset(text) is None


@given(st.datetimes(datetime(1995, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 - made aware below
def test_retry_after_as_a_date(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC, microsecond=0)
    reset = parse_retry_after(format_datetime(aware, usegmt=True))
    assert reset == Reset(aware.timestamp(), epoch=True)


def test_names_are_read_whatever_their_case() -> None:
    read = quota(b"x-RATELIMIT-limit: 10\r\nX-Ratelimit-REMAINING:3\r\nx-ratelimit-reset:  7  \r\n")
    assert (read.limit, read.remaining, read.reset) == (10, 3, Reset(7))


def test_used_instead_of_remaining() -> None:
    assert quota(b"X-RateLimit-Limit: 10\r\nX-RateLimit-Used: 4\r\n").remaining == 6


def test_several_limits_in_one_field() -> None:
    hints = parse_hints(
        b'RateLimit: "burst";r=9;t=1, "daily";r=980;t=40000\r\n'
        b'RateLimit-Policy: "burst";q=10;w=1, "daily";q=1000;w=86400;qu="requests"\r\n'
    )
    assert hints is not None
    assert [(q.name, q.limit, q.remaining, q.window) for q in hints.quotas] == [
        ("burst", 10, 9, 1),
        ("daily", 1000, 980, 86400),
    ]


def test_a_field_split_over_two_lines_is_one_list() -> None:
    """RFC 9110 section 5.3: the second line used to hide the first one's limit."""
    hints = parse_hints(
        b'RateLimit: "burst";r=0;t=1\r\nRateLimit: "daily";r=980;t=40000\r\n'
        b'RateLimit-Policy: "burst";q=10;w=1\r\nRateLimit-Policy: "daily";q=1000;w=86400\r\n'
    )
    assert hints is not None
    assert [(q.name, q.remaining, q.limit) for q in hints.quotas] == [
        ("burst", 0, 10),
        ("daily", 980, 1000),
    ]


def test_limits_a_unit_each() -> None:
    hints = parse_hints(
        b"x-ratelimit-limit-requests: 100\r\nx-ratelimit-remaining-requests: 99\r\n"
        b"x-ratelimit-reset-requests: 600ms\r\n"
        b"x-ratelimit-limit-tokens: 4000\r\nx-ratelimit-remaining-tokens: 3500\r\n"
        b"x-ratelimit-reset-tokens: 1m2s\r\n"
    )
    assert hints is not None
    assert {q.unit: (q.limit, q.remaining, q.reset) for q in hints.quotas} == {
        "requests": (100, 99, Reset(0.6, exact=True)),
        "tokens": (4000, 3500, Reset(62, exact=True)),
    }


def test_limits_a_minute_and_an_hour_count_requests() -> None:
    """Some gateways name the window in the header: taken for a unit, it limited nothing."""
    hints = parse_hints(
        b"X-RateLimit-Limit-Minute: 60\r\nX-RateLimit-Remaining-Minute: 0\r\n"
        b"X-RateLimit-Limit-Hour: 1000\r\nX-RateLimit-Remaining-Hour: 700\r\n"
    )
    assert hints is not None
    assert [(q.name, q.unit, q.remaining, q.window) for q in hints.quotas] == [
        ("minute", "requests", 0, 60),
        ("hour", "requests", 700, 3600),
    ]


def test_the_body_of_a_refusal_is_more_exact_than_its_header() -> None:
    header = parse_hints(b"HTTP/1.1 429 x\r\nRetry-After: 1\r\n\r\n")
    told = hints_in_body({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 154}, header)
    assert told is not None
    assert told.retry_after == Reset(0.154, exact=True)


@pytest.mark.parametrize(
    "body", [None, [], "x", {}, {"retry_after": "soon"}, {"retry_after": True}]
)
def test_a_body_that_says_nothing_leaves_the_hints_alone(body: object) -> None:
    header = Hints(backoff=2.0)
    assert hints_in_body(body, header) is header


def test_milliseconds_in_a_header_of_their_own() -> None:
    hints = parse_hints(b"Retry-After: 2\r\nRetry-After-Ms: 1250\r\n")
    assert hints is not None
    assert hints.retry_after == Reset(1.25, exact=True)


def test_the_last_answer_of_a_block_counts() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nBackoff: 9\r\nRetry-After: 3\r\n\r\n"
    final = b"HTTP/1.1 200 OK\r\nBackoff: 2\r\nDate: Sat, 21 Nov 2026 18:05:04 GMT\r\n\r\n"
    assert parse_hints(early + final) == Hints(backoff=2.0, date=1795284304.0)
    assert parse_hints(b"Date: Sat, 21 Nov 2026 18:05:04 GMT\r\nX: limit\r\n") is None


def test_a_dialect_of_ones_own_is_asked_first() -> None:
    def read(fields: Fields) -> list[Quota]:
        return [Quota("own", remaining=float(fields["x-left"]))]

    own = Dialect("own", "x-left", read)
    for more in (b"", b"X-RateLimit-Remaining: 9\r\n"):
        hints = parse_hints(b"X-Left: 3\r\n" + more, [own])
        assert hints is not None
        assert hints.quotas == (Quota("own", remaining=3.0),)
    assert parse_hints(b"X-Left: 3\r\n") is None


@pytest.mark.parametrize(
    ("status", "hints", "fast"),
    [
        (200, Hints(retry_after=Reset(1)), False),
        (429, Hints(), True),
        (403, Hints(), False),
        (403, Hints((Quota("a", remaining=5), Quota("b", remaining=0))), True),
        (403, Hints((Quota("a", remaining=5),)), False),
    ],
)
def test_an_answer_that_means_not_now(status: int, hints: Hints, fast: bool) -> None:
    assert too_fast(status, hints) is fast


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        (Reset(100, epoch=True), 60.0),
        (Reset(30, epoch=True), 0.0),
        (Reset(5), 5.0),
        (Reset(1e12), LONGEST_WAIT),
    ],
)
def test_a_reset_is_so_far_away(reset: Reset, seconds: float) -> None:
    assert seconds_until(reset, 40.0) == seconds
    assert Quota("a", window=1e12).window == LONGEST_WAIT
    assert Quota("a", window=5.0).window == 5.0


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        ({"retry_after_ms": 1500, "retry_after": 9}, Reset(1.5, exact=True)),
        ({"retry_after": 2.5}, Reset(2.5, exact=True)),
        ({"retry_after_ms": "x", "retry_after": 3}, Reset(3.0, exact=True)),
        ({"retry_after_ms": -1, "retry_after": 3}, Reset(3.0, exact=True)),
        ({"message": "You have exceeded a Secondary Rate Limit."}, Reset(60.0)),
        ({"message": "abuse detection"}, Reset(60.0)),
        ({"message": "not found"}, None),
        ({"message": 7}, None),
    ],
)
def test_a_body_tells_when_to_come_back(body: dict[str, object], wait: Reset | None) -> None:
    told = hints_in_body(body, Hints(date=7.0))
    assert told == Hints(date=7.0, retry_after=wait)
    known = Hints(retry_after=Reset(8.0))
    if "message" in body:
        assert hints_in_body(body, known) is known


@pytest.mark.parametrize(
    ("text", "reset"),
    [
        ("999999999", Reset(999999999.0)),
        ("1000000000", Reset(1e9, epoch=True)),
        ("1795284304.25", Reset(1795284304.25, epoch=True, exact=True)),
        ("50.5", Reset(50.5, exact=True)),
        ("99999999999", Reset(99999999999.0, epoch=True)),
        ("100000000000", Reset(1e8, epoch=True, exact=True)),
        ("100000000000000", Reset(1e8, epoch=True, exact=True)),
        ("100000000000000000", Reset(1e8, epoch=True, exact=True)),
        ("2026-11-21T18:05:04", Reset(1795284304.0, epoch=True)),
        ("2026-11-21T18:05:04.5", Reset(1795284304.5, epoch=True, exact=True)),
        ("5" + " " * 63, Reset(5.0)),
        ("5" + " " * 64, None),
        ("6m 1s", Reset(361.0, exact=True)),
        ("6m x", None),
        ("6m".ljust(64), Reset(360.0, exact=True)),
        ("6m".ljust(65), None),
        ("Sat, 21 Nov 2026 18:05:04 GMT".ljust(64), Reset(1795284304.0, epoch=True)),
        ("1e400", None),
    ],
)
def test_a_reset_at_its_boundaries(text: str, reset: Reset | None) -> None:
    assert parse_reset(text) == reset


@pytest.mark.parametrize(
    ("head", "quotas"),
    [
        ("X-Shopify-Shop-Api-Call-Limit: 39/40", [Quota("shopify", limit=40, remaining=1)]),
        ("X-Shopify-Shop-Api-Call-Limit: 41/40", [Quota("shopify", limit=40, remaining=0)]),
        ("X-Shopify-Shop-Api-Call-Limit: x/40", [Quota("shopify", limit=40)]),
        ("X-Shopify-Shop-Api-Call-Limit: 39", [Quota("shopify")]),
        ("Sforce-Limit-Info: api-usage=18/5000", [Quota("api-usage", limit=5000, remaining=4982)]),
        ("Sforce-Limit-Info: api-usage=18", []),
        (
            (
                "X-HubSpot-RateLimit-Max: 100\r\nX-HubSpot-RateLimit-Remaining: 9\r\n"
                "X-HubSpot-RateLimit-Interval-Milliseconds: 10000"
            ),
            [Quota("hubspot max", limit=100, remaining=9, window=10.0)],
        ),
        (
            "X-HubSpot-RateLimit-Daily: 100\r\nX-HubSpot-RateLimit-Daily-Remaining: 9",
            [Quota("hubspot daily", limit=100, remaining=9, window=86400.0)],
        ),
        (
            "X-Discogs-Ratelimit: 60\r\nX-Discogs-Ratelimit-Remaining: 9",
            [Quota("discogs", limit=60, remaining=9, window=60.0)],
        ),
        (
            "X-MBX-USED-WEIGHT-1M: 17\r\nX-MBX-USED-WEIGHT-X: 3",
            [Quota("x-mbx-used-weight-1m", unit="weight", used=17, window=60.0)],
        ),
        (
            (
                "X-RateLimit-Limit: 10\r\nX-RateLimit-Remaining: 3\r\nX-RateLimit-Used: 4\r\n"
                "X-RateLimit-Resource: search"
            ),
            [Quota("search", limit=10, remaining=3, resource="search")],
        ),
        (
            "X-RateLimit-Remaining: 3\r\nX-RateLimit-Bucket: b\r\nX-RateLimit-Global: true",
            [Quota("requests", remaining=3)],
        ),
        (
            "X-RateLimit-Limit: 10\r\nX-RateLimit-Used: 14",
            [Quota("requests", limit=10, remaining=0)],
        ),
        ("X-RateLimit-Used: 4", [Quota("requests")]),
        ("X-RateLimit-Reset-After: 1.5", [Quota("requests", reset=Reset(1.5, exact=True))]),
        (
            "X-Rate-Limit-Limit: 50\r\nX-Rate-Limit-Interval: 1s",
            [Quota("requests", limit=50, window=1.0)],
        ),
        ("X-RateLimit-Tokens-Remaining: 5", [Quota("tokens", unit="tokens", remaining=5)]),
        (
            "X-RateLimit-Remaining-Tokens: 5\r\nX-RateLimit-Resource: r",
            [Quota("r tokens", unit="tokens", remaining=5, resource="r")],
        ),
        ("RateLimit: limit=10, remaining=3", [Quota("ratelimit", limit=10, remaining=3)]),
        ('RateLimit: "a"; r=3', [Quota("a", remaining=3)]),
        ("RateLimit-Limit: 10, 10;w=60\r\nRateLimit-Policy: 20;w=5", [Quota("requests", limit=10)]),
    ],
)
def test_each_dialect_tells_what_it_tells(head: str, quotas: list[Quota]) -> None:
    hints = parse_hints(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
    assert hints is not None
    assert list(hints.quotas) == quotas
