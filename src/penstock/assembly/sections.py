"""What may stand in a pipeline file: one struct a section, one field a key.

The docs' reference table is drawn from these structs, so that it cannot drift.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from penstock.assembly.room_sections import StageSection, UseSection

__all__ = [
    "SECRETS",
    "ApiSection",
    "AuthSection",
    "BatchSection",
    "BreakerSection",
    "BudgetSection",
    "LimitSection",
    "PipelineFile",
    "RequestSection",
    "RetrySection",
    "SourceSection",
    "StatusSection",
    "StoreSection",
]

Positive = Annotated[float, Meta(gt=0)]
Seconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]
Scalar: TypeAlias = str | int | float | bool
Strings: TypeAlias = dict[str, str]
Query: TypeAlias = dict[str, Scalar | list[Scalar]]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class RangeSource(_Section, frozen=True, kw_only=True, tag_field="kind", tag="range"):
    """Whole numbers from ``start`` up to but not including ``stop``."""

    stop: int
    start: int = 0
    step: Annotated[int, Meta(ge=1)] = 1


class LinesSource(_Section, frozen=True, kw_only=True, tag_field="kind", tag="lines"):
    """One key a line of a text file; empty lines and lines beginning with # are passed over."""

    path: str


class CsvSource(_Section, frozen=True, kw_only=True, tag_field="kind", tag="csv"):
    """A column of a CSV file with a header line."""

    path: str
    column: str
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","


class JsonlSource(_Section, frozen=True, kw_only=True, tag_field="kind", tag="jsonl"):
    """A field, at a dotted path, of each line of a JSONL file."""

    path: str
    field: str


class JavaDataSource(_Section, frozen=True, kw_only=True, tag_field="kind", tag="javadata"):
    """A field of each record of a file that Java's DataOutputStream wrote."""

    path: str
    schema: str
    field: str
    gzip: bool | None = None


class StdinSource(_Section, frozen=True, kw_only=True, tag_field="kind", tag="stdin"):
    """One key a line of standard input, as lines come."""


class PagesSource(_Section, frozen=True, kw_only=True, tag_field="kind", tag="pages"):
    """Rows of a paged endpoint: they land themselves, or are the keys of [request].

    ``style`` and the parameters after it are those of :mod:`penstock.http.pages`.
    """

    path: str
    style: Literal["page", "offset", "cursor", "header-cursor", "link-header", "link-body"] = (
        "link-header"
    )
    query: Query = {}
    items: str = ""
    key: str = "id"
    param: str | None = None
    size_param: str | None = None
    size: Count | None = None
    first: str | int | None = None
    total: str | None = None
    pages: str | None = None
    next: str | None = None
    header: str | None = None
    concurrency: Count = 1


SourceSection: TypeAlias = (
    RangeSource | LinesSource | CsvSource | JsonlSource | JavaDataSource | StdinSource | PagesSource
)


class BasicAuth(_Section, frozen=True, kw_only=True, tag_field="kind", tag="basic"):
    """User name and password."""

    user: str
    password: str


class BearerAuth(_Section, frozen=True, kw_only=True, tag_field="kind", tag="bearer"):
    """A bearer token."""

    token: str


class ApiKeyAuth(_Section, frozen=True, kw_only=True, tag_field="kind", tag="api-key"):
    """A key in a header or in the query."""

    key: str
    header: str | None = None
    query: str | None = None


class OAuth1Auth(_Section, frozen=True, kw_only=True, tag_field="kind", tag="oauth1"):
    """OAuth 1.0a."""

    client_key: str
    client_secret: str
    token: str | None = None
    token_secret: str | None = None


class OAuth2Auth(_Section, frozen=True, kw_only=True, tag_field="kind", tag="oauth2"):
    """OAuth 2.0 client credentials, with refresh."""

    token_url: str
    client_id: str
    client_secret: str
    scope: str | None = None
    refresh_token: str | None = None
    extra: Strings = {}


AuthSection: TypeAlias = BasicAuth | BearerAuth | ApiKeyAuth | OAuth1Auth | OAuth2Auth

