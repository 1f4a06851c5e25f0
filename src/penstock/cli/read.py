"""``penstock read``: speed-reading editions from the command line."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, final

import click

from penstock.cli.screen import unscreened
from penstock.errors import GaveUp, InputError, PermanentError, RetryableError
from penstock.reading import (
    DEVICES,
    GUIDES,
    EditionReport,
    Guide,
    Look,
    Repairs,
    make_edition,
    parse_width,
    unmake_edition,
)
from penstock.whole import whole_file

if TYPE_CHECKING:
    from penstock.reading import Article, Entry

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
_BOOKS = frozenset(_ENDINGS) - {"", ".jsonl"} | {
    *(".xhtml", ".md", ".markdown", ".fb2", ".docx", ".odt", ".rtf", ".mobi", ".azw3")
}


@click.group()
def read() -> None:
    """Set books in short lines with a guide down the middle, and take them back."""


_WEB = ("http://", "https://")
_OTHERS = frozenset([".pdf", ".mobi", ".azw", ".azw3", ".docx", ".odt", ".rtf", ".fb2", ".md"])


def load(book: str) -> bytes:
    """Return the bytes of a file, of standard input (``-``) or of a web page.

    Raises:
        InputError: They cannot be read.
    """
    if book == "-":
        return sys.stdin.buffer.read()
    if book.startswith(_WEB):
        from penstock.assembly import fetch_article

        return fetch_article(book)
    scheme = book.partition("://")[0] if "://" in book else ""
    if scheme.isalpha():
        raise InputError(f"{book}: an address begins with https:// or http://, not {scheme}://")
    try:
        return Path(book).read_bytes()
    except OSError as error:
        raise InputError(f"{book}: {error.strerror or error}") from error


def load_epub(book: str, language: str = "", notes: dict[str, int] | None = None) -> bytes:
    """Return what ``book`` names as an EPUB in memory."""
    from penstock.reading import as_epub

    data = load(book)
    if book == "-":
        return as_epub(data, language=language, notes=notes)
    if book.startswith(_WEB):
        from penstock.assembly import pictures_of

        pictures = pictures_of(book)
        return as_epub(data, base=book, article=True, load=pictures, language=language, notes=notes)
    beside = partial(picture_beside, book)
    return as_epub(data, Path(book).name, load=beside, language=language, notes=notes)


def picture_beside(book: str, address: str) -> bytes | None:
    """Return a picture of a page from the page's own folder or one in it, never from elsewhere."""
    from urllib.parse import unquote

    folder = Path(book).resolve().parent
    try:
        path = (folder / unquote(address)).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            return None
        return path.read_bytes()
    except (OSError, ValueError):  # a name that no file can have
        return None


@read.command()
@click.argument("book")
@click.option("-o", "--out", help="Where the edition goes; - is standard output.")
@click.option("--width", default="30", help="Characters (30), em (17em), or glance, span, comfort.")
@click.option("--guide", type=click.Choice(GUIDES), default="bold", help="How the guide is marked.")
@click.option(
    "--align",
    type=click.Choice(["guide"]),
    is_flag=False,
    flag_value="guide",
    help="Shift each line so that the guide sits on the axis.",
)
@click.option(
    "--device", type=click.Choice(list(DEVICES)), help="Keep to what the device can show."
)
@click.option(
    "--to", "form", type=click.Choice(FORMS), help="Default: by the ending of OUT, else epub."
)
@click.option(
    "--language",
    default="",
    show_default=False,
    help="The language of a page or a text, such as de-CH.",
)
@click.option(
    "--title-suffix", default="", show_default=False, help="Put after the title of the edition."
)
@click.option("--strict", is_flag=True, help="Refuse a book that something must be removed from.")
@click.option("--json", "as_json", is_flag=True, help="EditionReport as one JSON object.")
def make(book: str, out: str | None, **options: Any) -> None:
    """Make the edition of BOOK: EPUB, HTML, Markdown, text, FB2, an address, or - for stdin.

    DOCX, ODT, RTF and Kindle files are read by calibre where it is installed. Of a folder every
    book and text in it is made.
    """
    gc.set_threshold(_COLLECT_AFTER)
    making = _Making(**options)
    if book != "-" and Path(book).is_dir():
        making.folder(Path(book), out)
    else:
        making.book(book, out)


