"""Real books of Debian, most of them invalid: what comes out is valid and holds all that was in."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import pytest
from tests.reading.oracle import documents, held, members
from tests.reading.third_party import book, books, epubcheck

from penstock.reading import DEVICES, EditionReport, Look, make_edition, unmake_edition

LOOKS = [
    Look(),
    Look(width=18, guide="colour"),
    Look(width=40, guide="underline", align=True),
    Look(width=17, em=True),
    Look(guide="none"),
    Look(device=DEVICES["kindle"]),
]


# One of each family and script; benchmarks/reading/validate.py does all of them.
WANTED = (
    "live-manual.ja",
    "debmake-doc.zh-cn",
    "reference/fr/",
    "reference/ja/",
    "live-manual.de",
    "debmake-doc.ru",
    "developers-reference/developers-reference",
)


@cache
def made(part: str) -> tuple[Path, bytes, EditionReport]:
    """Return a book, its edition in one of the looks and what was done."""
    path, out = book(part), io.BytesIO()
    look = LOOKS[WANTED.index(part) % len(LOOKS)]
    report = make_edition(path.read_bytes(), out, look)
    return path, out.getvalue(), report


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_epubcheck_finds_nothing_in_the_editions(tmp_path: Path) -> None:
    assert len(books()) >= 20
    editions = []
    for number, (path, edition, _) in enumerate(map(made, WANTED[:3])):
        editions.append(tmp_path / f"{number}-{path.name}")
        editions[-1].write_bytes(edition)
    assert {name: said for name, said in epubcheck(editions).items() if said} == {}


def test_every_character_id_link_image_note_and_language_is_kept() -> None:
    checked = 0
    for path, edition, report in map(made, WANTED):
        after, repairs = documents(edition), report.repairs
        for name, before in documents(path.read_bytes()).items():
            try:
                was = held(before)
            except Exception:
                held(after[name])
                continue
            now = held(after[name])
            if not any("missing" in repair or "title" in repair for repair in repairs):
                assert now.text == was.text, (path, name)
            if not repairs:
                assert (now.ids, now.links, now.images) == (was.ids, was.links, was.images)
                assert (now.notes, now.languages) == (was.notes, was.languages)
                checked += 1
    assert checked >= 20


def test_unmake_gives_sound_books_back_byte_for_byte() -> None:
    sound = 0
    for path, edition, report in map(made, WANTED):
        back = io.BytesIO()
        unmake_edition(edition, back)
        if not report.repairs:
            sound += 1
            before, after = members(path.read_bytes()), members(back.getvalue())
            # Fonts of a reading device that a style sheet names are taken out, and named.
            taken = {name.partition(":")[0] for name in report.removed}
            changed = {name for name, data in before.items() if after[name] != data}
            assert changed <= taken | {"mimetype"}
    assert sound >= 2


def test_markup_is_at_most_two_elements_a_line_and_the_guide_near_the_axis() -> None:
    data = next(p for p in books() if p.parts[-2] == "developers-reference").read_bytes()
    out = io.BytesIO()
    report = make_edition(data, out, Look())
    before = sum(held(d).elements for d in documents(data).values())
    after = sum(held(d).elements for d in documents(out.getvalue()).values())
    links = report.documents
    assert (after - before - links) / report.count.lines <= 2.05
