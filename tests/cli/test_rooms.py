"""The rooms in a pipeline file: a stage before landing, uses of what landed, Java files."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.waiting import until

from penstock.javadata import parse_schema
from penstock.neural import Linear, Model, Network, Scaler, Softmax
from penstock.neural.checkpoint import save_model
from penstock.pipeline import Landing
from penstock.portfolio import OnlineRisk
from penstock.simulator import Simulator, user_json
from penstock.simulator.feeds import price_json
from penstock.store import LocalStore, open_readonly

from .conftest import PROGRAM, Penstock

Simulators = Callable[..., Simulator]
USERS = '[request]\npath = "/users/{key}.json"\n'
PRICES = '[source]\nkind = "pages"\npath = "/prices.json"\nkey = "date"\n'
LABEL = '[[stage]]\nkind = "label"\nmodel = "net.safetensors"\n'
RISK = (
    '[[use]]\nkind = "risk"\npath = "risk.jsonl"\n'
    "weights = { GATE = 0.5, PIPE = 0.3, WELL = 0.2 }\n"
)
EDITION = '[[use]]\nkind = "edition"\nbody = "html"\nname = "Water"\n'
JAVA = (
    '[[use]]\nkind = "javadata"\npath = "users.bin"\n'
    'schema = "id: int, name: utf, rating: double"\n'
)


def written(folder: Path, url: str, *sections: str, stop: int = 30, concurrency: int = 8) -> Path:
    text = "".join(sections)
    source = "" if "[source]" in text else f'[source]\nkind = "range"\nstop = {stop}\n'
    file = folder / "run.toml"
    api = f'[api]\nbase = "{url}"\nconcurrency = {concurrency}\n'
    file.write_text(f'{source}{api}[store]\npath = "store"\n{text}', encoding="utf-8")
    return file


WITH_A_MODEL = pytest.mark.usefixtures("model")


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A network that calls a user often or seldom retweeted, by a nested field and a flat one."""
    made = Model(
        network=Network(2, (Softmax(2),)),
        weights=np.array([[0.0, 1.0, 0.0, 0.0, 0.0, 0.0]]),
        scaler=Scaler(np.array([128.0, 2.5]), np.array([10.0, 1.0])),
        classes=("seldom", "often"),
        features=("status.retweet_count", "rating"),
        label="kind",
    )
    save_model(tmp_path / "net.safetensors", made)
    return made


