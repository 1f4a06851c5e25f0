"""Books as they are: odd names and ids, missing files, pages fixed here and not there."""

from __future__ import annotations

import io
import json
import re
import time
import unicodedata
import zipfile
from pathlib import Path

import pytest
from tests.reading.oracle import members
from tests.reading.test_bad_input import packed, penstock, sound

from penstock.errors import InputError
from penstock.reading import EditionReport, Look, as_epub, make_edition, unmake_edition
from penstock.reading.archive import Archive, ArchiveMember, write_archive
from penstock.reading.blocks import book_blocks

PAGE = "<p>It was late in the evening, and nobody had come to the old house.</p>"


def document(body: str = PAGE, head: str = "") -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head>{head}<title>x</title></head><body>{body}</body></html>"
    ).encode()


def book(
    href: str = "b.xhtml",
    member: str = "EPUB/b.xhtml",
    *,
    identity: str = "m",
    meta: str = "",
    itemref: str = '<itemref idref="m"/>',
    body: bytes = b"",
    files: dict[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Return a book of two chapters, the second as given."""
    found = {**sound(), member: body or document(), **(files or {})}
    item = f'<item id="{identity}" href="{href}" media-type="application/xhtml+xml"/></manifest>'
    package = found["EPUB/package.opf"].decode().replace("</manifest>", item)
    package = package.replace("</spine>", f"{itemref}</spine>").replace(
        "</metadata>", f"{meta}</metadata>"
    )
    return {**found, "EPUB/package.opf": package.encode()}


def made(files: dict[str, bytes], **options: object) -> tuple[dict[str, bytes], EditionReport]:
    out = io.BytesIO()
    report = make_edition(packed(files), out, Look(width=12), "book.epub", **options)  # type: ignore[arg-type] # options of ours
    return members(out.getvalue()), report


NAMES = {
    "another ending": ("b.html", "EPUB/b.xhtml"),
    "escapes from before UTF-8": ("%E9.xhtml", "EPUB/\u00e9.xhtml"),
    "composed in the address, decomposed in the file": (
        "Caf%C3%A9.xhtml",
        "EPUB/" + unicodedata.normalize("NFD", "Café.xhtml"),
    ),
    "another case": ("Text/Chapter2.XHTML", "EPUB/Text/chapter2.xhtml"),
    "escaped twice": ("a%2520b.xhtml", "EPUB/a b.xhtml"),
    "not escaped": ("a b#c.xhtml".replace("#c", ""), "EPUB/a b.xhtml"),
    "a plus for a blank": ("a+b.xhtml", "EPUB/a b.xhtml"),
    "backslashes": ("Text\\b.xhtml", "EPUB/Text/b.xhtml"),
    "backslashes in the file's name": ("Text/b.xhtml", "EPUB\\Text\\b.xhtml"),
    "from the root": ("/EPUB/b.xhtml", "EPUB/b.xhtml"),
    "from the archive's root without a slash": ("EPUB/b.xhtml", "EPUB/b.xhtml"),
    "a line break in it": ("b\n.xhtml", "EPUB/b.xhtml"),
    "a line break in the file's name": ("b.xhtml", "EPUB/b\n.xhtml"),
    "a stop after it": ("b.xhtml", "EPUB/b.xhtml."),
    "a version after it": ("b.xhtml", "EPUB/b.xhtml;1"),
    "a query": ("b.xhtml?v=1", "EPUB/b.xhtml"),
    "blanks around it": (" b.xhtml ", "EPUB/b.xhtml"),
    "another folder": ("text/b.xhtml", "EPUB/xhtml/b.xhtml"),
    "up and down": ("../EPUB/./b.xhtml", "EPUB/b.xhtml"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_chapter_is_found_by_every_name_that_readers_find_it_by(name: str) -> None:
    href, member = NAMES[name]
    files = book(href, member)
    after, report = made(files)
    package = after["EPUB/package.opf"].decode()
    assert package.count("<itemref") == 2, report.repairs
    assert report.removed == []
    assert b"<br/>" in after[member]
    blocks = list(book_blocks(Archive(packed(files), "x")))
    assert [b.text for b in blocks].count(blocks[-1].text) == 1
    assert blocks[-1].document == member


@pytest.mark.parametrize(
    ("identity", "idref"), [(" m ", "m"), ("m", " m "), ("m", "M"), ("m", "b.xhtml"), ("q", "b")]
)
def test_a_chapter_is_found_by_its_id_whatever_blanks_and_case(identity: str, idref: str) -> None:
    after, report = made(book(identity=identity, itemref=f'<itemref idref="{idref}"/>'))
    assert after["EPUB/package.opf"].count(b"<itemref") == 2
    assert report.removed == []


def test_a_name_in_utf8_without_its_flag_is_read_as_utf8() -> None:
    data = packed(book("Caf%C3%A9.xhtml", "EPUB/Café.xhtml"))
    plain = bytearray(data)
    for sign, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        for found in re.finditer(re.escape(sign), data):
            plain[found.start() + at + 1] &= 0xF7
    out = io.BytesIO()
    report = make_edition(bytes(plain), out, Look())
    assert report.removed == []
    assert "EPUB/Café.xhtml" in members(out.getvalue())


@pytest.mark.parametrize("encoding", ["cp1252", "cp932", "gb18030", "cp866"])
def test_a_name_in_another_encoding_is_found(encoding: str) -> None:
    href = {"cp1252": "é.xhtml", "cp866": "я.xhtml"}.get(encoding, "字.xhtml")
    raw = href.encode(encoding)
    stand = "z" * (len(raw) - 6)
    data = packed(book(href, f"EPUB/{stand}.xhtml"))
    out = io.BytesIO()
    report = make_edition(data.replace(f"EPUB/{stand}.".encode(), b"EPUB/" + raw[:-5]), out, Look())
    assert report.removed == []
    assert report.documents == 2


def test_what_is_removed_is_named_and_may_be_forbidden(tmp_path: Path) -> None:
    files = book(files={}, body=document(PAGE + '<p><img src="no.png" alt="A cat"/> and</p>'))
    del files["EPUB/b.xhtml"]
    after, report = made(files)
    assert report.removed == ["b.xhtml: listed, but not in the book"]
    assert after["EPUB/package.opf"].count(b"<itemref") == 1
    with pytest.raises(InputError, match=r"--strict: b\.xhtml"):
        made(files, strict=True)
    path, out = tmp_path / "a.epub", tmp_path / "b.epub"
    path.write_bytes(packed(files))
    done = penstock("make", str(path), "-o", str(out))
    assert done.returncode == 0
    assert b"warning: removed: b.xhtml" in done.stderr
    facts = json.loads(penstock("make", str(path), "-o", str(out), "--json").stdout)
    assert facts["removed"] == report.removed
    out.unlink()
    assert penstock("make", str(path), "-o", str(out), "--strict").returncode == 2
    assert not out.exists()


def test_a_missing_picture_among_several_leaves_a_valid_picture() -> None:
    body = '<p><picture><source srcset="a.webp"/><img src="no.png" alt="A cat"/></picture> and</p>'
    after, _ = made(book(body=document(body)))
    assert b'<img src="no.png" alt="A cat"/></picture>' in after["EPUB/b.xhtml"]


@pytest.mark.parametrize("data", [b"", b" \n", b"<html><body></body>"])
def test_a_chapter_with_nothing_in_it_costs_only_itself(data: bytes) -> None:
    files = book(files={"EPUB/b.xhtml": data})
    after, report = made(files)
    assert report.removed == ["EPUB/b.xhtml: a document with nothing in it that can be read"]
    assert b"<br/>" in after["EPUB/chapter-001.xhtml"]


@pytest.mark.parametrize(
    "container", [b"<container>", b'<container><rootfile full-path="no.opf"/></container>']
)
def test_the_package_is_found_where_the_container_does_not_say(container: bytes) -> None:
    after, _ = made(book(files={"META-INF/container.xml": container}))
    assert b"<br/>" in after["EPUB/b.xhtml"]


def test_a_page_that_is_a_drawing_is_read_and_left_as_it_is() -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg"><text>On the cover</text></svg>'
    files = book("b.svg", "EPUB/b.svg", body=drawing)
    package = files["EPUB/package.opf"].decode()
    start, end = package.rsplit('media-type="application/xhtml+xml"', 1)
    files["EPUB/package.opf"] = f'{start}media-type="image/svg+xml"{end}'.encode()
    after, _ = made(files)
    assert after["EPUB/b.svg"] == drawing
    assert "On the cover" in [b.text for b in book_blocks(Archive(packed(files), "x"))]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_read_by_its_first_sign(encoding: str) -> None:
    text = document("<p>Caf\u00e9 and a long line of other words.</p>").decode()
    data = text.replace("utf-8", "utf-16").encode(encoding)
    after, report = made(book(body=data))
    assert report.repairs == {}
    assert "Caf\u00e9" in after["EPUB/b.xhtml"].decode(encoding)


def test_blanks_before_a_document_do_not_make_it_soup() -> None:
    after, report = made(book(body=b"\n" + document('<p class="mine">One two three four.</p>')))
    assert report.repairs == {"markup mended": 1}
    assert b'class="mine"' in after["EPUB/b.xhtml"]


def test_a_missing_picture_is_named_with_its_document() -> None:
    body = document('<p><img src="no.png" alt="A cat"/> and nobody came to the house</p>')
    _, report = made(book(body=body))
    assert report.removed == ["EPUB/b.xhtml: no.png, of <img>, is missing"]


def test_a_sound_that_is_missing_stays_listed_since_overlays_name_it() -> None:
    given = book()
    more = (
        b'<item id="s" href="s.mp3" media-type="audio/mpeg"/>'
        b'<item id="d" href="d.dmg" media-type="application/x-d" fallback="m"/></manifest>'
    )
    package = given["EPUB/package.opf"].replace(b"</manifest>", more)
    after, report = made({**given, "EPUB/package.opf": package})
    assert more.removesuffix(b"</manifest>") in after["EPUB/package.opf"]
    assert report.removed == []


def test_an_entry_of_the_contents_that_leads_nowhere_leads_where_the_one_before_does() -> None:
    given = book()
    entry = b'<li><a href="%s">x</a></li>'
    lost = entry % b"b.xhtml" + entry % b"no.xhtml" + b"</ol>"
    nav = given["EPUB/nav.xhtml"].replace(b"</ol>", lost, 1)
    after, _ = made({**given, "EPUB/nav.xhtml": nav})
    assert entry % b"b.xhtml" * 2 in after["EPUB/nav.xhtml"]


def test_links_of_a_package_stay_and_a_picture_from_elsewhere_leaves_a_valid_document() -> None:
    link = '<link rel="dcterms:rights" href="https://example.org/rights"/>'
    far = book(meta=link, body=document('<p>A <img src="https://a.b/c.png" alt="c"/> there</p>'))
    after, report = made(far)
    assert link.encode() in after["EPUB/package.opf"]
    assert b'src="data:image/gif' in after["EPUB/b.xhtml"]
    assert [name.partition(":")[0] for name in report.removed] == ["EPUB/b.xhtml"]


def test_a_package_from_before_epub_keeps_its_identifier() -> None:
    given = book()
    old = b"http://openebook.org/namespaces/oeb-package/1.0/"
    package = given["EPUB/package.opf"].replace(b"http://www.idpf.org/2007/opf", old)
    package = package.replace(b"dc:identifier", b"dc:Identifier")
    after, report = made({**given, "EPUB/package.opf": package})
    assert b"text/x-oeb1-css" in after["EPUB/package.opf"]
    assert b"<dc:identifier" not in after["EPUB/package.opf"]
    assert report.repairs == {}


FIXED = "<meta property='rendition:layout'>pre-paginated</meta>"
APPLE = (
    b"<display_options><platform name='*'><option name='fixed-layout'>true</option></platform>"
    b"</display_options>"
)


@pytest.mark.parametrize(
    ("meta", "properties", "files", "fixed"),
    [
        ("", "rendition:layout-pre-paginated", {}, True),
        (FIXED, "rendition:layout-reflowable", {}, False),
        ('<meta name="fixed-layout" content="true"/>', "", {}, True),
        ("", "", {"META-INF/com.apple.ibooks.display-options.xml": APPLE}, True),
        ("<meta property='schema:accessibilitySummary'>not pre-paginated</meta>", "", {}, False),
    ],
)
def test_pages_are_fixed_one_by_one(
    meta: str, properties: str, files: dict[str, bytes], fixed: bool
) -> None:
    # The other chapter is the contrary, so that the book has both.
    item = f'<itemref idref="m" properties="{properties}"/>'
    given = book(meta=meta, itemref=item, files=files)
    other = "rendition:layout-reflowable" if fixed else "rendition:layout-pre-paginated"
    package = given["EPUB/package.opf"].decode()
    package = package.replace(
        '<itemref idref="c1"/>', f'<itemref idref="c1" properties="{other}"/>'
    )
    after, report = made({**given, "EPUB/package.opf": package.encode()})
    assert (after["EPUB/b.xhtml"] == given["EPUB/b.xhtml"]) is fixed
    assert report.count.left["fixed page"] == 1


def test_a_book_without_a_reading_order_is_read_as_it_is_listed() -> None:
    files = book()
    package = re.sub(rb"<itemref[^>]*/>", b"", files["EPUB/package.opf"])
    blocks = list(book_blocks(Archive(packed({**files, "EPUB/package.opf": package}), "x")))
    assert [b.document for b in blocks] == ["EPUB/chapter-001.xhtml", "EPUB/b.xhtml"]


def test_what_stands_for_a_page_that_is_no_document_is_read() -> None:
    files = book(itemref='<itemref idref="d"/>')
    item = b'<item id="d" href="d.svg" media-type="image/svg+xml" fallback="m"/></manifest>'
    package = files["EPUB/package.opf"].replace(b"</manifest>", item)
    files = {**files, "EPUB/d.svg": b"<svg/>", "EPUB/package.opf": package}
    assert [b.document for b in book_blocks(Archive(packed(files), "x"))][-1] == "EPUB/b.xhtml"


def test_a_page_outside_the_reading_order_stays_outside() -> None:
    after, _ = made(book(itemref='<itemref idref="m" linear="no"/>'))
    assert b'<itemref idref="m" linear="no"/>' in after["EPUB/package.opf"]


@pytest.mark.parametrize("link", ["", '<a href="b.xhtml#x">to it</a>'])
def test_a_page_that_only_a_script_led_to_comes_into_the_reading_order(link: str) -> None:
    given = book(itemref='<itemref idref="m" linear="no"/>')
    first = given["EPUB/chapter-001.xhtml"]
    acts = f"<script>location = 'b.xhtml'</script>{link}</body>".encode()
    after, report = made({**given, "EPUB/chapter-001.xhtml": first.replace(b"</body>", acts)})
    line = b'<itemref idref="m" linear="no"/>' if link else b'<itemref idref="m"/>'
    assert line in after["EPUB/package.opf"]
    assert report.repairs.get("page that only a script led to", 0) == (not link)


def test_a_base_is_kept_and_the_style_sheet_is_found_from_it() -> None:
    near = book(body=document(head='<base href="../"/>'))
    after, _ = made(near)
    assert b'<base href="../"/>' in after["EPUB/b.xhtml"]
    assert b'href="EPUB/psl.css"' in after["EPUB/b.xhtml"]
    far = book(body=document(head='<base href="https://example.org/"/>'))
    after, report = made(far)  # all its pictures would be fetched from there
    assert b"<base" not in after["EPUB/b.xhtml"]
    assert report.removed == ["EPUB/b.xhtml: href of base, which acts or loads from elsewhere"]
    far = {n: d.replace(b"<html", b"<html xml:base='http://a.b/'") for n, d in book().items()}
    after, report = made(far)
    assert b"xml:base" not in after["EPUB/b.xhtml"]
    assert "EPUB/b.xhtml: xml:base of html, which acts or loads from elsewhere" in report.removed


def test_what_no_repair_needs_is_left_as_it_is() -> None:
    body = document('<video src="no.mp4"><track src="no.vtt"/></video><p>one two three four</p>')
    sheet = b'@import url("no.css"); p { color: red }'
    after, report = made(book(body=body, files={"EPUB/own.css": sheet}))
    assert b'<track src="no.vtt"/>' in after["EPUB/b.xhtml"]
    assert after["EPUB/own.css"] == sheet
    assert report.removed == []


def test_more_members_than_sixteen_bits_count() -> None:
    out = io.BytesIO()
    many = (ArchiveMember(f"EPUB/x/{number}", b"", 0, 0, 0) for number in range(66_000))
    own = (ArchiveMember.of(name, data) for name, data in book().items())
    write_archive(out, (*own, *many))
    with zipfile.ZipFile(out) as archive:
        assert len(archive.namelist()) > 66_000
    assert Archive(out.getvalue(), "x").read("EPUB/b.xhtml") == document()


def test_what_packs_well_is_no_bomb() -> None:
    after, _ = made(book(files={"EPUB/blank.bmp": bytes(3 << 20)}))
    assert len(after["EPUB/blank.bmp"]) == 3 << 20
    text = b"<p>" + b"one two " * 300_000 + b"</p>"
    out, back = io.BytesIO(), io.BytesIO()
    data = packed({**sound(), "EPUB/chapter-001.xhtml": document(text.decode())})
    make_edition(data, out, Look())
    unmake_edition(out.getvalue(), back)
    assert members(back.getvalue()) == members(data)


def test_a_suffix_tells_the_edition_from_the_book_and_goes_with_it() -> None:
    files = book()
    out, back = io.BytesIO(), io.BytesIO()
    make_edition(packed(files), out, Look(), title_suffix=" (lines & guides)")
    title = re.search(rb"<dc:title>(.*?)<", members(out.getvalue())["EPUB/package.opf"])
    assert title is not None
    assert title[1] == b"A (lines &amp; guides)"
    again = io.BytesIO()
    make_edition(out.getvalue(), again, Look(), title_suffix=" *")
    assert b"<dc:title>A *<" in members(again.getvalue())["EPUB/package.opf"]
    unmake_edition(again.getvalue(), back)
    assert members(back.getvalue()) == files


LONG = 12_000
WORST = {
    "an attribute and blanks": f'<p>a</p><a href="no.xhtml"{" " * LONG}>x</a>',
    "blanks in a start tag": f"<p{' ' * LONG}>a</p>",
    "style addresses": "<p>a</p>",
    "open comments": f"<p>{'<!--' * LONG}",
    "open instructions": f"<p>{'<?' * LONG}",
    "open sections": f"<p>{'<![CDATA[' * LONG}",
    "titles": f"<p>a{'<title' * LONG}",
    "addresses": f"<p>{'<a' * LONG}@",
    "open elements": f"{'<b>' * LONG}a",
    "ends": f"<p>a</p>{'</b>' * LONG}",
    "pictures in drawings": f"<svg>{'<image ' * LONG}",
    "entities": f"<p>{'&a' * LONG}</p>",
    "brackets of a document type": f"<!DOCTYPE {'[' * LONG}",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", WORST)
def test_reading_takes_time_in_proportion_to_the_text(name: str) -> None:
    """Growth, not seconds: four times the text may take no sixteen times the work."""

    def work(times: int) -> float:
        body = WORST[name]
        body = re.sub(r"(.)\1{2000,}", lambda m: m[0] * times, body, flags=re.DOTALL)
        if times > 1 and body == WORST[name]:
            unit = re.search(r"((?:<!--|<\?|<!\[CDATA\[|<title|<a|<b>|</b>|<image |&a)+)", body)
            body = body.replace(unit[0], unit[0] * times) if unit else body
        sheet = b"url(" + b" " * (LONG * times) + b"url(" * (LONG * times)
        files = book(body=document(body), files={"EPUB/own.css": sheet})
        begun = time.process_time()
        try:
            made(files)
            list(book_blocks(Archive(packed(files), "x")))
        except InputError:
            pass
        return time.process_time() - begun

    small = max(work(1), 0.05)
    assert work(4) < 11 * small


def test_the_header_of_project_gutenberg_names_the_book() -> None:
    text = (
        "The Project Gutenberg eBook of X\n\nTitle: News from\n  Nowhere\n\nAuthor: W. Morris\n\n"
        "Language: English\n\n***START OF THE PROJECT GUTENBERG EBOOK X***\n\n"
        "CHAPTER I\nIn the Hall\n\nIt was late.\n\n"
        "*** END OF THE PROJECT GUTENBERG EBOOK X ***\n\nUpdated editions replace it.\n"
    )
    files = members(as_epub(text.encode(), "3261-0.txt"))
    package, nav = files["EPUB/package.opf"].decode(), files["EPUB/nav.xhtml"].decode()
    assert "<dc:title>News from Nowhere</dc:title>" in package
    assert "<dc:creator>W. Morris</dc:creator>" in package
    assert re.findall(r'xhtml">(.*?)</a>', nav) == [
        "Project Gutenberg",
        "CHAPTER I In the Hall",
        "Project Gutenberg",
    ]


def test_every_chapter_is_in_the_contents() -> None:
    page = "".join(f"<h2>Chapter {n}</h2><p>{'word ' * 900}</p>" for n in range(1, 33))
    files = members(as_epub(f"<html><body>{page}</body></html>".encode(), "a.html"))
    nav = files["EPUB/nav.xhtml"].decode()
    assert [f"Chapter {n}<" in nav for n in range(1, 33)] == [True] * 32


@pytest.mark.parametrize(
    ("data", "name", "language"),
    [
        (
            "<html><body><p>那时已经很晚了，没有人来过河边的老房子。</p></body></html>",
            "a.html",
            "zh",
        ),
        ('<html><meta property="og:locale" content="es_ES"><p>x</p></html>', "a.html", "es-ES"),
        ('<html><meta http-equiv="content-language" content="nl"><p>x</p></html>', "a.html", "nl"),
        ("それは遅い夜のことで、誰も来なかった。", "a.txt", "ja"),
        ("Il était tard et personne ne venait dans la vieille maison de la rue.", "a.txt", "fr"),
        ("---\nlang: sv\n---\n# Titel\n\nText.\n", "a.md", "sv"),
        ("Det var sent på kvällen och ingen hade kommit till det gamla huset.", "a.txt", "sv"),
        ("شب دیر وقت بود و هیچ کس به خانه قدیمی نیامده بود.", "a.txt", "fa"),
    ],
)
def test_the_language_is_what_is_said_or_seen(data: str, name: str, language: str) -> None:
    package = members(as_epub(data.encode(), name))["EPUB/package.opf"].decode()
    assert f"<dc:language>{language}</dc:language>" in package
    package = members(as_epub(data.encode(), name, language="tlh"))["EPUB/package.opf"].decode()
    assert "<dc:language>tlh</dc:language>" in package


def test_a_fiction_book_keeps_titles_verse_and_pictures() -> None:
    gif = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
    data = (
        '<?xml version="1.0"?><FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" '
        'xmlns:l="http://www.w3.org/1999/xlink"><description><title-info><book-title>Книга'
        "</book-title><lang>ru</lang></title-info></description><body><section><title><p>Глава</p>"
        '</title><p>Вечер.</p><image l:href="#i.gif"/><poem><stanza><v>раз</v><v>два</v></stanza>'
        f'</poem></section></body><binary id="i.gif">{gif}</binary></FictionBook>'
    )
    made_of = as_epub(data.encode(), "f.fb2")
    kinds = [(b.kind, b.text) for b in book_blocks(Archive(made_of, "x"))]
    assert kinds == [
        ("heading", "Глава"),
        ("text", "Вечер."),
        ("figure", ""),
        ("verse", "раз\nдва"),
    ]
    assert any(name.endswith(".gif") for name in members(made_of))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("f.fb2", data)
    assert as_epub(zipped.getvalue(), "f.fb2.zip") == made_of


def test_a_folder_is_made_at_once_and_what_fails_is_named(tmp_path: Path) -> None:
    books, out = tmp_path / "in", tmp_path / "out"
    books.mkdir()
    (books / "a.txt").write_text("It was late.")
    (books / "b.epub").write_bytes(packed(book()))
    (books / "bad.epub").write_bytes(b"no book")
    (books / "x.jpg").write_bytes(b"")
    done = penstock("make", str(books), "-o", str(out))
    assert done.returncode == 1
    assert b"left out" in done.stderr
    assert b"bad.epub" in done.stderr
    assert sorted(p.name for p in out.iterdir()) == ["a.lines.epub", "b.lines.epub"]
