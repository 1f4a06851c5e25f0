"""Real books of Debian, most of them invalid: what comes out is valid and holds all that was in."""

from __future__ import annotations

import io
from itertools import cycle
from pathlib import Path

import pytest
from tests.reading.oracle import documents, held, members
from tests.reading.third_party import book, books, epubcheck

from penstock.reading import DEVICES, Look, make_edition, unmake_edition

LOOKS = [
    Look(),
    Look(width=18, guide="colour"),
    Look(width=40, guide="underline", align=True),
    Look(width=17, em=True),
    Look(guide="none"),
    Look(device=DEVICES["kindle"]),
]


def made(data: bytes, look: Look) -> tuple[bytes, dict[str, int]]:
    out = io.BytesIO()
    report = make_edition(data, out, look)
    return out.getvalue(), report.repairs


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_epubcheck_finds_nothing_in_the_editions(tmp_path: Path) -> None:
    # One of each family and script; benchmarks/reading/validate does all of them.
    wanted = (
        "live-manual.de",
        "live-manual.ja",
        "debmake-doc.zh-cn",
        "reference/fr/",
        "reference/ja/",
    )
    paths = [book(part) for part in wanted]
    assert len(books()) >= 20
    editions = []
    for number, path in enumerate(paths):
        edition = tmp_path / f"{number}-{path.name}"
        edition.write_bytes(made(path.read_bytes(), LOOKS[number % len(LOOKS)])[0])
        editions.append(edition)
    assert {name: said for name, said in epubcheck(editions).items() if said} == {}


@pytest.mark.timeout(600)
def test_every_character_id_link_image_note_and_language_is_kept() -> None:
    checked = 0
    for path in books():
        data = path.read_bytes()
        edition, repairs = made(data, Look())
        after = documents(edition)
        for name, before in documents(data).items():
            try:
                was = held(before)
            except Exception:  # noqa: BLE001 - this document is no XML; the edition's must be
                held(after[name])
                continue
            now = held(after[name])
            if not any("missing" in repair or "title" in repair for repair in repairs):
                assert now.text == was.text, (path, name)
            if not repairs:
                assert (now.ids, now.links, now.images) == (was.ids, was.links, was.images)
                assert (now.notes, now.languages) == (was.notes, was.languages)
                checked += 1
    assert checked >= 30


@pytest.mark.timeout(600)
def test_unmake_gives_sound_books_back_byte_for_byte() -> None:
    sound = 0
    for path, look in zip(books(), cycle([LOOKS[2], LOOKS[1]]), strict=False):
        data = path.read_bytes()
        edition, repairs = made(data, look)
        back = io.BytesIO()
        unmake_edition(edition, back)
        if not repairs:
            sound += 1
            before, after = members(data), members(back.getvalue())
            before.pop("mimetype"), after.pop("mimetype")
            assert before == after
    assert sound >= 2


def test_markup_is_at_most_two_elements_a_line_and_the_guide_near_the_axis() -> None:
    data = next(p for p in books() if p.parts[-2] == "developers-reference").read_bytes()
    out = io.BytesIO()
    report = make_edition(data, out, Look())
    before = sum(held(d).elements for d in documents(data).values())
    after = sum(held(d).elements for d in documents(out.getvalue()).values())
    links = report.documents
    assert (after - before - links) / report.count.lines <= 2.05