SECRETS: dict[type[AuthSection], tuple[str, ...]] = {
    BasicAuth: ("password",),
    BearerAuth: ("token",),
    ApiKeyAuth: ("key",),
    OAuth1Auth: ("client_secret", "token_secret"),
    OAuth2Auth: ("client_secret", "refresh_token"),
}
"""The keys of each kind that only point to a secret: ``env:NAME`` or ``file:PATH``."""


class ApiSection(_Section, frozen=True, kw_only=True):
    """The service: where it is, who we are, how long to wait. Times are seconds."""

    base: str
    auth: AuthSection | None = None
    headers: Strings = {}
    concurrency: Count = 10
    connect: Positive = 10.0
    first_byte: Positive = 60.0
    stall: Positive = 60.0
    total: Positive | None = None
    max_body: Count = 256 * 1024 * 1024
    proxy: str | None = None
    verify: bool = True
    ca_file: str | None = None
    http2: bool = True
    max_redirects: Annotated[int, Meta(ge=0)] = 10


class RequestSection(_Section, frozen=True, kw_only=True):
    """What to ask for each key; ``{key}`` stands for it, encoded as its place needs."""

    path: str
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    query: Query = {}
    headers: Strings = {}
    json: dict[str, object] | list[object] | str | None = None
    form: Query | None = None
    idempotent: bool | None = None
    cost: dict[str, Positive] | None = None
    decode: Literal["json", "bytes"] = "json"


class RetrySection(_Section, frozen=True, kw_only=True):
    """When to try again. ``failed`` is the dotted path of a member that means an error."""

    attempts: Count = 5
    total: Seconds | None = None
    base: Seconds = 0.5
    cap: Seconds = 60.0
    never: list[int] | None = None
    always: list[int] | None = None
    otherwise: bool = True
    fatal: list[int] | None = None
    failed: str | None = None


class LimitSection(_Section, frozen=True, kw_only=True):
    """A limit known beforehand: ``count`` units in any ``per`` seconds."""

    count: Positive
    per: Positive
    unit: str = "requests"


class StatusSection(_Section, frozen=True, kw_only=True):
    """A call that tells what is left of the quota; values are dotted paths in its answer."""

    path: str
    remaining: str = "remaining_hits"
    limit: str | None = "hourly_limit"
    reset: str | None = "reset_time_in_seconds"


class BudgetSection(_Section, frozen=True, kw_only=True):
    """What may be spent. Without ``limits`` it is learned from the server alone."""

    reserve: Annotated[float, Meta(ge=0)] = 0
    limits: list[LimitSection] = []
    status: StatusSection | None = None


class BatchSection(_Section, frozen=True, kw_only=True):
    """Batches sized by what the budget still allows, each finished before the next."""

    size: Count
    empty: Literal["wait", "stop"] = "wait"


class BreakerSection(_Section, frozen=True, kw_only=True):
    """When to stop calling a server that only fails. ``outage = 0`` waits for ever."""

    failures: Count = 20
    pause: Positive = 1.0
    cap: Positive = 60.0
    outage: Seconds = 3600.0


class StoreSection(_Section, frozen=True, kw_only=True):
    """Where records land: a directory, or an address of MongoDB.

    A directory is next to the pipeline file unless it is absolute. An address with a password is
    told by env:NAME or file:PATH. Instead of the section ``store = "..."`` may stand alone. A run
    waits for room on a full disk, at most ``wait_for_room`` seconds.
    """

    path: str
    wait_for_room: Seconds = 600.0


class LockSection(_Section, frozen=True, kw_only=True):
    """The lock that lets one run at a time work, by default beside the records.

    Name one place and one lock in several files, and their pipelines take turns.
    """

    store: str | None = None
    name: str = "run"
    lease: Positive = 30.0
    timeout: Seconds | None = None
    enabled: bool = True


class PipelineFile(_Section, frozen=True, kw_only=True):
    """A whole pipeline file."""

    source: SourceSection
    api: ApiSection
    store: StoreSection | str
    request: RequestSection | None = None
    retry: RetrySection = RetrySection()
    budget: BudgetSection = BudgetSection()
    batch: BatchSection | None = None
    breaker: BreakerSection = BreakerSection()
    stage: list[StageSection] = []
    use: list[UseSection] = []
    lock: LockSection = LockSection()
