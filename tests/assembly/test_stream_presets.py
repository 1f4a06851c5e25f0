"""A service that no preset knows, described in the file alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.http.wire import Peer, answer, wire
from tests.streaming.test_stream import begin, by_turns, chunked, ends

from penstock.assembly import Run, Summary, read_any
from penstock.errors import InputError
from penstock.store import LocalStore

FILE = """\
[stream]
url = "{url}/feed?page=x"
on_same = "replace"
deletes = true
[stream.preset]
service = "Ticker"
framing = "concatenated"
id = ["market", "symbol"]
kind = "kind"
resume = {{ kind = "query", param = "after", path = "number" }}
too_old = [409]
query = {{ depth = "full" }}
headers = {{ X-Feed = "2" }}
[[stream.preset.signs]]
kind = "gone"
path = "kind"
equals = ["delisted"]
then = "delete"
by = "symbol"
[[stream.preset.signs]]
kind = "news"
path = "news"
then = "notice"
text = "news.title"
[[stream.preset.signs]]
kind = "hello"
path = "hello"
then = "keepalive"
[[stream.preset.signs]]
kind = "bye"
path = "bye"
then = "end"
[stream.reconnect]
ended = [418]
fatal = [410]
[store]
path = "store"
"""
FIRST = """{"hello":1}{"kind":"t","market":"m","symbol":"a","number":1}
{"kind":"t","market":"m",
 "symbol":"b","number":2}{"news":{"title":"closed"}}{"kind":"t","market":"m","symbol":"a","number":3}"""
SECOND = """{"kind":"delisted","market":"m","symbol":"a","number":4}"""
THIRD = """{"kind":"t","market":"m","symbol":"c","number":5}{"bye":true}"""


def says(text: str, status: int = 200) -> bytes:
    return answer(text.encode(), status)


def streams(text: str) -> object:
    def script(peer: Peer) -> None:
        begin(peer, b"application/json")
        peer.send(chunked(text.encode()))
        ends(peer)
        peer.gone()

    return script


def run(folder: Path, url: str, changes: tuple[str, str] = ("", "")) -> Summary:
    (folder / "f.toml").write_text(FILE.replace(*changes).format(url=url))
    work = Run(read_any(folder / "f.toml"), folder)
    with work.opened() as store:
        return work.go(store)


def test_all_that_a_service_does_can_be_said_in_the_file(tmp_path: Path) -> None:
    script = by_turns(*map(streams, (FIRST, SECOND, THIRD)))  # type: ignore[arg-type] # scripts
    with wire(script) as server:
        summary = run(tmp_path, server.url)
    assert (summary.ended, summary.notices) == (True, {"gone": 1, "news": 1, "bye": 1})
    assert (summary.landed, summary.deleted, summary.keepalives) == (2, 1, 1)
    with LocalStore(tmp_path / "store") as store:
        assert [record.key for record in store.records()] == ["m:b", "m:c"]
        assert json.loads(store.get("m:b") or b"")["number"] == 2
    targets = [asked.target.partition("?")[2] for asked in server.asked]
    assert targets == [
        *("page=x&depth=full", "page=x&depth=full&after=3", "page=x&depth=full&after=4")
    ]
    assert {asked.headers["x-feed"] for asked in server.asked} == {"2"}


def test_statuses_mean_what_the_file_says(tmp_path: Path) -> None:
    def once(status: int) -> object:
        def script(peer: Peer) -> None:
            peer.request()
            peer.send(says("", status))

        return script

    turns = (streams(FIRST), once(409), streams(THIRD.partition('{"bye')[0]), once(418))
    with wire(by_turns(*turns)) as server:  # type: ignore[arg-type] # scripts
        summary = run(tmp_path, server.url)
    assert (summary.ended, summary.gaps, summary.landed) == (True, 1, 3)
    assert "after=" not in server.asked[2].target


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('then = "end"', 'then = "ned"', "'ned' is unknown; did you mean 'end'?"),
        ('kind = "query", param', 'kind = "qury", param', "'qury' is unknown"),
        ('path = "bye"\n', "", "needs path = ..."),
        ("too_old = [409]", 'too_old = ["409"]', "too_old"),
    ],
)
def test_what_is_wrong_in_it_is_one_line(old: str, new: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"^[^\n]*f.toml:\d+[^\n]*$") as caught:
        run(tmp_path, "http://127.0.0.1:9", (old, new))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("table", "data"),
    [
        ('end = "||"', b'{"n":1}||{"n":2}||'),
        ("size = 2", b'\0\7{"n":1}\0\7{"n":2}'),
        ('size = 1\norder = "little"', b'\7{"n":1}\7{"n":2}'),
    ],
)
def test_a_framing_of_the_file(table: str, data: bytes, tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer(data))

    with wire(script) as server:
        text = f'store = "s"\n[stream]\nurl = "{server.url}"\nonce = true\n[stream.framing]\n'
        (tmp_path / "f.toml").write_text(text + table)
        work = Run(read_any(tmp_path / "f.toml"), tmp_path)
        with work.opened() as store:
            assert work.go(store).landed == 2
    (tmp_path / "f.toml").write_text(text + 'end = "x"\nsize = 1')
    with pytest.raises(InputError, match="one of end and size"):
        Run(read_any(tmp_path / "f.toml"), tmp_path)
