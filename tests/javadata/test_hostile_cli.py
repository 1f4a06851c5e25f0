"""``penstock javadata`` over damaged files, schemas and arguments: an answer, or one line."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import random
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.cli.main import main
from penstock.javadata import parse_schema

SCHEMAS = [
    "a: int, b: utf", "a: bytes[int], b: double[short]", "a: {b: utf?}[int]", "a: text[short?]",
    "k: byte, p: sized[=k] {q: bytes[*]}", "a: varint, c: crc32[*]",
    "t: Node{v: byte, k: Node[byte]}",
    "e: <byte 1=A{x: int}, *=B{y: utf}>[until 0]", "a: int[int?], b: char", "a: bytes[65536]?",
    "guess", "nosuch.schema", "nosuch.py:X", "broken.py:X", "utf16.schema", "bom.schema",
    "json:dumps",
    "a: int32", "", "::", "a: bytes[9223372036854775807], b: int", "a: int = 5", "x" * 5000,
]  # fmt: skip
WRAPS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes, "gzip": gzip.compress, "zlib": zlib.compress, "bzip2": bz2.compress,
    "xz": lzma.compress,
}  # fmt: skip
ARGUMENTS = st.sampled_from(
    [
        [], ["--gzip"], ["--unwrap", "zlib"], ["--unwrap", "bzip2"], ["--unwrap", "xz"],
        ["--unwrap", "object"], ["--skip", "3"], ["--skip", "-1"], ["--count", "2"], ["--as-is"],
        ["--rows", "a"], ["--rows", "nothing"], ["--count", "x"], ["--skip", "999999999999999"],
    ]
)  # fmt: skip


def run(arguments: list[str]) -> tuple[int, str]:
    """Run the program in this process; anything but an exit is a traceback to a user."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["penstock", "javadata", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as done:
            return int(done.code or 0), err.getvalue()
    return 0, err.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile")
    (made / "broken.py").write_text("import nosuchmodule\n")
    (made / "utf16.schema").write_bytes("a: int".encode("utf-16"))
    (made / "bom.schema").write_bytes(b"\xef\xbb\xbfa: int")
    return made


@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_no_command_ends_in_a_traceback(
    folder: Path, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    monkeypatch.chdir(folder)
    content = data.draw(
        st.binary(max_size=80)
        | st.just(parse_schema("a: int, b: utf").encode([(n, f"é{n}") for n in range(60)]))
        | st.just(b"\xac\xed\0\5w\x06\0\0\0\7\0\3yz\0\0\0\4Ada!")
    )
    packed = bytearray(WRAPS[data.draw(st.sampled_from(sorted(WRAPS)))](content))
    for at in data.draw(st.lists(st.integers(0, 300), max_size=3)):
        if at < len(packed):
            packed[at] ^= 1 << at % 8
    Path("in").write_bytes(packed)
    command = data.draw(
        st.sampled_from(["head", "dump", "check", "to-parquet", "from-parquet", "from-json"])
    )
    more = data.draw(ARGUMENTS) if not command.startswith("from") else []
    out = ["-o", "out"] if command in {"from-json", "from-parquet", "to-parquet"} else []
    code, said = run([command, "in", "--schema", data.draw(st.sampled_from(SCHEMAS)), *more, *out])
    assert code in {0, 2}, said
    assert said.count("\n") <= 1 + (code == 0), said
    if code:
        assert said.startswith(("penstock: ", "guessed: ")), said
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_no_damage_of_a_parquet_file_ends_in_a_traceback(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    text = "a: int, b: utf, c: {d: double?}[byte]"
    schema = parse_schema(text)
    rows: list[tuple[object, ...]] = [(n, f"é{n}", []) for n in range(20)]
    schema.to_parquet(schema.encode(rows), "good.parquet")
    good = Path("good.parquet").read_bytes()
    rng = random.Random(1)
    for _ in range(60):
        at, bad = rng.randrange(len(good)), bytearray(good)
        bad[at] ^= 1 << rng.randrange(8)
        Path("in").write_bytes(bad if rng.random() < 0.9 else bad[:at])
        code, said = run(["from-parquet", "in", "--schema", text, "-o", "back"])
        assert (code, said.count("\n")) in {(0, 0), (2, 1)}, said
        assert Path("back").exists() == (code == 0)
        Path("back").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"a": 1, "a": 2}', "line 3: no JSON: an object has two members of one name"),
        ('{"a": 1e400}', "line 3: no JSON: 1e400 is beyond the largest double"),
        ('{"a": ' + "9" * 5000 + "}", "line 3: no JSON: "),
        ("[" * 99999, "line 3: no JSON: "),
        ("[1]", "record 1: [1] is not an object"),
    ],
    ids=["twice", "infinity", "digits", "deep", "list"],
)
def test_json_that_would_become_something_else_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, line: str, says: str
) -> None:
    monkeypatch.chdir(folder)
    Path("lines").write_text('{"a": 0.5}\n\n' + line)
    code, said = run(["from-json", "lines", "--schema", "a: double", "-o", "never"])
    assert (code, says in said, said.count("\n")) == (2, True, 1), said
    assert not Path("never").exists()


def test_dump_and_from_json_are_opposites(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    text = "a: int, b: bytes[short], v: <byte 1=Up{by: double}, 2=Down{by: double}>, o: utf?"
    schema = parse_schema(text)
    up, down = (schema.types[name]._make for name in ("Up", "Down"))  # type: ignore[attr-defined]
    rows = [(1, b"\0\xff", up([float("inf")]), None), (2, b"", down([0.1]), "é\ud800")]
    Path("in").write_bytes(schema.encode(rows))
    out = io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        patch.object(sys, "argv", ["penstock", "javadata", "dump", "in", "--schema", text]),
    ):
        main()
    Path("lines").write_text(out.getvalue())
    assert run(["from-json", "lines", "--schema", text, "-o", "back"]) == (0, "")
    assert Path("back").read_bytes() == Path("in").read_bytes()
    Path("lines").write_text('{"a": 1}\n')
    code, said = run(["from-json", "lines", "--schema", "a: int, b: int", "-o", "never"])
    assert (code, "record 0, field b: not there" in said) == (2, True)
    Path("lines").write_text('{"a": 1}\n{"a"\n')
    code, said = run(["from-json", "lines", "--schema", "a: int", "-o", "never"])
    assert (code, "line 2: no JSON" in said) == (2, True)
    assert not Path("never").exists()
