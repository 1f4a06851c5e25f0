"""What is installed is known: each pin has hashes, and a licence in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {plain(name): version for name, _, version in (line.partition("==") for line in lines)}


def test_every_pin_has_hashes_and_nothing_else_does() -> None:
    text = (ROOT / "hashes.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    hashed: dict[str, str] = {}
    for line in text.splitlines():
        found = re.fullmatch(
            r"(\S+?)==(\S+)( ; [^#]*?)?((?: +--hash=sha256:[0-9a-f]{64})+)", line.rstrip()
        )
        assert found is not None, line[:80]
        if "win32" not in (found[3] or ""):
            hashed[plain(found[1])] = found[2]
    assert hashed == pins(), "make hashes draws hashes.txt again"


def test_every_pin_has_a_licence_in_the_docs() -> None:
    text = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    table = text[text.index("## Licences") :]
    named = {plain(word) for word in re.findall(r"[\w.-]+", table)}
    assert sorted(set(pins()) - named) == []
    rows = re.findall(r"^\| ([^|*]+) \| ([^|*]+) \|$", table, re.MULTILINE)[2:]
    libraries = [plain(name) for _, names in rows for name in names.split(", ")]
    assert sorted(set(libraries) - set(pins())) == [], "a licence of something that is not used"


@pytest.mark.parametrize("name", ["constraints.txt", "hashes.txt"])
def test_no_index_is_named(name: str) -> None:
    assert "//" not in (ROOT / name).read_text(encoding="utf-8")
