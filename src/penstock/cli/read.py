"""``penstock read``: speed-reading editions from the command line."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import click

from penstock.cli.screen import unscreened
from penstock.errors import InputError
from penstock.reading import (
    DEVICES,
    GUIDES,
    Guide,
    Look,
    Report,
    make_edition,
    parse_width,
    unmake_edition,
)
from penstock.whole import whole_file

__all__ = ["read"]

FORMS = ("epub", "html", "text", "jsonl")
# A book is some millions of small tuples that form no cycles: to look through them after every 700,
# as is usual, would take a sixth of the time.
_COLLECT_AFTER = 200_000
_ENDINGS = {
    "": "epub",
    ".epub": "epub",
    ".html": "html",
    ".htm": "html",
    ".txt": "text",
    ".jsonl": "jsonl",
}


@click.group()
def read() -> None:
    """Set books in short lines with a guide down the middle, and take them back."""


_BROWSER = {"Accept": "text/html,application/xhtml+xml,application/epub+zip;q=0.9,*/*;q=0.5"}


def fetch_article(url: str) -> bytes:
    """Return the page at ``url``, fetched under the http room's retries and limits.

    Raises:
        PermanentError: There is no such page.
        GaveUp: The server failed too often.
    """
    from penstock.http import Api, Get

    page = url.partition("#")[0]
    return Api(page.partition("?")[0], headers=_BROWSER, decode="bytes").call(Get(page)).body


def load(book: str) -> bytes:
    """Return the bytes of a file, of standard input (``-``) or of a web page.

    Raises:
        InputError: They cannot be read.
    """
    if book == "-":
        return sys.stdin.buffer.read()
    if book.startswith(("http://", "https://")):
        return fetch_article(book)
    if (scheme := urlsplit(book).scheme) and book.startswith(f"{scheme}://"):
        raise InputError(f"{book}: an address begins with https:// or http://, not {scheme}://")
    try:
        return Path(book).read_bytes()
    except OSError as error:
        raise InputError(f"{book}: {error.strerror or error}") from error


def load_epub(book: str) -> bytes:
    """Return what ``book`` names as an EPUB in memory."""
    from penstock.reading import as_epub

    data = load(book)
    if book == "-":
        return as_epub(data)
    web = book.startswith(("http://", "https://"))
    if web:
        return as_epub(data, base=book, article=True)
    return as_epub(data, Path(book).name, load=lambda address: picture_beside(book, address))


def picture_beside(book: str, address: str) -> bytes | None:
    """Return a picture of a page from the page's own folder or one in it, never from elsewhere."""
    from urllib.parse import unquote

    folder = Path(book).resolve().parent
    path = (folder / unquote(address)).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        return None
    return path.read_bytes()


@read.command()
@click.argument("book")
@click.option("-o", "--out", help="Where the edition goes; - is standard output.")
@click.option(
    "--width",
    default="30",
    show_default=True,
    help="Characters (30), em (17em), or glance, span, comfort.",
)
@click.option(
    "--guide",
    type=click.Choice(GUIDES),
    default="bold",
    show_default=True,
    help="How the guide is marked.",
)
@click.option(
    "--align",
    type=click.Choice(["guide"]),
    help="Shift each line so that the guide sits on the axis.",
)
@click.option(
    "--device", type=click.Choice(list(DEVICES)), help="Keep to what the device can show."
)
@click.option(
    "--to", "form", type=click.Choice(FORMS), help="Default: by the ending of OUT, else epub."
)
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
def make(  # noqa: PLR0913, PLR0917 - one argument an option
    book: str,
    out: str | None,
    width: str,
    guide: Guide,
    align: str | None,
    device: str | None,
    form: str | None,
    *,
    as_json: bool,
) -> None:
    """Make the edition of BOOK: EPUB, HTML, Markdown, text, an address, or - for stdin."""
    gc.set_threshold(_COLLECT_AFTER)
    columns, em = parse_width(width)
    look = Look(
        width=columns,
        em=em,
        guide=guide,
        align=align == "guide",
        device=DEVICES[device] if device else None,
    )
    form = form or _form(out)
    target = out or _default_name(book, form)
    data = load_epub(book)
    if (
        target != "-"
        and Path(target).exists()
        and Path(book).exists()
        and Path(target).samefile(book)
    ):
        raise InputError(f"{target}: is the book itself; give another name with -o")
    report = _write(form, data, target, look, "stdin" if book == "-" else book)
    _say(report, target, as_json=as_json)


def _form(out: str | None) -> str:
    ending = Path(out or "").suffix.lower()
    if ending not in _ENDINGS:
        raise InputError(
            f"{out}: an edition ends with .epub, .html, .txt or .jsonl; or say which with --to"
        )
    return _ENDINGS[ending]


def _default_name(book: str, form: str) -> str:
    if form in ("text", "jsonl"):
        return "-"
    web = book.startswith(("http://", "https://"))
    stem = "book" if book == "-" else Path(book.rstrip("/") if web else book).stem
    return f"{stem or 'article'}.lines.{form}"


