"""Broken, hostile, protected books: refused or mended with one clear line, never half written."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.reading.oracle import held, members

from penstock.errors import InputError
from penstock.reading import Look, make_edition, unmake_edition
from penstock.reading.compose import Chapter, Manuscript, compose

LONG = "<p>It was late in the evening, and nobody had come to the old house by the sea.</p>"


def sound(body: str = LONG) -> dict[str, bytes]:
    return members(compose(Manuscript(title="A", chapters=[Chapter(title="One", body=body)])))


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def made(data: bytes) -> tuple[dict[str, bytes], dict[str, int]]:
    out = io.BytesIO()
    report = make_edition(data, out, Look(), "book.epub")
    return members(out.getvalue()), report.repairs


def refused(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        made(data)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("book.epub: ")
    return text


def test_a_zip_bomb_is_refused() -> None:
    assert "zip bomb" in refused(packed({**sound(), "EPUB/big.bin": bytes(50 << 20)}))


def test_a_member_that_lies_about_its_size_is_refused() -> None:
    data = bytearray(packed({**sound(), "EPUB/chapter-001.xhtml": b"<p>" + b"a" * 5000 + b"</p>"}))
    at = data.rindex(b"PK\1\2" + data[data.rindex(b"PK\1\2") + 4 : data.rindex(b"PK\1\2") + 6])
    assert at
    at = data.index(b"EPUB/chapter-001.xhtml", data.index(b"PK\1\2")) - 46
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    assert "damaged" in refused(bytes(data))


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "EPUB/../../evil", "c:\\evil"])
def test_a_name_that_leads_out_of_the_book_is_refused(name: str) -> None:
    assert "leads out of the book" in refused(packed({**sound(), name: b"x"}))


def test_entities_that_expand_are_refused() -> None:
    laughs = (
        b'<!DOCTYPE html [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]>'
        b"<html xmlns='http://www.w3.org/1999/xhtml'><head><title>x</title></head>"
        b"<body><p>&c;</p></body></html>"
    )
    text = refused(packed({**sound(), "EPUB/chapter-001.xhtml": laughs}))
    assert "nests or loads others" in text


def test_an_entity_that_loads_a_file_is_refused() -> None:
    load = b'<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]><html><p>&x;</p></html>'
    assert "refused" in refused(packed({**sound(), "EPUB/chapter-001.xhtml": load}))


def test_drm_is_refused_and_scrambled_fonts_are_kept() -> None:
    method = b'<enc><EncryptionMethod Algorithm="%s"/></enc>'
    name = "META-INF/encryption.xml"
    aes = method % b"http://www.w3.org/2001/04/xmlenc#aes128-cbc"
    assert "DRM" in refused(packed({**sound(), name: aes}))
    made(packed({**sound(), "META-INF/rights.xml": b"<x/>"}))  # a licence that locks nothing
    scrambled = method % b"http://www.idpf.org/2008/embedding"
    after, _ = made(packed({**sound(), name: scrambled, "EPUB/font.otf": b"\1\2\3"}))
    assert after["EPUB/font.otf"] == b"\1\2\3"
    assert after[name] == scrambled


def test_a_password_is_refused() -> None:
    data = bytearray(packed(sound()))
    at = data.index(b"PK\1\2")
    data[at + 8] |= 1
    assert "encrypted" in refused(bytes(data))


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"hello", packed(sound())[:400]])
def test_what_is_no_zip_file_is_refused(data: bytes) -> None:
    assert "EPUB" in refused(data)


def test_a_book_of_fixed_pages_is_refused() -> None:
    files = sound()
    files["EPUB/package.opf"] = files["EPUB/package.opf"].replace(
        b"</metadata>", b'<meta property="rendition:layout">pre-paginated</meta></metadata>'
    )
    assert "fixed layout" in refused(packed(files))


def test_a_book_without_a_package_or_documents_is_refused() -> None:
    assert ".opf" in refused(packed({"mimetype": b"application/epub+zip"}))
    files = sound()
    files["EPUB/package.opf"] = b"<package><metadata/><manifest/><spine/></package>"
    assert "nothing to read" in refused(packed(files))
    files["EPUB/package.opf"] = b"<package"
    assert "package.opf" in refused(packed(files))


def test_loose_signs_and_named_entities_are_mended() -> None:
    files = sound(
        "<p>Fish & chips < 5&nbsp;&euro; at <me@example.org>, said he to all of them.</p>"
    )
    after, repairs = made(packed(files))
    assert "markup mended" in repairs
    assert "Fish&chips<5€at<me@example.org>,saidhe" in held(after["EPUB/chapter-001.xhtml"]).text


def test_tag_soup_is_rebuilt_with_its_text() -> None:
    after, repairs = made(packed(sound("<p>one <b>two <i>three</b> four</i><p>five")))
    assert "document rebuilt from tag soup" in repairs
    assert held(after["EPUB/chapter-001.xhtml"]).text.endswith("onetwothreefourfive")


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16", "windows-1252"])
def test_a_document_keeps_its_encoding(encoding: str) -> None:
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE html>'
        '<html xmlns="http://www.w3.org/1999/xhtml">'
        "<head><title>x</title></head>"
        "<body><p>Später kam der Fährmann über den Fluß.</p></body></html>"
    )
    files = {**sound(), "EPUB/chapter-001.xhtml": text.encode(encoding)}
    out, back = io.BytesIO(), io.BytesIO()
    make_edition(packed(files), out, Look(width=15))
    made = members(out.getvalue())["EPUB/chapter-001.xhtml"]
    assert held(made).text == "xSpäterkamderFährmannüberdenFluß."
    unmake_edition(out.getvalue(), back)
    assert members(back.getvalue()) == files


@pytest.mark.parametrize(
    "body",
    ['<p><span class="psl">one</span> two three four</p>', '<p class="psl">one two three</p>'],
)
def test_a_document_with_class_names_of_ours_is_left_whole_and_comes_back(body: str) -> None:
    files = sound(body)
    out, back = io.BytesIO(), io.BytesIO()
    report = make_edition(packed(files), out, Look(width=8))
    assert members(out.getvalue())["EPUB/chapter-001.xhtml"] == files["EPUB/chapter-001.xhtml"]
    assert any("class names" in note for note in report.count.notes)
    unmake_edition(out.getvalue(), back)
    assert members(back.getvalue()) == files


def test_a_book_with_a_style_sheet_of_our_sheets_name_is_refused() -> None:
    files = sound()
    files["EPUB/psl.css"] = b"p { margin: 0 }"
    item = b'<item id="own" href="psl.css" media-type="text/css"/></manifest>'
    files["EPUB/package.opf"] = files["EPUB/package.opf"].replace(b"</manifest>", item)
    text = refused(packed(files))
    assert "EPUB/psl.css" in text
    out = io.BytesIO()
    with pytest.raises(InputError):
        unmake_edition(packed(files), out)


def test_mimetype_comes_first_whatever_the_book_did() -> None:
    files = sound()
    files["mimetype"] = files.pop("mimetype")
    out = io.BytesIO()
    make_edition(packed(files), out, Look())
    assert out.getvalue()[30:58] == b"mimetypeapplication/epub+zip"


def test_a_foreign_book_is_not_unmade() -> None:
    with pytest.raises(InputError, match="not made by penstock"):
        unmake_edition(packed(sound()), io.BytesIO())


def penstock(*arguments: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "penstock.cli.main", "read", *arguments]
    return subprocess.run(command, input=text, capture_output=True, check=False)


def test_the_command_says_one_line_exits_2_and_leaves_no_file(tmp_path: Path) -> None:
    bad = tmp_path / "bad.epub"
    bad.write_bytes(packed({**sound(), "EPUB/big.bin": bytes(50 << 20)}))
    done = penstock("make", str(bad), "-o", str(tmp_path / "out.epub"))
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["bad.epub"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("make", "none.epub"), b"No such file"),
        (("make", "-", "--width", "3"), b"use 8 to 90"),
        (("make", "-", "--width", "wide"), b"glance, span, comfort"),
        (("make", "-", "--device", "kindle", "--guide", "colour"), b"use bold, none"),
        (("make", "-"), b"no text in it"),
        (("unmake", "none.epub", "-o", "x.epub"), b"No such file"),
        (("open", "-"), b"give a file"),
        (("make", "-", "-o", "x.pdf"), b"ends with .epub"),
        (("make", "ftp://example.com/x"), b"begins with https://"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(arguments: tuple[str, ...], says: bytes) -> None:
    done = penstock(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_missing_folder_is_named() -> None:
    done = penstock("make", "-", "-o", "/nowhere/at/all.epub", text=b"One two.")
    assert done.returncode == 2
    assert b"the folder /nowhere/at does not exist" in done.stderr


def test_a_kindle_file_and_a_pdf_are_named(tmp_path: Path) -> None:
    for name, data, says in (
        ("a.pdf", b"%PDF-1.7", b"PDF"),
        ("a.mobi", bytes(60) + b"BOOKMOBI", b"Kindle file"),
        ("a.txt", b"caf\xe9", b"UTF-8"),
    ):
        (tmp_path / name).write_bytes(data)
        done = penstock("make", str(tmp_path / name))
        assert done.returncode == 2
        assert says in done.stderr


def test_the_book_itself_is_not_overwritten(tmp_path: Path) -> None:
    book, data = tmp_path / "a.epub", packed(sound())
    book.write_bytes(data)
    done = penstock("make", str(book), "-o", str(book))
    assert done.returncode == 2
    assert book.read_bytes() == data


def test_make_and_unmake_from_the_command_line(tmp_path: Path) -> None:
    book, edition, back = (tmp_path / name for name in ("a.epub", "b.epub", "c.epub"))
    book.write_bytes(packed(sound()))
    assert penstock("make", str(book), "-o", str(edition), "--json").stdout.startswith(b'{"out"')
    assert penstock("unmake", str(edition), "-o", str(back)).returncode == 0
    assert members(back.read_bytes()) == members(book.read_bytes())
    text = penstock("make", "-", "--to", "text", "--width", "20", text=b"One two three four five.")
    assert [line.strip() for line in text.stdout.decode().split("\n") if line.strip()] == [
        "One two three four",
        "five.",
    ]
