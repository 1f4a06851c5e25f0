"""A trial: one call a resource, and what it shows of the file that describes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import final

from penstock.assembly.beginning import looked_at
from penstock.assembly.build import (
    build_api,
    build_listing,
    build_request,
    build_since,
    build_style,
)
from penstock.assembly.resources import Part
from penstock.assembly.sections import PagesSource, PipelineFile
from penstock.assembly.sources import keys, names
from penstock.assembly.stream_sections import StreamFile
from penstock.assembly.values import revealed
from penstock.errors import Absent, PenstockError
from penstock.http import Api, Beginning, Response, dig, pages, row_result, shown
from penstock.pipeline import load
from penstock.resilience import SharedGate


@final
@dataclasses.dataclass(slots=True)
class Trial:
    """What one call showed.

    Attributes:
        name: The resource.
        facts: What came, by name, for people.
        faults: What would not do, and what to write instead.
    """

    name: str
    facts: dict[str, str] = dataclasses.field(default_factory=dict)
    faults: list[str] = dataclasses.field(default_factory=list)

    @property
    def fine(self) -> bool:
        """Whether nothing speaks against a run."""
        return not self.faults

    def lines(self) -> list[str]:
        """Return what to tell people."""
        head = f"tried {self.name}".rstrip() + ": " + ("fine" if self.fine else "not fine")
        told = [f"  {name:<11} {value}" for name, value in self.facts.items()]
        return [head, *told, *(f"  fault       {fault}" for fault in self.faults)]


def try_part(part: Part, folder: Path) -> Trial:
    """Make one call of a pipeline and return what it showed; nothing lands.

    Raises:
        InputError: The file cannot run.
    """
    trial = Trial(part.name)
    if isinstance(part.file, StreamFile):
        trial.facts["skipped"] = "a stream: penstock stream shows it"
    elif part.parent is not None:
        trial.facts["skipped"] = "a child: its first call is made of a record of its parent"
    else:
        api = build_api(part.file, folder=folder)
        try:
            _try(part.file, folder, api, trial)
        except Absent as error:
            trial.facts["absent"] = str(error)
        except PenstockError as error:
            said = f"; it said {error.excerpt[:120]!r}" if error.excerpt else ""
            trial.faults.append(f"{error}{said}")
        view = api.budget.view(api.clock.monotonic())
        trial.facts["limit"] = (
            "the answer names none"
            if view.remaining is None
            else f"{view.remaining:g} of {view.limit or 0:g} calls left"
        )
        if isinstance(api.budget, SharedGate):
            api.budget.close()
    return trial


def _try(file: PipelineFile, folder: Path, api: Api, trial: Trial) -> None:
    source = file.source
    if isinstance(source, PagesSource):
        _try_pages(revealed(source), api, trial)
        return
    if file.request is None:
        return
    key = next(iter(keys(source, folder)), None)
    if key is None:
        trial.faults.append("the source is empty")
        return
    answer = api.call(build_request(file.request, names(source))(key))
    trial.facts["answer"] = f"{answer.status} to key {key!r}: {answer.excerpt(80)!r}"


def _try_pages(source: PagesSource, api: Api, trial: Trial) -> None:
    request, since = build_listing(source), build_since(source)
    try:
        style = build_style(source)
        first = style.first if isinstance(style.first, int) else None
        page = next(pages(api, request, style, beginning=Beginning(first=first)))
    except PenstockError as error:
        trial.faults.append(str(error))
        if error.status is None:
            _say_looks(api.call(build_listing(source)), trial)
        return
    found = page.rows(source.items) or ()
    where = f" at {source.items!r}" if source.items else ""
    trial.facts["url"] = shown(page.response.url)
    trial.facts["rows"] = f"{len(found):,}{where}"
    _try_key(found, source, trial)
    if page.following is not None:
        link = isinstance(page.following, str) and "://" in page.following
        trial.facts["next"] = shown(str(page.following)) if link else repr(page.following)
    else:
        trial.facts["next"] = "no further page"
        trial.faults += [page.doubt] if page.doubt else []
    if trial.faults:
        _say_looks(page.response, trial)
    if since is not None and since.field and found and dig(load(found[0]), since.field) is None:
        trial.faults.append(f"since.field = {since.field!r} is not in the first row")


def _try_key(found: Sequence[bytes], source: PagesSource, trial: Trial) -> None:
    results = [row_result(row, source.key) for row in found]
    bad = next((result.error for result in results if result.error is not None), None)
    distinct = len({result.key for result in results})
    if bad is not None:
        trial.faults.append(f"key: {bad}")
    elif results:
        trial.facts["key"] = f"{source.key!r}, as in {results[0].key!r}"
    if distinct < len(results):
        trial.faults.append(
            f"key = {source.key!r}: {len(results):,} rows have {distinct:,} keys; name what tells "
            'them apart, such as key = ["a", "b"]'
        )


def _say_looks(answer: Response, trial: Trial) -> None:
    """Say how the file may describe the answer, as ``penstock init`` would begin it."""
    looks = looked_at(answer, answer.json(), answer.url)
    if looks is None:
        trial.facts["looks like"] = "an answer without a list of rows"
        return
    told = {"items": "", "style": "single"} | looks
    names = [name for name in told if name not in ("name", "path", "query")]
    trial.facts["looks like"] = ", ".join(f"{name} = {told[name]!r}" for name in names)