def _write(form: str, data: bytes, target: str, look: Look, label: str) -> Report:
    if form == "epub":
        if target == "-":
            return make_edition(data, sys.stdout.buffer, look, label)
        with whole_file(Path(target)) as out:
            return make_edition(data, out, look, label)
    if form == "html":
        return _write_html(data, target, look, label)
    from penstock.reading import Archive, book_blocks, json_lines, text_lines

    report = Report()
    archive = Archive(data, label)
    blocks = book_blocks(archive)
    ansi = target == "-" and sys.stdout.isatty()
    if form == "text":
        lines = text_lines(blocks, look, report.count, ansi=ansi)
    else:
        lines = json_lines(blocks, look, report.count)
    if target == "-":
        with unscreened() if ansi else nullcontext():
            for line in lines:
                sys.stdout.write(line + "\n")
    else:
        with whole_file(Path(target)) as out:
            out.writelines(f"{line}\n".encode() for line in lines)
    return report


def _write_html(data: bytes, target: str, look: Look, label: str) -> Report:
    from penstock.reading import write_page

    report = Report()
    if target == "-":
        report.count.texts = write_page(data, sys.stdout.buffer, look, label)
        return report
    with whole_file(Path(target)) as out:
        report.count.texts = write_page(data, out, look, label)
    return report


def _say(report: Report, target: str, *, as_json: bool) -> None:
    count = report.count
    if as_json:
        facts = {
            "out": target,
            "documents": report.documents,
            "texts": count.texts,
            "lines": count.lines,
            "guides": count.guides,
            "overlong": count.overlong,
            "left": count.left,
            "notes": count.notes,
            "repairs": report.repairs,
        }
        click.echo(json.dumps(facts, ensure_ascii=False), err=target == "-")
        return
    left = ", ".join(f"{number} {kind}" for kind, number in sorted(count.left.items()))
    if not count.lines:
        click.echo(f"{target}: {count.texts:,} blocks", err=True)
        return
    click.echo(
        f"{target}: {count.lines:,} lines, {count.guides:,} guides, "
        f"{count.overlong:,} over the width; left whole: {left or 'nothing'}",
        err=True,
    )
    for note, number in {**report.repairs, **count.notes}.items():
        click.echo(f"  {note} ({number})", err=True)


@read.command()
@click.argument("book")
@click.option("-o", "--out", required=True, help="Where the original goes.")
def unmake(book: str, out: str) -> None:
    """Give the original text of an edition back."""
    data = load(book)
    with whole_file(Path(out)) as target:
        changed = unmake_edition(data, target, book)
    documents = "1 document as it was" if changed == 1 else f"{changed} documents as they were"
    click.echo(f"{out}: {documents}", err=True)


@read.command("open")
@click.argument("book")
def open_book(book: str) -> None:
    """Read BOOK in the terminal; the place is kept. Press ? for the keys."""
    import hashlib

    from penstock.clock import SystemClock
    from penstock.reading import (
        Archive,
        Place,
        Reader,
        book_blocks,
        load_place,
        places_file,
        run_reader,
        save_place,
    )

    if book == "-":
        raise InputError("read open takes its keys from standard input: give a file")
    data = load_epub(book)
    identity, file = hashlib.sha256(data).hexdigest()[:16], places_file()
    reader = Reader(list(book_blocks(Archive(data, book))), load_place(identity, file) or Place())
    with unscreened():
        run_reader(reader, SystemClock(), lambda: save_place(identity, reader.place, file))


@read.command()
@click.argument("articles", nargs=-1, required=True)
@click.option("-o", "--out", default=".", show_default=True, help="The folder it goes to.")
@click.option("--title", default="Articles", show_default=True, help="The name of the edition.")
@click.option("--width", default="30", show_default=True, help="As for make.")
@click.option("--guide", type=click.Choice(GUIDES), default="bold", show_default=True)
def today(articles: tuple[str, ...], out: str, title: str, width: str, guide: Guide) -> None:
    """Collect ARTICLES (files or addresses) into today's dated EPUB."""
    from datetime import datetime

    from penstock.reading import Article, write_daily

    columns, em = parse_width(width)
    if not Path(out).is_dir():
        raise InputError(f"{out}: the folder does not exist")
    failed: dict[str, str] = {}

    def collected() -> Iterator[Article]:
        for name in articles:
            try:
                body = load(name)
            except InputError as error:
                failed[name] = str(error)
            else:
                web = name.startswith(("http://", "https://"))
                yield Article(body=body, url=name if web else "")

    look = Look(width=columns, em=em, guide=guide)
    day = datetime.now().astimezone().date()
    made = write_daily(collected(), Path(out), look, day=day, title=title)
    failed.update(made.skipped)
    for name, reason in failed.items():
        click.echo(f"  left out {name}: {reason}", err=True)
    if made.path is None:
        raise InputError("no article could be read: nothing written")
    click.echo(f"{made.path}: {made.articles} articles", err=True)
    if failed:
        raise SystemExit(1)
