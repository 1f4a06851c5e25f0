"""Text, Markdown, pages, articles and a day's edition: valid books with all that was said."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.reading.oracle import documents, held, members
from tests.reading.test_bad_input import packed
from tests.reading.test_left_out import book_from_elsewhere
from tests.reading.third_party import epubcheck

from penstock.errors import InputError
from penstock.reading import Article, Look, as_epub, feed_entries, make_edition, write_daily
from penstock.reading.archive import Archive
from penstock.reading.blocks import book_blocks
from penstock.reading.lines import Count
from penstock.reading.texts import json_lines, text_lines

SOUP = b"""<html lang=fr><title>Soup &amp; co</title><body><p>one<p>two <b>three<div>four</b></div>
<ul>x<li>five<li>six<p>para</ul><span><p>in span</span><font><table><tr><td>c<td colspan=2>d<table
><tr><td>n</table></table></font>
<a href="#x">go</a><a href='rel.html'>rel</a><h2 id=x>Head</h2><dl>
<dt>t<dd>d</dl><script>alert(1)</script><img src=a.png alt="pic &amp; ture">&nbsp;\xc3\xa9
<a name=1>q
</a><a href="https://example.org/?a=1&b=2">out</a>
<img src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEA
AAIBRAA7">"""
MARKDOWN = b"""# Title

Some *emphasised* text with a [link](https://example.org/a?b=1&c=2), `code` and <b>no HTML</b>.

- one
  - nested

| a | b |
|---|---|
| 1 | 2 |

![alt text](missing.png)
"""
ARTICLE = b"""<html lang="en"><head><title>The river | Site</title>
<meta name="author" content="A. Writer"></head>
<body><nav><a href="/">Home</a><a href="/x">Other things to click</a></nav><article><h1>The
river</h1>%s<p>It has a <a href="/map">map</a> of the whole valley in it, for those who want to walk
there and see the water for themselves.</p></article><aside>Subscribe now</aside><footer>Copyright
</footer></body></html>""" % (
    b"<p>The river was wide and slow in the evening light when they came down from the hills with "
    b"their tired horses, and nobody spoke of what had happened at the crossing that day.</p>" * 5
)


@pytest.mark.slow
@pytest.mark.timeout(600)  # a virtual machine on a busy machine
def test_composed_books_are_valid(tmp_path: Path) -> None:
    books = {
        "soup": as_epub(SOUP, "a.html"),
        "markdown": as_epub(MARKDOWN, "a.md"),
        "text": as_epub(
            b"CHAPTER I\n\nIt was\nlate & <dark>.\x00\x1b\n\na\nb\nc\n\n    code\n    x", "a.txt"
        ),
        "article": as_epub(ARTICLE, "", base="https://example.org/a/b", article=True),
    }
    articles = [
        Article(body=ARTICLE, url="https://example.org/a/b", published="2026-11-20"),
        Article(body="Plain words & signs.", title="Note <1>"),
        Article(body=SOUP),
    ]
    look, day = Look(align=True), dt.date(2026, 11, 21)
    made = write_daily(articles, tmp_path, look, day=day, title="Morning read")
    assert made.path == tmp_path / "Morning-read-2026-11-21.epub"
    assert made.articles == 3
    paths = [made.path]
    edition = io.BytesIO()
    make_edition(packed(book_from_elsewhere()), edition, Look())
    books["elsewhere"] = edition.getvalue()
    for name, data in books.items():
        (tmp_path / f"{name}.epub").write_bytes(data)
        paths.append(tmp_path / f"{name}.epub")
    assert {name: said for name, said in epubcheck(paths).items() if said} == {}


def text_of(data: bytes) -> str:
    return (
        "".join(b.text for b in book_blocks(Archive(data, "x"))).replace(" ", "").replace("\n", "")
    )


