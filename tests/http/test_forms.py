"""What is not JSON and lands all the same: XML, and files of whatever bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.assembly.test_again import landed, penstock
from tests.http.wire import answer, answering, wire

from penstock.http.forms import as_json

FILE = """
store = "s"
[source]
kind = "range"
stop = 1
[api]
base = "BASE"
[retry]
attempts = 1
[request]
path = "/{key}"
"""


@pytest.mark.parametrize(
    ("decode", "body", "record"),
    [
        ("xml", b"<a x='1'><b>2</b><b/>t</a>", {"a": {"@x": "1", "b": ["2", None], "#text": "t"}}),
        ("xml", "<?xml version='1.0' encoding='latin-1'?><a>é</a>".encode("latin-1"), {"a": "é"}),
        (
            "file",
            b"\x89PNG\x00\n",
            {"type": "image/png", "bytes": 6, "base64": "iVBORwAK"},
        ),
    ],
)
def test_what_is_not_json_lands(tmp_path: Path, decode: str, body: bytes, record: object) -> None:
    with wire(answering(lambda _: answer(body, 200, "Content-Type: image/png"))) as server:
        text = FILE.replace("BASE", server.url) + f'decode = "{decode}"\n'
        (tmp_path / "f.toml").write_text(text)
        penstock("run", tmp_path / "f.toml", "--quiet")
        found = landed(tmp_path / "s")[0]
    if decode == "file":
        assert found.pop("sha256") == hashlib.sha256(body).hexdigest()
    assert found == record


@pytest.mark.parametrize(
    "body",
    [
        b"<a><b></a>",
        b"",
        b"{}",
        b"<a>" * 100_000 + b"</a>" * 100_000,
        b'<!DOCTYPE a [<!ENTITY x "%s">%s]><a>&y29;</a>'
        % (
            b"x" * 1000,
            b"".join(
                b'<!ENTITY y%d "%s">' % (n, (b"&y%d;" % (n - 1) if n else b"&x;") * 10)
                for n in range(30)
            ),
        ),
    ],
)
def test_what_is_no_xml_is_a_dead_letter_and_no_traceback(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        as_json("xml", body, {})


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.integers()))
def test_attributes_and_children_are_kept_by_name(members: dict[str, int]) -> None:
    attributes = " ".join(f'{name}="{value}"' for name, value in members.items())
    children = "".join(f"<{name}>{value}</{name}>" for name, value in members.items())
    found = json.loads(as_json("xml", f"<r {attributes}>{children}</r>".encode(), {}))["r"]
    texts = {name: str(value) for name, value in members.items()}
    assert (found or {}) == texts | {f"@{name}": value for name, value in texts.items()}
