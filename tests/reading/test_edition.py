"""An edition keeps every byte of a book but for what it puts in, and gives them all back."""

from __future__ import annotations

import io
import zipfile

from penstock.reading import Look, make_edition, unmake_edition
from penstock.reading.compose import Chapter, Manuscript, compose

BODY = """<h2>One</h2>
<p id="a">It was <em id="e">late</em> in the <a href="#a">evening</a>, and nobody &amp; nothing had
come to the old house by the sea since the <b>long</b> winter began.</p>
<pre>  code   stays
  as it is</pre>
<ul><li>first of the points that are made here in words<ul><li>nested one</li></ul></li></ul>"""


def book() -> bytes:
    return compose(Manuscript(title="A", chapters=[Chapter(title="One", body=BODY)]))


def made(data: bytes, look: Look) -> bytes:
    out = io.BytesIO()
    make_edition(data, out, look)
    return out.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_unmake_gives_every_member_back_byte_for_byte() -> None:
    back = io.BytesIO()
    unmake_edition(made(book(), Look(width=20)), back)
    assert members(back.getvalue()) == members(book())


def test_same_book_and_look_give_the_same_bytes() -> None:
    assert made(book(), Look()) == made(book(), Look())


def test_an_edition_made_again_is_set_anew_from_its_original() -> None:
    again = made(made(book(), Look(width=18)), Look(width=40, guide="none"))
    assert members(again) == members(made(book(), Look(width=40, guide="none")))


def test_code_and_headings_stay_whole() -> None:
    page = members(made(book(), Look(width=12)))["EPUB/chapter-001.xhtml"].decode()
    assert "<pre>  code   stays\n  as it is</pre>" in page
    assert "<h2>One</h2>" in page
