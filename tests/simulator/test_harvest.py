"""The counts prove what they are for: a plain harvest with retries, against its truth."""

from __future__ import annotations

import gzip
import http.client
import json
from collections import Counter
from collections.abc import Callable

import pytest

from penstock.simulator import Simulator, user, user_json
from penstock.simulator.settings import DEFAULT_MIX
from penstock.simulator.users import deleted_ids

FAULTS = (*DEFAULT_MIX, ("stall", 1.0))


def fetch(connection: http.client.HTTPConnection, user_id: int) -> tuple[str, bytes]:
    """Make one call; say what came of it in a word, with the body if there is a whole one."""
    try:
        connection.request("GET", f"/users/{user_id}.json", headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return type(error).__name__, b""
    if answer.headers["Content-Encoding"] == "gzip":
        body = gzip.decompress(body)
    failed = answer.status == 200 and "error" in json.loads(body)
    return ("error" if failed else str(answer.status)), body


@pytest.mark.parametrize("seed", [1, 2])
def test_each_user_is_served_exactly_once_whatever_happened_on_the_way(
    simulate: Callable[..., Simulator], seed: int
) -> None:
    simulator = simulate(
        users=300, deleted=7, limit=0, faults=0.5, mix=FAULTS, drip=0.02, stall=0.01, seed=seed
    )
    landed: dict[int, bytes] = {}
    fates: Counter[str] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=20)
    for user_id in range(300):
        fate, body = "", b""
        while fate not in {"200", "404"}:
            fate, body = fetch(connection, user_id)
            fates[fate] += 1
        if fate == "200":
            landed[user_id] = body
    connection.close()
    truth = simulator.truth(ids=True)
    assert set(landed) == set(range(300)) - deleted_ids(seed, 300, 7)
    assert all(body == user_json(seed, user_id) for user_id, body in landed.items())
    assert all(json.loads(landed[id_]) == user(simulator.settings, id_) for id_ in landed)
    assert truth["served"] == truth["served_total"] == len(truth["ids"]) == 293
    assert truth["served_more_than_once"] == {}
    assert set(truth["faults"]) == {kind for kind, _ in FAULTS}
    assert truth["requests"] == fates.total()
    assert fates["404"] == 7
    for status in ("420", "429", "500", "503", "520", "error"):
        assert fates[status] == truth["faults"][status]
    resets = truth["faults"]["reset-before"] + truth["faults"]["reset-after"]
    cut = truth["faults"]["truncate"] + truth["faults"]["stall"]
    assert fates["ConnectionResetError"] == resets
    assert fates["IncompleteRead"] == cut
