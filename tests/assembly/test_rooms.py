"""Stages and uses from Python: crashes between two writes, other days, other stores."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from penstock.assembly import labelling, plan, read_text, write_java_file
from penstock.assembly.editions import Editions
from penstock.assembly.risk_use import RiskWatch
from penstock.assembly.room_sections import EditionUse, LabelStage, RiskUse
from penstock.errors import InputError
from penstock.events import Event, Events
from penstock.javadata import parse_schema
from penstock.neural import Linear, Model, Network
from penstock.pipeline import Landing, Result
from penstock.store import LocalStore

RISK = RiskUse(weights={"A": 0.6, "B": 0.4}, path="risk.jsonl", limit=0.1)
EDITION = EditionUse(body="text", form="text", name="News")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    with LocalStore(tmp_path / "store") as opened:
        yield opened


def land(store: LocalStore, records: Mapping[int | str, object]) -> None:
    entries = [Landing(key, json.dumps(record).encode()) for key, record in records.items()]
    store.settle(entries, durable=str)
    store.flush()


def prices(*days: int) -> dict[int | str, object]:
    return {day: {"A": 100 + day % 7, "B": 50 + day % 3} for day in days}


def lines(folder: Path) -> list[int]:
    return [json.loads(line)["key"] for line in (folder / "risk.jsonl").read_text().splitlines()]


def test_rows_a_year_are_read_off_the_dates_that_land(store: LocalStore, tmp_path: Path) -> None:
    section = RiskUse(weights={"A": 1.0}, path="risk.jsonl", moment="date")
    for start in (0, 6):
        weeks = [date(2024, 1, 5) + timedelta(weeks=k) for k in range(start, start + 6)]
        land(store, {str(day): {"date": str(day), "A": 100 + day.day % 7} for day in weeks})
        used = RiskWatch(section, tmp_path, Events()).finish(store)
        assert "52 rows make a year (typical distance of the dates: 7 days)" in used.text
    last = json.loads((tmp_path / "risk.jsonl").read_text().splitlines()[-1])
    assert last["volatility_annual"] == pytest.approx(last["volatility"] * 52**0.5)


def test_a_crash_between_any_two_writes_costs_no_line_and_doubles_none(
    store: LocalStore, tmp_path: Path
) -> None:
    work, kept = tmp_path / "work", tmp_path / "kept"
    work.mkdir()
    for start in range(0, 40, 10):
        land(store, prices(*range(start, start + 10)))
        RiskWatch(RISK, work, Events()).catch_up(store)
        if start:
            # The lines are there and the bookmark is still the one before: what a crash leaves.
            shutil.copy(kept / "risk.jsonl.place", work)
            RiskWatch(RISK, work, Events()).catch_up(store)
        assert lines(work) == list(range(2, start + 10))
        shutil.copytree(work, kept, dirs_exist_ok=True)
    whole = tmp_path / "whole"
    whole.mkdir()
    RiskWatch(RISK, whole, Events()).catch_up(store)
    assert (whole / "risk.jsonl").read_bytes() == (work / "risk.jsonl").read_bytes()


def test_a_limit_that_stays_crossed_over_a_restart_is_told_once(
    store: LocalStore, tmp_path: Path
) -> None:
    told: list[Event] = []
    events = Events()
    events.subscribe(told.append)
    for start in (0, 10, 20):
        land(store, prices(*range(start, start + 10)))
        used = RiskWatch(RISK, tmp_path, events).finish(store)
        assert "over the limit of 10.00%" in used.text
    assert [type(event).__name__ for event in told] == ["Crossed"]


def test_lines_that_were_lost_are_not_passed_over(store: LocalStore, tmp_path: Path) -> None:
    land(store, prices(*range(9)))
    RiskWatch(RISK, tmp_path, Events()).catch_up(store)
    (tmp_path / "risk.jsonl").write_text("")
    with pytest.raises(InputError, match="has lost lines"):
        RiskWatch(RISK, tmp_path, Events()).catch_up(store)


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"store": 1}', '{"place": {}}'])
def test_a_bookmark_that_is_damaged_or_strange_is_refused(
    store: LocalStore, tmp_path: Path, content: str
) -> None:
    land(store, prices(*range(9)))
    RiskWatch(RISK, tmp_path, Events()).catch_up(store)
    (tmp_path / "risk.jsonl.place").write_text(content)
    with pytest.raises(InputError, match=r"risk\.jsonl\.place"):
        RiskWatch(RISK, tmp_path, Events()).catch_up(store)


def test_a_file_that_is_not_ours_is_left_alone(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "risk.jsonl").write_text("my notes\n")
    with pytest.raises(InputError, match="is not ours"):
        RiskWatch(RISK, tmp_path, Events()).catch_up(store)
    assert (tmp_path / "risk.jsonl").read_text() == "my notes\n"


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ({"2020-01-01": 1, "2020-13-01": 1}, "is not an ISO date"),
        ({"2020-01-02": 1, "2020-01-01": 1}, "only later records are taken"),
        ({"2020-01-02": 1, 7: 1}, "only later records are taken"),
        ({1: 1, 2: None}, "no object with one number an asset"),
        ({1: 1, 2: {"A": 1}}, "no value for B"),
        ({1: 1, 2: {"A": 1, "B": 0}}, "not a number above zero"),
        ({1: 1, 2: {"A": 1, "B": "x"}}, "record 2"),
    ],
)
def test_a_record_that_cannot_be_taken_is_left_out_with_the_reason(
    store: LocalStore, tmp_path: Path, records: dict[int | str, object], reason: str
) -> None:
    told: list[Event] = []
    events = Events()
    events.subscribe(told.append)
    land(store, {k: {"A": 1, "B": 2} if v == 1 else v for k, v in records.items()})
    used = RiskWatch(RISK, tmp_path, events).finish(store)
    assert used.left_out == 1
    (left,) = told
    assert reason in str(left.fields()["reason"])


def titles(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as book:
        contents = book.read(next(n for n in book.namelist() if "nav" in n)).decode()
    return [name for name in ("One", "Two", "Three", "Four") if f">{name}<" in contents]


def test_an_edition_holds_what_came_since_the_one_of_an_earlier_day(
    store: LocalStore, tmp_path: Path
) -> None:
    def made(day: int) -> list[str]:
        today = date(2026, 11, day)
        Editions(EDITION, tmp_path, Events(), today=lambda: today).finish(store)
        path = tmp_path / f"News-{today}.epub"
        return titles(path) if path.exists() else []

    def article(title: str) -> None:
        land(store, {title: {"title": title, "text": f"It is about {title}.\n\nThat is all."}})

    article("One")
    assert made(1) == ["One"]
    article("Two")
    assert made(1) == ["One", "Two"]
    assert made(2) == []
    article("Three")
    assert made(3) == ["Three"]
    article("Four")
    assert made(3) == ["Three", "Four"]
    assert made(4) == []
    assert titles(tmp_path / "News-2026-11-01.epub") == ["One", "Two"]


def test_an_article_without_text_is_left_out_and_named(store: LocalStore, tmp_path: Path) -> None:
    told: list[Event] = []
    events = Events()
    events.subscribe(told.append)
    land(store, {"One": {"text": "Words."}, "Two": {"text": " "}, "Three": [], "Four": {"text": 4}})
    used = Editions(EDITION, tmp_path / "made" / "here", events).finish(store)
    assert (used.taken, used.left_out) == (1, 3)
    assert [event.fields()["key"] for event in told] == ["Two", "Three", "Four"]


def test_a_java_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"before")
    schema = parse_schema("key: utf, n: byte")
    with pytest.raises(InputError, match=r"record 'b', field n: .*300"):
        write_java_file([Landing("a", b'{"n":7}'), Landing("b", b'{"n":300}')], path, schema)
    assert path.read_bytes() == b"before"
    assert write_java_file([Landing("a", b'{"n":7}')], path, schema) == 1
    assert path.read_bytes() == b"\0\1a\7"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.bin"]


def test_a_label_does_not_take_the_place_of_a_field() -> None:
    twice = Model(network=Network(1, (Linear(1),)), weights=np.array([[2.0, 0.0]]), features=("x",))
    stage = labelling(twice, field="y")
    taken, fresh, broken = stage(
        [Result(1, {"x": 1, "y": 7}), Result(2, {"x": 10**30}), Result(3, error=ValueError("gone"))]
    )
    assert "has 'y' already" in str(taken.error)
    assert fresh.value == Landing(2, b'{"x":1000000000000000000000000000000,"y":2e30}')
    assert str(broken.error) == "gone"


@pytest.mark.parametrize(
    ("library", "use", "extra"),
    [
        ("numpy", LabelStage(model="net"), "neural"),
        ("safetensors", LabelStage(model="net"), "neural"),
        ("numpy", RISK, "portfolio"),
        ("lxml", EditionUse(body="html"), "reading"),
        ("trafilatura", EditionUse(body="html", form="page"), "reading"),
    ],
)
def test_a_missing_extra_is_named_before_any_call(
    tmp_path: Path, library: str, use: LabelStage | RiskUse | EditionUse, extra: str
) -> None:
    # A finder in front of all others that knows of no such library: as where it is not installed.
    program = f"""