@final
@dataclass(frozen=True, slots=True)
class _Making:
    """How editions are made: the options of the command."""

    width: str
    guide: Guide
    align: str | None
    device: str | None
    form: str | None
    language: str
    title_suffix: str
    strict: bool
    as_json: bool

    def __post_init__(self) -> None:
        """Refuse a look that cannot be before any book is read."""
        _ = self.look

    @property
    def look(self) -> Look:
        columns, em = parse_width(self.width)
        device = DEVICES[self.device] if self.device else None
        align = self.align == "guide"
        return Look(width=columns, em=em, guide=self.guide, align=align, device=device)

    def book(self, book: str, out: str | None) -> None:
        form = _form(out, self.form)
        target = out or _default_name(book, form)
        notes: dict[str, int] = {}
        data = load_epub(book, self.language, notes)
        if (
            target != "-"
            and Path(target).exists()
            and Path(book).exists()
            and Path(target).samefile(book)
        ):
            raise InputError(f"{target}: is the book itself; give another name with -o")
        report = self._write(form, data, target, "stdin" if book == "-" else book)
        for note, number in notes.items():
            report.count.notes[note] = report.count.notes.get(note, 0) + number
        _say(report, target, as_json=self.as_json)

    def folder(self, folder: Path, out: str | None) -> None:
        """Make all books in a folder into another one."""
        if out is None or (Path(out).exists() and not Path(out).is_dir()):
            raise InputError(f"{folder}: is a folder: name the one its editions go to with -o")
        form = self.form or "epub"
        failed = made = 0
        Path(out).mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir()):
            if not path.is_file() or path.suffix.lower() not in _BOOKS:
                continue
            try:
                ending = {"text": "txt"}.get(form, form)
                self.book(str(path), str(Path(out) / f"{path.stem}.lines.{ending}"))
                made += 1
            except (InputError, PermanentError) as error:
                failed += 1
                click.echo(f"  left out {path}: {error}", err=True)
        if failed:
            raise SystemExit(1)
        if not made:
            raise InputError(f"{folder}: no book in it ({', '.join(sorted(_BOOKS))})")

    def _write(self, form: str, data: bytes, target: str, label: str) -> EditionReport:
        if form == "epub":
            if target == "-":
                return self._edition(data, sys.stdout.buffer, label)
            with whole_file(Path(target)) as out:
                return self._edition(data, out, label)
        if form == "html":
            return _write_html(data, target, self.look, label)
        return self._lines(form, data, target, label)

    def _edition(self, data: bytes, out: BinaryIO, label: str) -> EditionReport:
        return make_edition(
            data, out, self.look, label, strict=self.strict, title_suffix=self.title_suffix
        )

    def _lines(self, form: str, data: bytes, target: str, label: str) -> EditionReport:
        from penstock.reading import Archive, book_blocks, json_lines, text_lines

        repairs = Repairs()
        report = EditionReport(repairs=repairs.done, removed=repairs.removed)
        blocks = book_blocks(Archive(data, label), repairs)
        ansi = target == "-" and sys.stdout.isatty()
        if form == "text":
            lines = text_lines(blocks, self.look, report.count, ansi=ansi)
        else:
            lines = json_lines(blocks, self.look, report.count)
        if target == "-":
            with unscreened() if ansi else nullcontext():
                for line in lines:
                    sys.stdout.write(line + "\n")
        else:
            with whole_file(Path(target)) as out:
                out.writelines(f"{line}\n".encode() for line in lines)
        return report


def _form(out: str | None, to: str | None) -> str:
    ending = Path(out or "").suffix.lower()
    found = _ENDINGS.get(ending)
    if to and (ending in _OTHERS or (ending and found and found != to)):
        raise InputError(f"{out}: ends with {ending}, but --to is {to}")
    if to:
        return to
    if found is None:
        raise InputError(
            f"{out}: an edition ends with .epub, .html, .txt or .jsonl; or say which with --to"
        )
    return found


def _default_name(book: str, form: str) -> str:
    if form in ("text", "jsonl"):
        return "-"
    web = book.startswith(("http://", "https://"))
    stem = "book" if book == "-" else Path(book.rstrip("/") if web else book).stem
    return f"{stem or 'article'}.lines.{form}"


def _write_html(data: bytes, target: str, look: Look, label: str) -> EditionReport:
    from penstock.reading import write_page

    report = EditionReport()
    if target == "-":
        report.count.texts = write_page(data, sys.stdout.buffer, look, label)
        return report
    with whole_file(Path(target)) as out:
        report.count.texts = write_page(data, out, look, label)
    return report


