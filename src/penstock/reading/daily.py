"""Collected articles as today's edition: a dated EPUB with contents, set in lines."""

from __future__ import annotations

import html
import importlib.util
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import final
from urllib.parse import urlsplit

from penstock.errors import InputError, MissingExtra
from penstock.reading.compose import Chapter, Manuscript, Picture, compose
from penstock.reading.edition import EditionReport, make_edition
from penstock.reading.plain_text import text_manuscript
from penstock.reading.settings import Look
from penstock.reading.sources import Form, SourceOptions, form_of, manuscript_of
from penstock.whole import whole_file

OWN_TITLE = re.compile(r"\s*<h([1-3])\b[^>]*>(.{0,500}?)</h\1>", re.DOTALL)

__all__ = ["Article", "Daily", "check_libraries", "edition_name", "write_daily"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """Something to read.

    Attributes:
        body: A whole web page or a piece of HTML as bytes, or plain text as ``str``.
        title: As it is known; found in the page where empty.
        url: Where it came from. A page with an address is cut down to its article, unless
            ``whole`` is set.
        author: As it is known.
        published: As it is known, for the line under the title.
        whole: Whether the body is the article and nothing else.
        name: The name of its file, which may say what it is: ``notes.md``.
        load: Gives the bytes of a picture it refers to, or None.
    """

    body: bytes | str
    title: str = ""
    url: str = ""
    author: str = ""
    published: str = ""
    whole: bool = False
    name: str = ""
    load: Callable[[str], bytes | None] | None = None


@final
@dataclass(frozen=True, slots=True)
class Daily:
    """What was written.

    Attributes:
        path: The EPUB, or None where there was no article.
        articles: How many it holds.
        skipped: Title or address of each article that could not be read, with the reason.
        notes: What could not be taken over from articles, with how often.
        report: What was set.
    """

    path: Path | None
    articles: int
    skipped: dict[str, str] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    report: EditionReport = field(default_factory=EditionReport)


def write_daily(
    articles: Iterable[Article],
    folder: Path,
    look: Look,
    *,
    day: date,
    title: str = "Articles",
    by_site: bool = False,
) -> Daily:
    """Write ``TITLE-YYYY-MM-DD.epub`` into ``folder`` and return what was done.

    The sink of a pipeline: it takes articles as they come and writes one file at the end, whole
    or not at all. Writing the same day again replaces the file. An article that cannot be read
    is skipped and named; the others are not held up by it.

    Args:
        articles: What was collected, in reading order.
        folder: An existing folder.
        look: Width, guide and the rest.
        day: The date of the edition.
        title: Its name.
        by_site: Whether the articles of one site stand together, in the order of their first.

    Raises:
        InputError: The folder is missing.
        StorageError: The disk does not take the file.
    """
    chapters: list[Chapter] = []
    pictures: dict[str, Picture] = {}
    skipped: dict[str, str] = {}
    notes: Counter[str] = Counter()
    taken = 0
    languages: list[str] = []
    for number, article in enumerate(_grouped(articles) if by_site else articles, 1):
        try:
            found = _manuscript(article)
        except MissingExtra:
            raise  # no article could be read: not this one's fault
        except InputError as error:
            name = article.title or article.url or article.name or f"article {number}"
            skipped[name] = str(error)
            continue
        notes.update(found.notes)
        chapters += _chapters(article, found, len(chapters))
        pictures.update({picture.name: picture for picture in found.pictures})
        languages.append(found.language)
        taken += 1
    if not chapters:
        return Daily(None, 0, skipped)
    book = Manuscript(
        title=f"{title}, {day.isoformat()}",
        chapters=chapters,
        language=max(set(languages), key=languages.count),
        modified=datetime(day.year, day.month, day.day, tzinfo=UTC),
        pictures=list(pictures.values()),
    )
    path = folder / f"{edition_name(title)}-{day.isoformat()}.epub"
    return Daily(path, taken, skipped, notes, _written(book, path, look))


def _written(book: Manuscript, path: Path, look: Look) -> EditionReport:
    made = io.BytesIO()
    report = make_edition(compose(book), made, look, path.name)
    with whole_file(path) as out:
        out.write(made.getvalue())
    return report


def _grouped(articles: Iterable[Article]) -> list[Article]:
    """Return articles site by site; what has no address is a site of its own."""
    sites: dict[str, list[Article]] = {}
    for number, article in enumerate(articles):
        site = article.url.partition("://")[2].partition("/")[0] or f"/{number}"
        sites.setdefault(site, []).append(article)
    return [article for group in sites.values() for article in group]


def edition_name(title: str) -> str:
    """Return a title as it stands in the names of files.

    >>> edition_name("Morning: news & more")
    'Morning-news-more'
    """
    return re.sub(r"[^\w-]+", "-", title).strip("-") or "Articles"


def check_libraries(*, pages: bool, articles: bool) -> None:
    """Find out before anything is collected whether it could be read.

    Args:
        pages: Whether HTML will come.
        articles: Whether whole web pages will come, to be cut down to their articles.

    Raises:
        MissingExtra: A library that it takes is not installed.
    """
    wanted = {"lxml": pages or articles, "trafilatura": articles}
    for library, needed in wanted.items():
        if needed and importlib.util.find_spec(library) is None:
            raise MissingExtra("reading HTML", library, "reading")


def _manuscript(article: Article) -> Manuscript:
    title = article.title or article.url or article.name or "Article"
    if isinstance(article.body, str):
        return text_manuscript(article.body, title)
    named = article.name or urlsplit(article.url.partition("#")[0]).path
    form: Form = "html" if article.whole else form_of(article.body, named.rpartition("/")[2])
    found = form if form != "text" or article.name.endswith(".txt") else _looks(article)
    cut = bool(article.url) and not article.whole
    known = article.title or (Path(article.name).stem if article.name else "")
    wanted = SourceOptions(
        known, article.name or article.url or title, article.url, cut, article.load
    )
    return manuscript_of(article.body, found, wanted)


def _looks(article: Article) -> Form:
    """Say what bytes are that do not begin like a page: a page all the same if tags are in them."""
    return "html" if article.url or b"<" in article.body[:4096] else "text"


def _chapters(article: Article, found: Manuscript, before: int) -> list[Chapter]:
    """Return an article's chapters, the first with its title, links led to their new names."""
    title = article.title or found.title
    about = [article.author or found.creator, article.published, article.url]
    byline = " · ".join(html.escape(text) for text in about if text)
    first = OWN_TITLE.match(found.chapters[0].body)
    own = " ".join(html.unescape(re.sub(r"<[^<>]+>", "", first[2])).split()) if first else ""
    repeated = bool(own) and title.casefold().startswith(own.casefold())
    head = f"<h1>{html.escape(title)}</h1>"
    if byline:
        head += f'\n<p class="byline">{byline}</p>'
    chapters: list[Chapter] = []
    for number, chapter in enumerate(found.chapters):
        own_body = chapter.body
        if not number and first and repeated:
            own_body = own_body[first.end() :].lstrip()
        body = re.sub(
            r' href="chapter-(\d+)\.xhtml',
            lambda m: f' href="chapter-{int(m[1]) + before:03}.xhtml',
            own_body,
        )
        language = found.language
        name = title if not number else chapter.title
        chapters.append(
            replace(
                chapter,
                title=name,
                body=body if number else f"{head}\n{body}",
                language=language,
                listed=chapter.listed or not number,
            )
        )
    return chapters