def test_tag_soup_keeps_its_text_in_order() -> None:
    expected = "onetwothreefourxfivesixparainspancdngorelHeadtd[pic&ture]"
    assert text_of(as_epub(SOUP, "a.html")).startswith(expected)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<html><body><p>one</p></body></html><p>two</p>", "onetwo"),
        (
            '<picture><source srcset="a.webp"><img src="a.png" alt="cat"></picture><p>two',
            "[cat]two",
        ),
        ("<p hidden>no</p><p>one <b hidden>no</b>two", "onetwo"),
        ("<object data=x><p>instead</p></object><p>two", "insteadtwo"),
    ],
)
def test_nothing_that_a_browser_shows_is_lost_from_a_page(page: str, expected: str) -> None:
    assert text_of(as_epub(page.encode(), "a.html")) == expected


@pytest.mark.parametrize(
    ("label", "encoding", "text"),
    [
        ("gb2312", "gbk", "\u4e2d\u56fd\u9f8d"),
        ("shift_jis", "cp932", "\u65e5\u672c\u2460"),
        ("iso-8859-1", "cp1252", "\u201ccaf\u00e9\u201d"),
        ("iso-8859-1", "utf-8-sig", "caf\u00e9"),
        ("utf-8", "utf-16", "caf\u00e9"),
        ("utf8mb4", "utf-8", "caf\u00e9"),
        ("utf-8", "cp1252", "caf\ufffd"),
        ("utf-16", "utf-8", "caf\u00e9"),
    ],
)
def test_a_page_is_decoded_as_browsers_do(label: str, encoding: str, text: str) -> None:
    page = f"<html><meta charset={label}><body><p>{text}</p></body></html>"
    encoded = page.replace("\ufffd", "\u00e9").encode(encoding)
    assert text_of(as_epub(encoded, "a.html")) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\n\nOne: here.\n\nTwo three.\n\n---\n\nFour.\n", "One:here.Twothree.Four."),
        ("---\ntitle: A\ntags:\n  - b\n---\nOne.\n", "One."),
        ('+++\ntitle = "A"\n+++\nOne.\n', "One."),
        pytest.param("---\n" + " \n" * 20_000 + "One.", "One.", id="blanks"),
    ],
)
def test_front_matter_is_fields_and_what_is_not_stays(text: str, expected: str) -> None:
    assert text_of(as_epub(text.encode(), "a.md")) == expected


