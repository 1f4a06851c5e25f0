"""The server as a program and as a thread: start, stop, count."""

from __future__ import annotations

import http.client
import json
import urllib.request

from penstock.simulator import Simulator, SimulatorSettings, simulator_process, user


def test_a_user_is_served_as_the_pure_function_says_and_counted() -> None:
    settings = SimulatorSettings(users=10, deleted=1)
    with Simulator(settings) as simulator:
        connection = http.client.HTTPConnection("127.0.0.1", simulator.port)
        statuses = []
        for id_ in range(11):
            connection.request("GET", f"/users/{id_}.json")
            answer = connection.getresponse()
            body = json.loads(answer.read())
            statuses.append(answer.status)
            if answer.status == 200:
                assert body == user(settings, id_)
        connection.close()
    truth = simulator.truth(ids=True)
    assert sorted(statuses) == [200] * 9 + [404] * 2
    assert truth["served"] == truth["served_total"] == len(truth["ids"]) == 9
    assert truth["by_status"] == {"200": 9, "404": 2}


def test_the_child_process_counts_too() -> None:
    with simulator_process(SimulatorSettings(users=10, mix=(("500", 1.0),))) as simulator:
        with urllib.request.urlopen(simulator.url + "/users/3.json") as answer:
            assert json.load(answer)["id"] == 3
        assert simulator.truth(ids=True)["ids"] == {"3": 1}
