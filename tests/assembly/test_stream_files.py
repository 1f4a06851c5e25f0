"""Files with a [stream]: what is wrong, on which line, and what the file would do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.assembly import (
    StreamFile,
    StreamRun,
    plan_stream,
    read_any,
    read_stream_text,
    read_text,
)
from penstock.errors import InputError

GOOD = """\
[stream]
url = "https://stream.example/1.1/statuses/filter.json?track=hidden"
preset = "twitter"
method = "POST"
form = { track = "iphone,ipad" }
deletes = true

[stream.auth]
kind = "oauth1"
client_key = "c"
client_secret = "env:CONSUMER_SECRET"
token = "t"
token_secret = "env:TOKEN_SECRET"

[stream.reconnect]
connects = 2
per = 10

[store]
path = "tweets"
"""
PENSTOCK = [sys.executable, "-m", "penstock.cli.main"]


def penstock(*words: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*PENSTOCK, *words], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


def complaint(text: str) -> str:
    with pytest.raises(InputError) as caught:
        plan_stream(read_stream_text(text, "f.toml"), Path())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_good_file_is_read_and_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSUMER_SECRET", "s")
    monkeypatch.delenv("TOKEN_SECRET", raising=False)
    planned = plan_stream(read_stream_text(GOOD, "f.toml"), Path("there"))
    assert planned.stream.startswith("POST https://stream.example/1.1/statuses/filter.json")
    assert "hidden" not in planned.stream
    assert (planned.preset, planned.framing, planned.id) == ("Twitter v1.1", "crlf", "id_str")
    assert (planned.store, planned.exists) == (str(Path("there/tweets")), False)
    assert planned.warnings == (
        "stream.auth.token_secret: environment variable TOKEN_SECRET is not set",
    )


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        ("[stream]\n", "[straem]\n", "f.toml:1: unknown section [straem]; did you mean [stream]?"),
        ("preset =", "presett =", "f.toml:3: unknown key 'presett' in [stream]; did you mean"),
        ('"twitter"', '"twiter"', "stream: preset 'twiter' is not known: did you mean 'twitter'?"),
        ("deletes = true", "deletes = 1", "f.toml:6: stream.deletes: expected bool, got int"),
        ("deletes = true", 'framing = "clrf"', "stream: framing 'clrf' is not known: did you"),
        ("deletes = true", 'overflow = "drop"', "f.toml:6: stream.overflow: 'drop' is unknown"),
        ("deletes = true", "buffer = 0", "f.toml:6: stream.buffer: expected int >= 1"),
        ('"POST"', '"GET"', 'form and json are sent with method = "POST"'),
        ("https://stream", "stream", "is not a URL: it begins with https://"),
        ('"oauth1"', '"oauth"', "f.toml:9: stream.auth.kind: 'oauth' is unknown; did you mean"),
        ("env:TOKEN_SECRET", "s3cr3t", 'stream.auth.token_secret: write "env:NAME" or "file:PATH"'),
        ("[store]\n", "[stor]\n", "f.toml:19: unknown section [stor]; did you mean [store]?"),
        ("[store]\n", "[api]\nbase='x'\n[store]\n", "unknown section [api]"),
        ("url =", "ulr =", "f.toml:2: unknown key 'ulr' in [stream]; did you mean 'url'?"),
        ("connects = 2", "connects = 0", "f.toml:16: stream.reconnect.connects: expected int >= 1"),
    ],
)
def test_what_is_wrong_is_one_line(wrong: str, right: str, words: str) -> None:
    assert wrong in GOOD
    text = GOOD.replace(wrong, right, 1)
    if "straem" in right:
        with pytest.raises(InputError) as caught:
            read_text(text, "f.toml")
        assert words in str(caught.value)
    else:
        assert words in complaint(text)
    assert "s3cr3t" not in complaint(text)


def test_a_stream_to_land_needs_a_store(tmp_path: Path) -> None:
    file = read_stream_text('[stream]\nurl = "https://a.example"\n', "f.toml")
    assert plan_stream(file, tmp_path).store is None
    with pytest.raises(InputError, match=r"section \[store\] is missing"):
        StreamRun(file, tmp_path)


def test_a_secret_that_is_not_there_makes_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOKEN_SECRET", raising=False)
    monkeypatch.setenv("CONSUMER_SECRET", "s")
    (tmp_path / "f.toml").write_text(GOOD)
    done = penstock("run", tmp_path / "f.toml")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "TOKEN_SECRET" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["f.toml"]


def test_check_tells_the_plan_in_words_and_for_programs(tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_text(GOOD)
    words = penstock("check", tmp_path / "f.toml").stdout
    assert "preset      Twitter v1.1" in words
    assert "tweets (will be made)" in words
    told = json.loads(penstock("check", tmp_path / "f.toml", "--json").stdout)
    assert (told["id"], told["framing"]) == ("id_str", "crlf")


def test_the_ends_of_a_stream_are_for_streams_only(tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_text(
        'source = { kind = "range", stop = 5 }\napi = { base = "http://127.0.0.1:9" }\n'
        'request = { path = "/{key}" }\nstore = { path = "s" }\n'
    )
    for option in (["--for", "1s"], ["--max-messages", "3"]):
        done = penstock("run", tmp_path / "f.toml", *option)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "has no [stream]" in done.stderr
    done = penstock("stream", tmp_path / "f.toml")
    assert (done.returncode, "has no [stream]" in done.stderr) == (2, True)


def test_a_stream_cannot_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_text(GOOD)
    done = penstock("retry-failed", tmp_path / "f.toml")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is a stream" in done.stderr
    with pytest.raises(InputError, match=r"f.toml:1: \[stream\] stands alone"):
        read_text(GOOD, "f.toml")


@pytest.mark.parametrize("text", ["0", "ten", "-5m", "10 parsecs", ""])
def test_a_time_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "f.toml").write_text(GOOD)
    done = penstock("run", tmp_path / "f.toml", "--for", text)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_which_kind_of_file_it_is_is_seen(tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_text(GOOD)
    assert isinstance(read_any(tmp_path / "f.toml"), StreamFile)
