"""What may stand in ``[[stage]]`` and ``[[use]]``: what a room does between fetch and the end."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

__all__ = ["EditionUse", "JavaDataUse", "LabelStage", "RiskUse", "StageSection", "UseSection"]

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class _Kind(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    pass


class LabelStage(_Kind, frozen=True, kw_only=True, tag="label"):
    """A trained network answers for each record, and its answer lands with the record.

    Needs the extra ``neural``. The model's features are found in the record under their names, a
    name with dots in nested objects too: as ``penstock export --flatten`` names its columns.
    """

    model: str
    field: str = "label"
    unfit: Literal["fail", "land"] = "fail"


class RiskUse(_Kind, frozen=True, kw_only=True, tag="risk"):
    """The risk of a portfolio, kept up to date while prices land: a JSON line after each record.

    Needs the extra ``portfolio``. Records are taken in the order they land, so that has to be the
    order of time: ``api.concurrency = 1``, or rows of pages. Where it stands is kept in a file
    beside ``path``.
    """

    weights: dict[str, float]
    path: str
    values: Literal["prices", "returns", "log"] = "prices"
    at: str = ""
    moment: str = ""
    limit: Positive | None = None
    decay: Positive | None = None
    window: Count | None = None
    scheme: Literal["constant", "hold"] = "constant"
    periods: Positive = 252.0
    ddof: Annotated[int, Meta(ge=0)] = 1
    cash: bool = False


class EditionUse(_Kind, frozen=True, kw_only=True, tag="edition"):
    """Articles that landed become today's edition at the end of the run: a dated EPUB.

    Needs the extra ``reading``. An edition holds what landed since the one of an earlier day;
    running again on the same day makes it anew. Which article comes next is kept in a file beside
    the editions.
    """

    body: str
    folder: str = "."
    name: str = "Articles"
    form: Literal["html", "page", "text"] = "html"
    title: str = "title"
    url: str = "url"
    author: str = "author"
    published: str = "published"
    width: str = "30"
    guide: Literal["bold", "colour", "underline", "none"] = "bold"
    device: Literal["kindle", "kobo", "koreader", "web"] | None = None


class JavaDataUse(_Kind, frozen=True, kw_only=True, tag="javadata"):
    """All that has landed as a file of Java's DataOutputStream, written at the end of the run."""

    schema: str
    path: str


StageSection: TypeAlias = LabelStage
UseSection: TypeAlias = RiskUse | EditionUse | JavaDataUse
