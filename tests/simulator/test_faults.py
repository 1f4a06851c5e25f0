"""Each fault as a bare socket sees it, and the same faults again for the same seed."""

from __future__ import annotations

import gzip
import http.client
import json
import select
import socket
import time
from collections import Counter
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from penstock.errors import InputError
from penstock.simulator import Simulator, SimulatorSettings, user_json
from penstock.simulator.faults import Faults
from penstock.simulator.settings import DEFAULT_MIX, FaultKind, read_mix, write_mix

GET = b"GET /users/1.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

Start = Callable[..., Simulator]
Call = Callable[..., Any]


def always(kind: FaultKind) -> dict[str, object]:
    return {"faults": 1.0, "mix": ((kind, 1.0),), "users": 3, "chunked": 0.0}


def split(data: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.split(b"\r\n")
    return first, dict(line.split(b": ", 1) for line in rest), body


@pytest.mark.parametrize("status", ["420", "429", "500", "503", "520"])
def test_a_status_with_the_real_limit_beside_it(
    simulate: Start, raw: Call, status: FaultKind
) -> None:
    simulator = simulate(**always(status))
    data, ending = raw(simulator, GET)
    first, headers, body = split(data)
    assert ending == "closed"
    assert first.startswith(b"HTTP/1.1 " + status.encode())
    assert "error" in json.loads(body)
    assert headers[b"RateLimit"] == b'"500-in-5sec"; r=499; t=5'
    truth = simulator.truth()
    assert (truth["faults"], truth["served"], truth["accepted"]) == ({status: 1}, 0, 1)
    assert truth["rejected"] == 0


def test_a_spurious_429_asks_for_one_second(simulate: Start, raw: Call) -> None:
    _, headers, _ = split(raw(simulate(**always("429")), GET).data)
    assert headers[b"Retry-After"] == b"1"


def test_some_503s_say_when_to_come_back_and_some_of_those_with_a_date(
    simulate: Start, ask: Call
) -> None:
    settings = always("503") | {"users": 80, "retry_dates": True}
    simulator = simulate(**settings)
    told = [ask(simulator, f"/users/{id_}.json").headers["Retry-After"] for id_ in range(80)]
    dates = [text for text in told if text and not text.isdecimal()]
    assert {None, "1"} < set(told)
    assert 10 < told.count(None) < 70
    assert 5 < len(dates) < 50
    assert all(parsedate_to_datetime(text).timestamp() <= time.time() + 2 for text in dates)


def test_an_error_in_a_200(simulate: Start, raw: Call) -> None:
    simulator = simulate(**always("error"))
    first, _, body = split(raw(simulator, GET).data)
    assert first == b"HTTP/1.1 200 OK"
    assert list(json.loads(body)) == ["error"]
    assert simulator.truth()["served"] == 0


def test_reset_before_costs_nothing_and_says_nothing(simulate: Start, raw: Call) -> None:
    simulator = simulate(**always("reset-before"))
    assert raw(simulator, GET) == (b"", "reset")
    truth = simulator.truth()
    assert (truth["requests"], truth["accepted"], truth["by_status"]) == (1, 0, {})
    assert truth["faults"] == {"reset-before": 1}


def test_reset_after_costs_but_says_nothing(simulate: Start, raw: Call) -> None:
    simulator = simulate(**always("reset-after"))
    assert raw(simulator, GET) == (b"", "reset")
    truth = simulator.truth()
    assert (truth["accepted"], truth["by_status"], truth["served"]) == (1, {}, 0)


def test_a_post_is_applied_before_reset_after_and_not_before_a_500(
    simulate: Start, raw: Call
) -> None:
    post = (
        b'POST /items HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 8\r\n\r\n{"id":7}'
    )
    applied = simulate(**always("reset-after"))
    assert raw(applied, post).ending == "reset"
    assert applied.truth()["posted"] == {"7": 1}
    refused = simulate(**always("500"))
    assert b" 500 " in raw(refused, post).data
    assert refused.truth()["posted"] == {}


def test_truncate_promises_more_than_it_sends(simulate: Start, raw: Call) -> None:
    simulator = simulate(**always("truncate"))
    data, ending = raw(simulator, GET)
    _, headers, body = split(data)
    whole = user_json(1, 1)
    assert ending == "closed"
    assert int(headers[b"Content-Length"]) == len(whole)
    assert body == whole[: len(whole) // 2]
    assert simulator.truth()["served"] == 0


def test_a_drip_arrives_whole_and_counts(simulate: Start, raw: Call) -> None:
    simulator = simulate(**always("drip"), drip=0.05)
    for _ in range(2):
        assert split(raw(simulator, GET).data)[2] == user_json(1, 1)
    assert simulator.truth()["served"] == 1
    assert simulator.truth()["served_more_than_once"] == {"1": 2}


def test_a_drip_comes_in_pieces(simulate: Start) -> None:
    simulator = simulate(**always("drip"), drip=3600.0)
    whole = user_json(1, 1)
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=20) as sock:
        sock.sendall(GET)
        data = b""
        while not data.endswith(whole[: -(-len(whole) // 20)]):
            data += sock.recv(65536)
        assert not select.select([sock], [], [], 0.1)[0]
    assert simulator.truth()["served"] == 0


def test_a_stall_sends_headers_then_nothing_then_closes(simulate: Start, raw: Call) -> None:
    data, ending = raw(simulate(**always("stall"), stall=0.05), GET)
    first, headers, body = split(data)
    assert first == b"HTTP/1.1 200 OK"
    assert int(headers[b"Content-Length"]) > 0
    assert (body, ending) == (b"", "closed")


def test_a_stall_outlasts_its_client(simulate: Start) -> None:
    simulator = simulate(**always("stall"), stall=3600.0)
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=20) as sock:
        sock.sendall(GET)
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += sock.recv(65536)
        assert not select.select([sock], [], [], 0.1)[0]
    assert simulator.truth()["served"] == 0


def test_gzip_only_for_who_accepts_it(simulate: Start, ask: Call) -> None:
    simulator = simulate(gzip=1.0, chunked=0.0, users=3)
    plain = ask(simulator, "/users/1.json")
    packed = ask(simulator, "/users/1.json", {"Accept-Encoding": "br, gzip"})
    assert plain.headers["Content-Encoding"] is None
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body == user_json(1, 1)


def test_a_share_is_chunked_and_a_share_compressed(simulate: Start, ask: Call) -> None:
    simulator = simulate(gzip=0.5, chunked=0.3, users=200, limit=0)
    seen: Counter[tuple[bool, bool]] = Counter()
    for id_ in range(200):
        reply = ask(simulator, f"/users/{id_}.json", {"Accept-Encoding": "gzip"})
        packed = reply.headers["Content-Encoding"] == "gzip"
        seen[packed, reply.headers["Transfer-Encoding"] == "chunked"] += 1
        body = gzip.decompress(reply.body) if packed else reply.body
        assert body == user_json(1, id_)
    assert len(seen) == 4
    assert 60 < seen[True, True] + seen[True, False] < 140
    assert 30 < seen[True, True] + seen[False, True] < 90


def outcomes(simulator: Simulator, targets: list[str]) -> dict[str, list[str]]:
    """Ask for each target four times and tell what came of it."""
    fates: dict[str, list[str]] = {}
    for target in targets * 4:
        connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=20)
        try:
            connection.request("GET", target)
            answer = connection.getresponse()
            body = answer.read()
            fate = f"{answer.status} {'error' if b'error' in body else 'fine'}"
        except http.client.HTTPException as error:
            fate = type(error).__name__
        except ConnectionResetError:
            fate = "reset"
        finally:
            connection.close()
        fates.setdefault(target, []).append(fate)
    return fates


def test_the_same_seed_brings_the_same_faults_in_whatever_order(simulate: Start) -> None:
    settings = {"faults": 0.5, "users": 40, "drip": 0.0, "limit": 0}
    targets = [f"/users/{id_}.json" for id_ in range(40)]
    there = outcomes(simulate(**settings, seed=3), targets)
    back = outcomes(simulate(**settings, seed=3), targets[::-1])
    other = outcomes(simulate(**settings, seed=4), targets)
    assert there == back != other
    assert any(len(set(fates)) > 1 for fates in there.values())


def test_a_refusal_by_the_limiter_uses_up_no_draw(simulate: Start, ask: Call) -> None:
    settings = {"faults": 0.5, "mix": (("500", 1.0),), "users": 40}
    free = simulate(**settings, limit=0)
    tight = simulate(**settings, limit=8, window=3600.0)
    wanted = [ask(free, "/users/1.json").status for _ in range(10)]
    got = []
    for key in "ab":
        headers = {"X-Api-Key": key}
        got += [ask(tight, "/users/1.json", headers).status for _ in range(12)]
    assert [status for status in got if status != 429][:10] == wanted
    assert got.count(429) == 8


def test_faults_come_as_often_as_asked_and_in_the_asked_mix() -> None:
    draws = Faults(SimulatorSettings(faults=0.2, mix=(("500", 3.0), ("stall", 1.0), ("420", 0.0))))
    drawn = Counter(
        fault.kind for n in range(20_000) if (fault := draws.draw(f"/users/{n}.json", 0))
    )
    assert 3_700 < drawn.total() < 4_300
    assert 2.5 < drawn["500"] / drawn["stall"] < 3.6
    assert "420" not in drawn


def test_a_rate_of_1_spares_nothing_and_0_everything() -> None:
    certain, never = Faults(SimulatorSettings(faults=1.0)), Faults(SimulatorSettings())
    assert all(certain.draw(f"/{n}", 0) for n in range(1000))
    assert not any(never.draw(f"/{n}", 0) for n in range(1000))


def test_by_default_nothing_stalls() -> None:
    assert "stall" not in dict(DEFAULT_MIX)


def test_a_mix_is_written_as_it_is_read() -> None:
    assert read_mix(write_mix(DEFAULT_MIX)) == DEFAULT_MIX


@pytest.mark.parametrize("text", ["", "500=x", "404=1", "500=-1", "500=0", "500=nan", "500=inf"])
def test_a_bad_mix_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="mix") as raised:
        read_mix(text)
    assert "\n" not in str(raised.value)