FEEDS = {
    "RSS 0.91": '<rss version="0.91"><channel><item><title>A &amp;amp; b</title><link>/a</link>'
    "</item></channel></rss>",
    "RSS 2 with a loose sign": '<rss version="2.0"><channel><item><title>A & b</title>'
    "<link>/a</link></item></channel></rss>",
    "Atom": '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title type="html">A &amp;amp; '
    '&lt;i>b&lt;/i></title><link rel="self" href="s"/><link href="a"/><updated>once</updated>'
    "</entry></feed>",
    "JSON Feed": '{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "/a", '
    '"url": null, "title": "A & b", "authors": [{}]}]}',
    "OPML with a loose sign": '<opml><body><outline text="A & b" xmlUrl="/a"/></body></opml>',
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("name", FEEDS)
def test_feeds_of_every_kind_name_their_articles(name: str, pack: Callable[[bytes], bytes]) -> None:
    entries = feed_entries(pack(FEEDS[name].encode()), "http://example.org/")
    assert entries is not None
    assert [(e.title, e.url) for e in entries] == [("A & b", "http://example.org/a")]


def test_a_damaged_gzip_is_not_a_feed() -> None:
    assert feed_entries(gzip.compress(b"<rss/>")[:12] + b"\xff" * 9) is None


def test_a_feed_in_utf_16_is_read() -> None:
    feed = '<?xml version="1.0" encoding="utf-16"?>' + FEEDS["Atom"]
    entries = feed_entries(feed.encode("utf-16"), "http://example.org/")
    assert [e.title for e in entries or ()] == ["A & b"]


def test_an_article_is_cut_out_of_its_page() -> None:
    text = text_of(as_epub(ARTICLE, "", base="https://example.org/a/b", article=True))
    assert "Theriverwaswide" in text
    assert "Subscribe" not in text
    assert "Otherthings" not in text


def test_an_article_keeps_what_it_says_twice_and_leaves_out_what_it_hides() -> None:
    refrain = "<p>And the river went on, wide and slow, and nobody crossed it any more.</p>"
    page = ARTICLE.replace(b"</article>", refrain.encode() * 3 + b"</article>")
    page = page.replace(b"<article>", b'<article><p style="display: none">Unseen words.</p>')
    text = text_of(as_epub(page, "", base="https://example.org/a/b", article=True))
    assert text.count("nobodycrossedit") == 3
    assert "Unseen" not in text
    hidden = page.replace(b"<article>", b'<article style="visibility:hidden">')
    assert "nobodycrossedit" in text_of(as_epub(hidden, "", base="https://a.b/c", article=True))


def test_pictures_beside_a_page_come_along_and_none_from_elsewhere(tmp_path: Path) -> None:
    gif = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
    (tmp_path / "secret.gif").write_bytes(gif)
    (tmp_path / "site" / "img").mkdir(parents=True)
    (tmp_path / "site" / "img" / "a b.gif").write_bytes(gif)
    page = tmp_path / "site" / "page.md"
    page.write_text("One ![a](<img/a b.gif>) two ![b](../secret.gif) three ![c](/etc/passwd).")
    out = tmp_path / "out.epub"
    command = [sys.executable, "-m", "penstock.cli.main", "read", "make", str(page), "-o", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    kept = [name for name in members(out.read_bytes()) if "pictures/" in name]
    assert len(kept) == 1
    assert "[b]" in text_of(out.read_bytes())


@pytest.mark.parametrize(
    ("markup", "wanted"),
    [
        ('<img src="data:image/gif;base64,x" data-src="a.webp">', "a.webp"),
        ('<img srcset="b.webp 1x, c.webp 2x">', "b.webp"),
        ('<img src="d.webp" srcset="e.webp 2x">', "d.webp"),
    ],
)
def test_pictures_that_a_page_loads_late_come_along(markup: str, wanted: str) -> None:
    asked: list[str] = []

    def load(address: str) -> bytes:
        asked.append(address)
        return b"RIFF\x1a\0\0\0WEBPVP8L"

    made = as_epub(f"<html><body><p>x {markup}</p></body></html>".encode(), "a.html", load=load)
    assert asked == [wanted]
    assert [name for name in members(made) if name.endswith(".webp")]
    assert b'media-type="image/webp"' in members(made)["EPUB/package.opf"]


def test_links_of_an_article_become_whole_addresses() -> None:
    data = as_epub(ARTICLE, "", base="https://example.org/a/b", article=True)
    links = [link for d in documents(data).values() for link in held(d).links]
    assert "https://example.org/map" in links


def test_headings_verse_and_code_of_plain_text_are_found() -> None:
    data = as_epub(b"CHAPTER I\n\nIt was\nlate.\n\na\nb\nc\n\n    x = 1\n    y = 2\n", "a.txt")
    kinds = [(b.kind, b.text) for b in book_blocks(Archive(data, "x"))]
    assert kinds == [
        ("heading", "CHAPTER I"),
        ("text", "It was late."),
        ("verse", "a\nb\nc"),
        ("code", "    x = 1\n    y = 2"),
    ]


def test_the_same_day_twice_gives_the_same_file_and_bad_articles_are_named(tmp_path: Path) -> None:
    day = dt.date(2026, 11, 21)
    articles = [Article(body="One."), Article(body=b"", title="Empty"), Article(body="Two.")]
    made = write_daily(articles, tmp_path, Look(), day=day)
    assert made.path is not None
    first = made.path.read_bytes()
    again = write_daily(iter(articles), tmp_path, Look(), day=day)
    assert again.path is not None
    assert again.path.read_bytes() == first
    assert (made.articles, list(made.skipped)) == (2, ["Empty"])
    assert [p.name for p in tmp_path.iterdir()] == ["Articles-2026-11-21.epub"]


def test_no_article_no_file(tmp_path: Path) -> None:
    made = write_daily([], tmp_path, Look(), day=dt.date(2026, 11, 21))
    assert made.path is None
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="does not exist"):
        write_daily([Article(body="x")], tmp_path / "none", Look(), day=dt.date(2026, 1, 1))


def test_text_is_centred_and_marked_and_json_lines_carry_the_same() -> None:
    blocks = list(book_blocks(Archive(as_epub(b"One two three four five six.", "a.txt"), "x")))
    plain = list(text_lines(blocks, Look(width=14), Count(), ansi=False))
    assert [line.strip() for line in plain if line] == ["One two three", "four five six."]
    marked = "".join(text_lines(blocks, Look(width=14), Count(), ansi=True))
    assert "\x1b[1mtwo\x1b[22m" in marked
    rows = [json.loads(line) for line in json_lines(blocks, Look(width=14), Count())]
    assert [(r["text"], r["guide"]) for r in rows] == [
        ("One two three", [4, 7]),
        ("four five six.", [5, 9]),
    ]
    aligned = list(text_lines(blocks, Look(width=14, align=True), Count(), ansi=False))
    axes = [
        line.index(word) + 0.4 * len(word)
        for line, word in zip(aligned[1:], ("two", "five"), strict=True)
    ]
    assert abs(axes[0] - axes[1]) <= 1


@pytest.mark.parametrize(
    ("data", "name", "base", "says"),
    [
        (b"", "empty.txt", "", "empty.txt"),
        (b" \n", "", "", "stdin"),
        (b"<html></html>", "", "", "stdin"),
        (b"<html></html>", "", "http://example.org/a", "http://example.org/a"),
        (b"", "empty.md", "", "empty.md"),
    ],
)
def test_what_holds_no_text_is_named_as_it_was_given(
    data: bytes, name: str, base: str, says: str
) -> None:
    with pytest.raises(InputError) as caught:
        as_epub(data, name, base=base)
    assert str(caught.value) == f"{says}: no text in it"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32"])
def test_a_text_of_wide_letters_is_read_with_or_without_its_mark(encoding: str) -> None:
    data = "Это текст, который нужно прочитать.\n\nВторой абзац.".encode(encoding)
    assert text_of(as_epub(data, "a.txt")) == "Этотекст,которыйнужнопрочитать.Второйабзац."


def test_the_header_of_project_gutenberg_says_the_encoding_and_may_be_an_old_one() -> None:
    head = "Title: X\nAuthor: Y\nCharacter set encoding: ISO-8859-1\n\n"
    old = "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n\nCafé\n\n"
    book = as_epub(f"{head}{old}End of Project Gutenberg Etext X\n".encode("latin-1"), "a.txt")
    blocks = [block.text for block in book_blocks(Archive(book, "x"))]
    assert blocks[-2:] == ["Café", "End of Project Gutenberg Etext X"]
    assert b"<dc:creator>Y</dc:creator>" in members(book)["EPUB/package.opf"]


def test_items_of_a_text_are_lines_of_their_own() -> None:
    text = b"- Bread, and what\n  goes with it\n- Milk\n\nA line - as they\n- sometimes are."
    blocks = [block.text for block in book_blocks(Archive(as_epub(text, "a.txt"), "x"))]
    assert blocks == ["- Bread, and what goes with it\n- Milk", "A line - as they - sometimes are."]


def test_an_entry_without_an_address_is_what_the_feed_says_of_it() -> None:
    feed = b"<rss version='2.0'><channel><item><title>A</title><description>&lt;p>It was late."
    entries = feed_entries(feed + b"</description></item></channel></rss>") or []
    assert [(e.url, e.title, e.body) for e in entries] == [("", "A", "<p>It was late.")]