def _say(report: EditionReport, target: str, *, as_json: bool) -> None:
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
            "removed": report.removed,
        }
        click.echo(json.dumps(facts, ensure_ascii=False), err=target == "-")
        return
    for what in report.removed:
        click.echo(f"warning: removed: {what}", err=True)
    left = ", ".join(f"{number} {kind}" for kind, number in sorted(count.left.items()))
    if not count.lines:
        click.echo(f"{target}: {count.texts:,} blocks", err=True)
    else:
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
        Reader,
        ReadingPlace,
        block_contents,
        book_blocks,
        book_identity,
        load_place,
        places_file,
        run_reader,
        save_place,
    )

    if book == "-":
        raise InputError("read open takes its keys from standard input: give a file")
    data = load_epub(book)
    archive, file = Archive(data, book), places_file()
    identity, earlier = book_identity(archive), hashlib.sha256(data).hexdigest()[:16]
    place = load_place(identity, file) or load_place(earlier, file) or ReadingPlace()
    blocks = list(book_blocks(archive))
    reader = Reader(blocks, place, block_contents(archive, blocks))
    with unscreened():
        run_reader(reader, SystemClock(), lambda: save_place(identity, reader.place, file))


@read.command()
@click.argument("articles", nargs=-1, required=True)
@click.option("-o", "--out", default=".", help="The folder it goes to.")
@click.option("--title", default="Articles", help="The name of the edition.")
@click.option("--width", default="30", help="As for make.")
@click.option("--guide", type=click.Choice(GUIDES), default="bold")
@click.option("--most", default=10, help="Articles taken from each feed.")
def today(
    articles: tuple[str, ...], out: str, title: str, width: str, guide: Guide, most: int
) -> None:
    """Collect ARTICLES (files, addresses, feeds, lists of feeds) into today's dated EPUB.

    What cannot be read is left out and named; the exit code is 1 then.
    """
    from datetime import datetime

    from penstock.reading import write_daily

    columns, em = parse_width(width)
    if not Path(out).is_dir():
        raise InputError(f"{out}: the folder does not exist")
    collecting = _Collecting(most)
    look = Look(width=columns, em=em, guide=guide)
    day = datetime.now().astimezone().date()
    found = (article for name in articles for article in collecting.articles(name))
    made = write_daily(found, Path(out), look, day=day, title=title, by_site=True)
    failed = {**collecting.failed, **made.skipped}
    for name, reason in failed.items():
        click.echo(f"  left out {name}: {reason}", err=True)
    for note, number in made.notes.items():
        click.echo(f"  {note} ({number})", err=True)
    if made.path is None:
        raise InputError("no article could be read: nothing written")
    click.echo(f"{made.path}: {made.articles} articles", err=True)
    if failed:
        raise SystemExit(1)


@final
class _Collecting:
    """Fetches articles; what fails costs only itself."""

    def __init__(self, most: int) -> None:
        self.failed: dict[str, str] = {}
        self._most = most
        self._seen: set[str] = set()

    def articles(self, name: str, depth: int = 0) -> Iterator[Article]:
        """Yield the article that ``name`` is, or those of the feed that it is."""
        from penstock.assembly import pictures_of
        from penstock.reading import Article, feed_entries

        if name in self._seen:
            return
        self._seen.add(name)
        try:
            data = load(name)
        except (InputError, PermanentError, RetryableError, GaveUp) as error:
            self.failed[name] = str(error)
            return
        web = name.startswith(_WEB)
        entries = feed_entries(data, name if web else "")
        if entries is not None and depth < 3:
            yield from self._entries(entries, depth)
        elif web:
            yield Article(body=data, url=name, load=pictures_of(name))
        else:
            beside = partial(picture_beside, name)
            yield Article(body=data, name=Path(name).name, load=beside)

    def _entries(self, entries: Iterable[Entry], depth: int) -> Iterator[Article]:
        from penstock.assembly import pictures_of
        from penstock.reading import Article

        taken = 0
        for entry in entries:
            if entry.feed:
                yield from self.articles(entry.url, depth + 1)
                continue
            if taken >= self._most:
                return
            taken += 1
            if entry.body:
                yield Article(
                    body=b"\xef\xbb\xbf" + entry.body.encode(),
                    title=entry.title,
                    url=entry.url,
                    author=entry.author,
                    published=entry.published,
                    whole=True,
                    load=pictures_of(entry.url),
                )
            elif entry.url.startswith(_WEB):
                yield from self.articles(entry.url, 3)
            else:
                self.failed[entry.title or "an entry of a feed"] = "it names no address"