def started(file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "run", str(file), "--quiet"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def server_saw(server: Simulator, requests: int) -> bool:
    return server.truth()["requests"] >= requests


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def more_lines(path: Path, before: int) -> bool:
    return lines_of(path) > before


def killed_at(server: Simulator, file: Path, *requests: int) -> None:
    """Start a run and kill it, as often as there are numbers, when the server has seen so many."""
    for number in requests:
        run = started(file)
        until(partial(server_saw, server, number))
        run.kill()
        run.communicate()


def test_the_label_lands_with_the_record_and_the_record_keeps_its_bytes(
    penstock: Penstock, simulator: Simulators, tmp_path: Path, model: Model
) -> None:
    server = simulator(users=30, limit=0)
    file = written(tmp_path, server.url, USERS, LABEL, 'field = "kind"\n')
    assert penstock("run", file, "--json").last["landed"] == 30
    seen = set()
    with open_readonly(tmp_path / "store") as store:
        for number in range(30):
            body = store.get(number)
            sent = user_json(1, number)
            assert body is not None
            assert body.startswith(sent[:-1] + b',"kind":')
            record = json.loads(body)
            row = [record["status"]["retweet_count"], record["rating"]]
            assert record["kind"] == model.predict([row])[0]
            assert record["kind_probability"] == pytest.approx(model.outputs([row])[0].max())
            seen.add(record["kind"])
    assert seen == {"seldom", "often"}


def test_rows_of_pages_are_labelled_too(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    twice = Model(
        network=Network(1, (Linear(1),)), weights=np.array([[2.0, 0.0]]), features=("day",)
    )
    save_model(tmp_path / "net.safetensors", twice)
    file = written(tmp_path, simulator(users=70, limit=0).url, PRICES, LABEL)
    assert penstock("run", file, "--json").last["landed"] == 70
    with open_readonly(tmp_path / "store") as store:
        records = [json.loads(record.body) for record in store.records()]
    assert [record["label"] for record in records] == [2.0 * day for day in range(70)]


def test_rows_of_pages_that_failed_are_tried_again_on_their_pages(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    nowhere = Model(
        network=Network(1, (Linear(1),)), weights=np.array([[2.0, 0.0]]), features=("height",)
    )
    save_model(tmp_path / "net.safetensors", nowhere)
    file = written(tmp_path, simulator(users=19, limit=0).url, PRICES, LABEL)
    ended = penstock("run", file, "--json")
    assert (ended.code, ended.last["landed"], ended.last["failed"]) == (1, 0, 19)
    save_model(tmp_path / "net.safetensors", replace(nowhere, features=("GATE",)))
    ended = penstock("retry-failed", file, "--json")
    assert (ended.code, ended.last["landed"], ended.last["failed"]) == (0, 19, 0)


@WITH_A_MODEL
def test_a_record_that_the_model_cannot_take_fails_alone_or_lands_as_it_came(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    server = simulator(users=30, limit=0)
    lists = '[source]\nkind = "lines"\npath = "paths"\n[request]\npath = "/{key}"\n'
    (tmp_path / "paths").write_text("users/1.json\nprices.json\nusers/2.json\narticles/3.json\n")
    wanted = lists.replace("/{key}", "/redirect").replace(
        "[request]\n", '[request]\nquery = { to = "/{key}" }\n'
    )
    file = written(tmp_path, server.url, wanted, LABEL)
    ended = penstock("run", file, "--json")
    assert ended.code == 1
    assert (ended.last["landed"], ended.last["failed"]) == (2, 2)
    with open_readonly(tmp_path / "store") as store:
        failures = {failure.key: failure for failure in store.failures()}
    assert "not an object with the model's features" in failures["prices.json"].message
    assert "no feature 'status.retweet_count'" in failures["articles/3.json"].message
    assert failures["articles/3.json"].excerpt.startswith('{"id": 3')
    file.write_text(file.read_text() + 'unfit = "land"\n')
    assert penstock("retry-failed", file, "--json").last["landed"] == 4
    with open_readonly(tmp_path / "store") as store:
        body = store.get("articles/3.json")
    assert body is not None
    assert "label" not in json.loads(body)


@WITH_A_MODEL
def test_killed_and_resumed_every_record_is_labelled_once(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    server = simulator(users=400, limit=0, latency=0.005)
    file = written(tmp_path, server.url, USERS, LABEL, stop=400)
    killed_at(server, file, 40, 130, 260)
    assert penstock("run", file, "--json").last["landed"] == 400
    assert server.truth()["requests"] - 400 <= 3 * 8
    with open_readonly(tmp_path / "store") as store:
        assert store.verify() == 400
        bodies = [record.body for record in store.records()]
    assert all(body.count(b'"label":') == 1 for body in bodies)


def risk_by_hand(days: int) -> list[tuple[str, float]]:
    online = OnlineRisk({"GATE": 0.5, "PIPE": 0.3, "WELL": 0.2})
    lines = []
    for day in range(days):
        row = json.loads(price_json(1, day))
        volatility = online.update({name: row[name] for name in ("GATE", "PIPE", "WELL")})
        if volatility is not None:
            lines.append((row["date"], volatility))
    return lines


def risk_lines(folder: Path) -> list[tuple[str, float]]:
    lines = (folder / "risk.jsonl").read_text().splitlines()
    return [(line["key"], line["volatility"]) for line in map(json.loads, lines)]


def test_the_risk_of_the_prices_that_land_is_what_the_portfolio_room_says(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    server = simulator(users=120, limit=0)
    file = written(tmp_path, server.url, PRICES, RISK)
    ended = penstock("run", file)
    assert ended.code == 0, ended.err
    assert "use:   risk: 118 lines more in" in ended.out
    assert risk_lines(tmp_path) == risk_by_hand(120)
    again = penstock("run", file, "--json").last
    assert again["new"] == 0
    assert risk_lines(tmp_path) == risk_by_hand(120)


def test_killed_and_resumed_there_is_one_line_of_risk_for_each_record(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    server = simulator(users=400, limit=0, latency=0.08, pages=10)
    file = written(tmp_path, server.url, PRICES, RISK)
    path = tmp_path / "risk.jsonl"
    lines = 0
    for _ in range(3):  # each time when it has written lines, while more is landing
        run = started(file)
        before = lines
        until(partial(more_lines, path, before), run)
        lines = lines_of(path)
        run.kill()
        run.communicate()
    assert lines < 398
    with (tmp_path / "risk.jsonl").open("ab") as file_of_lines:
        file_of_lines.write(b'{"key":"2020-')  # what a crash before the bookmark leaves
    assert penstock("run", file, "--json").last["landed"] == 400
    assert risk_lines(tmp_path) == risk_by_hand(400)


def test_a_limit_that_is_crossed_is_an_event_both_ways(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    values = [volatility * 252**0.5 for _, volatility in risk_by_hand(300)]
    limit = sorted(values)[len(values) // 2]
    file = written(
        tmp_path,
        simulator(users=300, limit=0).url,
        PRICES,
        RISK,
        f"periods = 252\nlimit = {limit!r}\n",
    )
    log = tmp_path / "events.jsonl"
    ended = penstock("run", file, "--log", log)
    assert ended.code == 0, ended.err
    crossed = [e for e in map(json.loads, log.read_text().splitlines()) if e["event"] == "crossed"]
    over = [value > limit for value in values]
    changes = [now for before, now in zip([False, *over], over, strict=False) if before != now]
    assert [event["above"] for event in crossed] == changes
    assert len(crossed) > 1
    assert all((event["value"] > limit) == event["above"] for event in crossed)


def test_a_record_that_comes_late_or_lacks_a_price_is_left_out_and_told(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    (tmp_path / "days").write_text("users/5.json\nusers/7.json\nusers/6.json\nprices.json\n")
    source = '[source]\nkind = "lines"\npath = "days"\n'
    request = '[request]\npath = "/redirect"\nquery = { to = "/{key}" }\n'
    risk = (
        '[[use]]\nkind = "risk"\npath = "risk.jsonl"\nmoment = "id"\n'
        "weights = { id = 0.5, account = 0.5 }\n"
    )
    file = written(tmp_path, simulator(users=30, limit=0).url, source, request, risk, concurrency=1)
    log = tmp_path / "events.jsonl"
    ended = penstock("run", file, "--json", "--log", log)
    assert ended.code == 1, ended.err
    assert ended.last["uses"][0]["left_out"] == 2  # type: ignore[index] # a list of objects
    left = [e for e in map(json.loads, log.read_text().splitlines()) if e["event"] == "leftout"]
    assert [event["key"] for event in left] == ["users/6.json", "prices.json"]
    assert "6 comes after 7" in left[0]["reason"]


def test_risk_refuses_an_order_that_is_not_that_of_time(penstock: Penstock, tmp_path: Path) -> None:
    file = written(tmp_path, "http://127.0.0.1:9", USERS, RISK)
    assert "set api.concurrency = 1" in penstock("check", file).line


def test_risk_does_not_go_on_with_other_weights_or_another_store(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    server = simulator(users=60, limit=0)
    file = written(tmp_path, server.url, PRICES, RISK)
    assert penstock("run", file).code == 0
    before = (tmp_path / "risk.jsonl").read_bytes()
    text = file.read_text()
    file.write_text(text.replace("PIPE = 0.3", "PIPE = 0.4").replace("WELL = 0.2", "WELL = 0.1"))
    ended = penstock("run", file, "--quiet")
    assert ended.code == 2
    assert "was begun with other weights" in ended.line
    file.write_text(text.replace('path = "store"', 'path = "elsewhere"'))
    assert "belongs to another store" in penstock("run", file, "--quiet").line
    assert (tmp_path / "risk.jsonl").read_bytes() == before


def chapters(path: Path) -> str:
    with zipfile.ZipFile(path) as book:
        assert book.testzip() is None
        names = sorted(name for name in book.namelist() if "chapter" in name)
        return "".join(book.read(name).decode() for name in names)


def test_articles_that_landed_become_todays_edition(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    server = simulator(users=12, limit=0)
    request = '[request]\npath = "/articles/{key}.json"\n'
    file = written(tmp_path, server.url, request, EDITION, 'device = "kindle"\n', stop=10)
    ended = penstock("run", file)
    assert ended.code == 0, ended.err
    (book,) = tmp_path.glob("Water-*.epub")
    assert f"use:   edition: 10 articles in {book}" in ended.out
    text = chapters(book)
    assert all(f"Water report {number}<" in text for number in range(10))
    file.write_text(file.read_text().replace("stop = 10", "stop = 12"))
    assert penstock("run", file).code == 0
    text = chapters(book)
    assert all(text.count(f"<title>Water report {number}<") == 1 for number in range(12))


def test_killed_and_resumed_the_edition_has_each_article_once(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    server = simulator(users=120, limit=0, latency=0.01)
    request = '[request]\npath = "/articles/{key}.json"\n'
    file = written(tmp_path, server.url, request, EDITION, stop=120)
    killed_at(server, file, 30, 70)
    assert penstock("run", file).code == 0
    (book,) = tmp_path.glob("Water-*.epub")
    text = chapters(book)
    assert all(text.count(f"<title>Water report {number}<") == 1 for number in range(120))


def test_what_landed_becomes_a_java_file_and_a_java_file_gives_the_keys(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    server = simulator(users=30, limit=0)
    (tmp_path / "ids.bin").write_bytes(b"".join(_record(number) for number in (3, 7, 11)))
    source = (
        '[source]\nkind = "javadata"\npath = "ids.bin"\nfield = "who.name"\n'
        'schema = "id: int, who: {name: utf}"\n'
    )
    file = written(tmp_path, server.url, source, USERS, JAVA)
    assert penstock("check", file, "--json").last["items"] == 3
    ended = penstock("run", file)
    assert ended.code == 0, ended.err
    schema = parse_schema("id: int, name: utf, rating: double")
    rows = sorted(map(tuple, schema.decode((tmp_path / "users.bin").read_bytes())))
    users = [json.loads(user_json(1, number)) for number in (3, 7, 11)]
    assert rows == [(user["id"], user["name"], user["rating"]) for user in users]
    assert server.truth(ids=True)["ids"] == {"3": 1, "7": 1, "11": 1}


def test_a_store_is_exported_as_java_data_by_a_schema(penstock: Penstock, tmp_path: Path) -> None:
    with LocalStore(tmp_path / "store") as store:
        store.settle([Landing(7, b'{"name":"Ada"}'), Landing(8, b'{"name":"Bo"}')], durable=str)
    out = tmp_path / "users.bin"
    command = ["export", tmp_path / "store", "--to", "javadata", "-o", out]
    assert "needs --schema" in penstock(*command).line
    (tmp_path / "users.schema").write_text("key: int\nname: utf\n")
    ended = penstock(*command, "--schema", tmp_path / "users.schema")
    assert (ended.code, ended.out) == (0, f"2 records in {out}\n")
    assert out.read_bytes() == b"\0\0\0\7\0\3Ada\0\0\0\x08\0\2Bo"
    again = [*command, "--schema", "key: int"]
    assert "replace it with --force" in penstock(*again).line
    assert penstock(*again, "--force", "--json").last == {"output": str(out), "rows": 2}
    assert out.read_bytes() == b"\0\0\0\7\0\0\0\x08"
    wrong = penstock(*command, "--schema", "key: int, age: int", "--force")
    assert wrong.code == 2
    assert "record 7, field age: not there" in wrong.line
    assert out.read_bytes() == b"\0\0\0\7\0\0\0\x08"
    assert "are inferred" in penstock(
        "export", tmp_path / "store", "--to", "csv", "-o", out, "--schema", "key: int"
    ).line  # fmt: skip
    assert "--flatten is not for" in penstock(*again, "--flatten").line
    assert "needs a file" in penstock(*command[:-1], "-", "--schema", "key: int").line


def _record(number: int) -> bytes:
    text = str(number).encode()
    return number.to_bytes(4, "big") + len(text).to_bytes(2, "big") + text


def test_a_java_file_that_is_compressed_is_told_from_one_that_is_not(
    penstock: Penstock, tmp_path: Path
) -> None:
    data = b"".join(_record(number) for number in (3, 7, 11))
    source = (
        '[source]\nkind = "javadata"\npath = "ids.bin"\nfield = "id"\n'
        'schema = "id: int, name: utf"\n'
    )
    file = written(tmp_path, "http://127.0.0.1:9", source, USERS)
    (tmp_path / "ids.bin").write_bytes(gzip.compress(data))
    assert "gzip = true unpacks it" in penstock("check", file).line
    file.write_text(file.read_text().replace('field = "id"', 'field = "id"\ngzip = true'))
    assert penstock("check", file, "--json").last["items"] == 3
    (tmp_path / "ids.bin").write_bytes(gzip.compress(data)[:-9])
    assert "ids.bin" in penstock("check", file).line
    file.write_text(file.read_text().replace("gzip = true", "gzip = false"))
    (tmp_path / "ids.bin").write_bytes(data[:-1])
    assert "data ended at offset" in penstock("check", file).line


def test_killed_and_resumed_the_java_file_has_each_record_once(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    server = simulator(users=300, limit=0, latency=0.005)
    file = written(tmp_path, server.url, USERS, JAVA, stop=300)
    killed_at(server, file, 50, 150)
    assert penstock("run", file).code == 0
    schema = parse_schema("id: int, name: utf, rating: double")
    ids = [row[0] for row in schema.decode((tmp_path / "users.bin").read_bytes())]
    assert sorted(ids) == list(range(300))  # type: ignore[type-var] # ints, as the schema says


def test_a_record_that_does_not_fit_the_schema_is_named_and_no_half_file_is_left(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    server = simulator(users=30, limit=0)
    wrong = JAVA.replace("rating: double", "rating: int") + EDITION.replace('"html"', '"name"')
    file = written(tmp_path, server.url, USERS, wrong.replace('"Water"', '"W"'), concurrency=1)
    ended = penstock("run", file, "--quiet")
    assert ended.code == 2
    assert "record 0, field rating:" in ended.line
    assert "what landed is safe" in ended.line
    assert not (tmp_path / "users.bin").exists()
    assert [path.name.partition("-")[0] for path in tmp_path.glob("*.epub")] == ["W"]
    asked = server.truth()["requests"]
    file.write_text(file.read_text().replace("rating: int", "rating: double"))
    assert penstock("run", file, "--quiet").code == 0
    assert server.truth()["requests"] == asked
    assert (tmp_path / "users.bin").exists()


def test_a_signal_leaves_the_uses_for_the_next_run(
    penstock: Penstock, simulator: Simulators, tmp_path: Path
) -> None:
    server = simulator(users=1000, limit=0, latency=0.02)
    file = written(tmp_path, server.url, USERS, JAVA, stop=1000)
    run = started(file)
    until(partial(server_saw, server, 40))
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    assert run.returncode == 3
    assert not (tmp_path / "users.bin").exists()
    assert penstock("run", file).code == 0
    assert (tmp_path / "users.bin").exists()


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        (LABEL.replace("model", "modle"), "unknown key 'modle' in [stage]; did you mean 'model'?"),
        (LABEL.replace("label", "lable"), "did you mean 'label'?"),
        (LABEL, "net.safetensors"),
        (EDITION.replace("name", "nme"), "unknown key 'nme' in [use]; did you mean 'name'?"),
        (EDITION + 'width = "7"\n', "use edition: width 7 characters"),
        (EDITION + 'device = "kindle"\nguide = "colour"\n', "does not survive on kindle"),
        (JAVA.replace("rating: double", "rating: dubble"), "no type 'dubble'"),
        (JAVA + JAVA, "two uses write to users.bin"),
        (JAVA.replace("users.bin", "no/where.bin"), "does not exist"),
    ],
)
def test_what_is_wrong_is_said_before_any_call(
    penstock: Penstock, tmp_path: Path, sections: str, says: str
) -> None:
    file = written(tmp_path, "http://127.0.0.1:9", USERS, sections)
    for command in ("check", "run"):
        ended = penstock(command, file)
        assert ended.code == 2
        assert says in ended.line
    assert not (tmp_path / "store").exists()


@WITH_A_MODEL
def test_the_plan_shows_stages_and_uses(penstock: Penstock, tmp_path: Path) -> None:
    file = written(tmp_path, "http://127.0.0.1:9", PRICES, LABEL, RISK, EDITION, JAVA)
    ended = penstock("check", file)
    assert ended.code == 0, ended.err
    assert "stage       label: by net.safetensors, as 'label'" in ended.out
    assert "use         risk: of GATE, PIPE, WELL as records land, into risk.jsonl" in ended.out
    plan = penstock("check", file, "--json").last
    assert len(plan["stages"]) == 1  # type: ignore[arg-type] # a list
    assert [use.partition(":")[0] for use in plan["uses"]] == ["risk", "edition", "javadata"]  # type: ignore[attr-defined] # a list