import sys, importlib.abc, importlib.util
class Gone(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == {library!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Gone())
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == {library!r} else find(name)
from penstock.cli.main import main
sys.argv = ["penstock", "check", "run.toml"]
main()
"""
    text = '[source]\nkind = "pages"\npath = "/"\n[api]\nbase = "http://x"\n[store]\npath = "s"\n'
    if isinstance(use, LabelStage):
        text += '[[stage]]\nkind = "label"\nmodel = "net"\n'
    elif isinstance(use, RiskUse):
        text += '[[use]]\nkind = "risk"\npath = "r"\nweights = { A = 1.0 }\n'
    else:
        text += f'[[use]]\nkind = "edition"\nbody = "html"\nform = "{use.form}"\n'
    (tmp_path / "run.toml").write_text(text)
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert f"needs {library}: pip install 'penstock-data[{extra}]'" in ended.stderr


def test_a_plan_without_rooms_imports_none_of_them(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from penstock.assembly import plan, read_text
file = read_text('''
source = { kind = "range", stop = 5 }
api = { base = "http://x" }
request = { path = "/{key}" }
store = { path = "s" }
''', "f")
assert plan(file, Path(".")).uses == ()
rooms = ("neural", "portfolio", "reading", "javadata", "simulator")
print([name for name in sys.modules if name in {f"penstock.{room}" for room in rooms}])
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


def test_a_second_kind_of_the_same_list_is_named_with_its_own_line(tmp_path: Path) -> None:
    text = (
        'source = { kind = "range", stop = 5 }\napi = { base = "http://x" }\n'
        'request = { path = "/{key}" }\nstore = { path = "s" }\n'
        '[[use]]\nkind = "javadata"\npath = "a"\nschema = "id: int"\n'
        '[[use]]\nkind = "javadata"\npath = "b"\nschema = "id: int"\n'
    )
    assert len(plan(read_text(text, "f.toml"), tmp_path).uses) == 2
    with pytest.raises(InputError, match=r"^f\.toml:11: use\.path: expected str, got int"):
        read_text(text.replace('path = "b"', "path = 7"), "f.toml")
    with pytest.raises(InputError, match=r"^f\.toml:10: use\.kind: 'jav' is unknown"):
        read_text(text.replace('"javadata"\npath = "b"', '"jav"\npath = "b"'), "f.toml")
    with pytest.raises(InputError, match=r"^f\.toml:9: \[use\] needs schema"):
        read_text(text.replace('path = "b"\nschema = "id: int"', 'path = "b"'), "f.toml")
