"""What may stand in a pipeline file: one struct a section, one field a key.

The docs' reference table is drawn from these structs, so that it cannot drift.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from penstock.assembly.kinds import (
    AUTHS,
    EXECUTORS,
    GATES,
    LAUNCHERS,
    SOURCES,
    STAGES,
    STYLES,
    USES,
    Section,
)
from penstock.assembly.values import SECRET
from penstock.resilience import DIALECT_KINDS
from penstock.store import OnSame

Positive = Annotated[float, Meta(gt=0)]
Seconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1, le=2**53)]
Scalar: TypeAlias = str | int | float | bool
Strings: TypeAlias = dict[str, str]
KeyPaths: TypeAlias = str | Annotated[list[str], Meta(min_length=1)]
Decode: TypeAlias = Literal["json", "text", "csv", "jsonl", "xml", "file", "bytes"]
_SCHEDULER = r"^(none|local:[1-9][0-9]*|[a-z][a-z0-9+.\-]*://.*)$"
Query: TypeAlias = dict[str, Scalar | list[Scalar]]


class RangeSource(Section, frozen=True, kw_only=True, tag_field="kind", tag="range"):
    """Whole numbers from ``start`` up to but not including ``stop``.

    Attributes:
        stop: The first number that is not a key any more.
        start: The first key.
        step: From one key to the next.
    """

    stop: int
    start: int = 0
    step: Annotated[int, Meta(ge=1)] = 1


class LinesSource(Section, frozen=True, kw_only=True, tag_field="kind", tag="lines"):
    """One key a line of a text file; empty lines and lines beginning with # are passed over.

    Attributes:
        path: The file, next to the pipeline file unless it is absolute.
    """

    path: str


class DatesSource(Section, frozen=True, kw_only=True, tag_field="kind", tag="dates"):
    """Dates as keys, ``2026-01-31``, or months, ``2026-01``.

    Attributes:
        start: The first day.
        stop: The last day; unset: today (UTC).
        step: From one key to the next: a ``day`` or a ``month``.
    """

    start: date
    stop: date | None = None
    step: Literal["day", "month"] = "day"


class GridSource(Section, frozen=True, kw_only=True, tag_field="kind", tag="grid"):
    """Each combination of values. A key is the list of its values; ``{name}`` is one of them.

    Attributes:
        lists: The values, by name.
    """

    lists: dict[str, list[str | int]]


class StoreSource(Section, frozen=True, kw_only=True, tag_field="kind", tag="store"):
    """The records of another store: their keys, or a field of each.

    Attributes:
        path: The store, as in [store].
        field: Dotted path of the key in a record; several are a compound key; unset: its own key.
    """

    path: str
    field: KeyPaths | None = None


class CsvSource(Section, frozen=True, kw_only=True, tag_field="kind", tag="csv"):
    """A column of a CSV file with a header line.

    Attributes:
        path: The file, likewise, or its URL; gzip is recognised.
        column: Name of the column, as in the header line; of several, ``{name}`` is one of them.
        delimiter: What separates the columns.
    """

    path: str
    column: KeyPaths
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","


class JsonlSource(Section, frozen=True, kw_only=True, tag_field="kind", tag="jsonl"):
    """A field, at a dotted path, of each line of a JSONL file.

    Attributes:
        path: The file, likewise, or its URL; gzip is recognised.
        field: Dotted path of the key, such as ``user.id``; of several, ``{name}`` is one of them.
    """

    path: str
    field: KeyPaths


class JavaDataSource(Section, frozen=True, kw_only=True, tag_field="kind", tag="javadata"):
    """A field of each record of a file that Java's DataOutputStream wrote.

    Attributes:
        path: The file, likewise.
        schema: Its layout in the notation of [javadata](javadata.md#schemas), or the name of a
            file of it.
        field: The field that is the key; dotted where records are nested.
        gzip: ``true`` unpacks it first; unset: what looks like gzip is refused, and so is Java
            serialization.
    """

    path: str
    schema: str
    field: str
    gzip: bool | None = None


class StdinSource(Section, frozen=True, kw_only=True, tag_field="kind", tag="stdin"):
    """One key a line of standard input, as lines come."""


class SinceSection(Section, frozen=True, kw_only=True):
    """Ask for what is new only: the greatest value that has landed is sent with the next run.

    Attributes:
        param: The parameter that takes it.
        field: Path of the value within a row: a time in ISO form, or a number.
        cursor: Path of a cursor in a page instead of ``field``: the last one counts, as it is.
        start: What the first run asks for; unset: it asks without the parameter.
        overlap: How far to go back, as in ``1m``; a number, where values are numbers.
    """

    param: str
    field: str | None = None
    cursor: str | None = None
    start: str | int | float | None = None
    overlap: str | int | float = 0


class PagesSource(Section, frozen=True, kw_only=True, tag_field="kind", tag="pages"):
    """Rows of a paged endpoint: they land themselves, or are the keys of [request].

    ``style`` and the parameters after it are those of :mod:`penstock.http.pagination`.

    Attributes:
        path: Path of the endpoint below ``api.base``, or a whole URL.
        style: How one page names the next: see [http](http.md#pages).
        query: Parameters of the first page, and of each that is made of them.
        items: Dotted path of the rows in a page; empty: the page is the list.
        key: Path, within a row, of what tells rows apart; a list of paths is a compound key.
        param: ``page``, ``offset``, ``cursor``, ``header-cursor``: the parameter that says
            which page.
        size_param: ``page``, ``offset``: the parameter for the rows of a page.
        size: ``page``, ``offset``: rows of a page.
        first: ``page``, ``offset``, ``cursor``, ``header-cursor``: where to begin; unset,
            ``page`` begins with 1, or with 0 where the server has rows there.
        total: ``page``, ``offset``: dotted path of the number of rows; allows pages in
            parallel.
        pages: ``page``: dotted path of the number of pages; likewise.
        next: ``cursor``, ``link-body``: dotted path of the next cursor or URL.
        header: ``header-cursor``: the header that names the next page.
        concurrency: Pages at once, where their number is known.
        method: ``POST`` sends ``json``; the parameters of pages go into that body.
        json: The body of every page's request.
        missing: ``empty``: a page without the list has no rows.
        more: Path of a member that is true while there are more pages.
        until: Path of a member that is true on the last page.
        end: Statuses that mean that the page before was the last; unset: 404 where pages have
            numbers.
        max_pages: The most pages to read.
        on_expired: ``restart``: begin once with the first page again when a cursor is refused.
        sure: Take the end for the end, whatever else the page speaks of.
        decode: What a page is: ``json``, ``csv`` or ``jsonl`` whose lines are the rows, or ``xml``.
        since: Ask for what is new only: see [source.since] below.
    """

    path: str
    style: StyleSection | str = "link-header"
    method: Literal["GET", "POST"] = "GET"
    json: dict[str, object] | None = None
    missing: Literal["fail", "empty"] | None = None
    more: str | None = None
    until: str | None = None
    end: frozenset[int] | None = None
    max_pages: Count | None = None
    on_expired: Literal["fail", "restart"] | None = None
    sure: bool | None = None
    query: Query = {}
    items: str = ""
    key: KeyPaths = "id"
    decode: Decode = "json"
    since: SinceSection | None = None
    param: str | None = None
    size_param: str | None = None
    size: Count | None = None
    first: str | int | None = None
    total: str | None = None
    pages: str | None = None
    next: str | None = None
    header: str | None = None
    concurrency: Count = 1


class ResourceSection(PagesSource, frozen=True, kw_only=True, tag_field="kind", tag="resource"):
    """One of several resources of a file, each in a store of its own below ``store``.

    Of a child, ``{parent.id}`` in ``path``, ``query`` and ``json`` is a field of a record of its
    parent: its pages are read for each of them.

    Attributes:
        name: Its name, and that of its store: letters, digits, ``-`` and ``_``.
        parent: The resource whose records it is read for; it stands before this one.
        include: Paths of the parent's fields that its records get, in ``_parent``.
    """

    name: str
    parent: str | None = None
    include: list[str] = []


class ResourcesSource(Section, frozen=True, kw_only=True, tag_field="kind", tag="resources"):
    """The [[resource]] tables of the file; said by their being there."""


# Tables of an open slot: which kinds there are is known when a file is read.
SourceSection: TypeAlias = Annotated[Section, SOURCES]
StyleSection: TypeAlias = Annotated[Section, STYLES]
AuthSection: TypeAlias = Annotated[Section, AUTHS]
StageSection: TypeAlias = Annotated[Section, STAGES]
UseSection: TypeAlias = Annotated[Section, USES]
GateSection: TypeAlias = Annotated[Section, GATES]
ExecutorSection: TypeAlias = Annotated[Section, EXECUTORS]
SchedulerSection: TypeAlias = Annotated[Section, LAUNCHERS]


class ApiSection(Section, frozen=True, kw_only=True):
    """The service: where it is, who we are, how long to wait. Times are seconds.

    Attributes:
        base: URL that all paths are below.
        auth: Who we are: see [api.auth] below.
        headers: Headers of every request.
        concurrency: Calls at once.
        connect: Seconds until a connection stands, TLS included.
        first_byte: Seconds from the start to the first byte of the answer.
        stall: Seconds of silence in an answer that has begun.
        total: Seconds for a whole call.
        least_rate: Bytes a second that an answer brings at least, on average.
        max_body: Bytes a decoded body may have.
        max_bodies: Bytes that all bodies under way may have together.
        max_ratio: How many times larger a large body may become by decompression.
        proxy: URL of a proxy; ``""`` for none; unset: the usual environment variables.
        verify: Whether to check the server's certificate; leave it on.
        ca_file: Trusted certificates in PEM form; unset: the system's.
        cert: Our own certificate in PEM form, for servers that ask for one.
        key: Its private key, where it is in another file.
        http2: Whether to offer HTTP/2 over TLS.
        max_redirects: Redirects followed for one call.
        hosts: Where else calls may go: ``cdn.example.com``, ``*.example.com``,
            ``http://old.example.com``; ``[]``: to the service alone; unset: anywhere public.
        private: Whether the server may lead to addresses that are not public; unset: where its
            own is not, either.
        cookies: Whether to keep cookies, and send them back to the service, and to ``hosts``.
    """

    base: str
    auth: AuthSection | None = None
    headers: Strings = {}
    concurrency: Count = 10
    connect: Positive = 10.0
    first_byte: Positive = 60.0
    stall: Positive = 60.0
    total: Positive | None = None
    least_rate: Positive | None = 10.0
    max_body: Count = 256 * 1024 * 1024
    max_bodies: Count = 1024 * 1024 * 1024
    max_ratio: Annotated[float, Meta(ge=1)] = 200.0
    proxy: str | None = None
    verify: bool = True
    ca_file: str | None = None
    cert: str | None = None
    key: str | None = None
    http2: bool = True
    max_redirects: Annotated[int, Meta(ge=0)] = 10
    hosts: list[str] | None = None
    private: bool | None = None
    cookies: bool = False


class RequestSection(Section, frozen=True, kw_only=True):
    """What to ask for each key; ``{key}`` stands for it, encoded as its place needs.

    Attributes:
        path: Path below ``api.base``; ``{key}`` is percent-encoded in it.
        method: The method; POST and PATCH are not repeated when their outcome is unknown.
        query: Parameters; a list repeats its parameter.
        headers: Headers of these requests only.
        json: A JSON body; a text that is all ``"{key}"`` becomes the key itself.
        form: Fields of a form body.
        idempotent: Whether repeating is harmless; unset: by the method.
        cost: Units a call spends besides one request, by the name of the limit: ``{ tokens = 20
            }``.
        decode: What answers are: ``json``, ``text`` (lands as a text), ``csv`` and ``jsonl`` (land
            as a list of rows), ``xml`` (lands as an object: attributes as ``@name``, text beside
            others as ``#text``), ``file`` (whatever bytes: lands with ``type``, ``bytes``,
            ``sha256`` and ``base64``), or ``bytes`` (cannot land).
        items: Dotted path of rows in an answer, ``""`` where it is the list: they land themselves,
            with ``_parent.key``, and a ``Link`` to a next page is followed.
        key: Path of what tells those rows apart, as in pages; ``_parent.key`` may be part of it.
    """

    path: str
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    query: Query = {}
    headers: Strings = {}
    json: dict[str, object] | list[object] | str | None = None
    form: Query | None = None
    idempotent: bool | None = None
    cost: dict[str, Positive] | None = None
    decode: Decode = "json"
    items: str | None = None
    key: KeyPaths = "id"


class RetrySection(Section, frozen=True, kw_only=True):
    """When to try again. ``failed`` is the dotted path of a member that means an error.

    Attributes:
        attempts: Calls for one key; waiting for quota is not counted.
        total: Seconds for one key, all its waits included.
        base: Upper bound of the first wait in seconds; it doubles with each failure.
        cap: Upper bound of a wait we choose; what the server asks for is never cut.
        never: Statuses after which a key has failed; unset: see
            [resilience](resilience.md#retrying).
        always: Statuses after which it is tried again; unset: likewise.
        otherwise: Whether all other statuses of 400 and above are tried again.
        fatal: Statuses that end the run at once; unset: 401.
        failed: Dotted path of a member that makes a 2xx answer an error.
        failed_text: Regular expression that makes a 2xx answer an error where its text matches.
        success: Dotted path of a member that is true in a good answer, such as ``ok``; or with the
            value it has there, such as ``status=OK``. A 2xx answer without it is an error.
        absent: Statuses that mean that there is nothing for a key: settled, and not failed.
    """

    attempts: Count = 5
    total: Seconds | None = None
    base: Seconds = 0.5
    cap: Seconds = 60.0
    never: list[int] | None = None
    always: list[int] | None = None
    otherwise: bool = True
    fatal: list[int] | None = None
    failed: str | None = None
    failed_text: str | None = None
    success: str | None = None
    absent: list[int] = []


class LimitSection(Section, frozen=True, kw_only=True):
    """A limit known beforehand: ``count`` units in any ``per`` seconds.

    Attributes:
        count: Units allowed.
        per: In so many seconds, whichever they are.
        unit: What is counted; others than requests are spent by ``request.cost``.
    """

    count: Positive
    per: Positive
    unit: str = "requests"


class StatusSection(Section, frozen=True, kw_only=True):
    """A call that tells what is left of the quota; values are dotted paths in its answer.

    Attributes:
        path: What to get; taken to be free of charge.
        remaining: Dotted path of the calls left.
        limit: Dotted path of the limit.
        reset: Dotted path of when it is renewed, in any usual form.
    """

    path: str
    remaining: str = "remaining_hits"
    limit: str | None = "hourly_limit"
    reset: str | None = "reset_time_in_seconds"


class BudgetSection(Section, frozen=True, kw_only=True):
    """What may be spent. Without ``limits`` it is learned from the server alone.

    Attributes:
        name: Name of the budget: all files and processes that name it spend one limit; needs
            ``shared``.
        shared: Where it is kept: a directory of this machine, or an address of MongoDB.
        reserve: Requests of every limit that are never spent.
        limits: Limits known beforehand, any number of them.
        dialects: How the server states what is left, where it does so in headers that are not
            known: names of a package's dialects, or ``my_module:DIALECT`` beside the file.
        gate: What gives leave instead: see [budget.gate] below.
        status: Where to ask what is left.
    """

    name: str | None = None
    shared: str | None = None
    reserve: Annotated[float, Meta(ge=0)] = 0
    limits: list[LimitSection] = []
    dialects: list[Annotated[str, DIALECT_KINDS]] = []
    gate: GateSection | None = None
    status: StatusSection | None = None


class BatchSection(Section, frozen=True, kw_only=True):
    """Batches sized by what the budget still allows, each finished before the next.

    Attributes:
        size: Keys of a batch, at most.
        empty: When nothing is left to spend: ``wait`` for the renewal, or ``stop`` (exit code
            3, resumable).
    """

    size: Count
    empty: Literal["wait", "stop"] = "wait"


class BreakerSection(Section, frozen=True, kw_only=True):
    """When to stop calling a server that only fails. ``outage = 0`` waits indefinitely.

    Attributes:
        failures: Failures in a row that stop calls.
        pause: Seconds until one call tries again; doubled while it fails.
        cap: Longest pause in seconds.
        outage: Seconds of nothing but failures after which the run ends (exit code 4); 0:
            never.
    """

    failures: Count = 20
    pause: Positive = 1.0
    cap: Positive = 60.0
    outage: Seconds = 3600.0


class StoreSection(Section, frozen=True, kw_only=True):
    """Where records land: a directory, or an address of MongoDB.

    A directory is next to the pipeline file unless it is absolute. An address with a password is
    given by env:NAME or file:PATH. Instead of the section ``store = "..."`` may stand alone.

    Attributes:
        path: The directory, or ``mongodb://host,host/DATABASE.COLLECTION``, or ``env:NAME`` or
            ``file:PATH`` that holds it.
        wait_for_room: Seconds that a run waits for room on a full disk; then it ends (exit code 4).
        on_same: What becomes of a record whose key has landed before: ``first`` drops it, with
            ``replace`` the latest counts, with ``history`` every version can be read.
        refresh: Keys are fetched again after such a time: ``90s``, ``12h``, ``1d``.
    """

    path: str
    wait_for_room: Seconds = 600.0
    on_same: OnSame = "first"
    refresh: str | None = None


class LockSection(Section, frozen=True, kw_only=True):
    """The lock that lets one run at a time work, by default beside the records.

    Name one place and one lock in several files, and their pipelines take turns.

    Attributes:
        store: Where the lock is: a directory, or an address of MongoDB; unset: beside the
            records.
        name: The lock's name.
        lease: Seconds without a sign of life after which another run may take over.
        timeout: Seconds to wait for another run to end; unset: none on one machine, where a
            dead run is known at once, and a lease in MongoDB.
        enabled: ``false``: no lock is taken.
    """

    store: str | None = None
    name: str = "run"
    lease: Positive = 30.0
    timeout: Seconds | None = None
    enabled: bool = True


class ClusterSection(Section, frozen=True, kw_only=True):
    """Many workers on one run: see [cluster](cluster.md).

    Attributes:
        scheduler: What starts workers: ``tcp://host:8786`` is Dask; ``local:4`` is four processes
            of this machine, which call, while one lands; ``none``: each ``penstock work`` is a
            worker, and ``penstock run`` too; a table with ``kind`` is another scheduler; unset: one
            process does all.
        workers: How many there are at most; unset: as many as the scheduler has.
        block: Keys that a worker takes at a time.
        lease: Seconds without a sign of life after which another takes a worker's block over.
    """

    scheduler: Annotated[str, Meta(pattern=_SCHEDULER)] | SchedulerSection | None = None
    workers: Count | None = None
    block: Count = 500
    lease: Positive = 10.0


class DestinationSection(Section, frozen=True, kw_only=True):
    """A table elsewhere that is kept up to date with what lands, during the run and at its end.

    Attributes:
        to: Its address, such as ``postgresql://host/db``, or ``env:NAME`` or ``file:PATH`` that
            holds it; a relative path starts at the pipeline file.
        table: Name of the table.
        flatten: Show nested objects as columns ``a.b.c`` instead of as JSON.
        schema: Kinds of columns by their name, such as ``{ created = "epoch" }``.
        nested: ``"tables"`` shows lists as rows of tables beside it, ``users__tags`` with the key
            and the position, and nested objects as columns ``a.b.c``; ``"structs"`` objects and
            lists as structs and lists, ``"json"`` as JSON. Unset: structs where there are some.
        versions: Keep a row for each version of a record, with the columns ``valid_from`` and
            ``valid_to``; else the newest. Set where ``store.on_same`` is ``history`` and the
            place is a database.
    """

    to: str
    table: str = "record"
    flatten: bool = False
    nested: Literal["structs", "tables", "json"] | None = None
    versions: bool | None = None
    schema: Strings = {}


class NotifySection(Section, frozen=True, kw_only=True):
    """A hook that hears how a run goes: a POST of JSON for each kind of news, once a run.

    A hook that fails is said on standard error and changes nothing else.

    Attributes:
        url: Its address, given by env:NAME or file:PATH: whoever knows it can post.
        on: What it hears: ``failed`` (the first key that fails), ``stopped``, ``gave-up``,
            ``done`` (the source was drawn to its end).
    """

    url: Annotated[str, SECRET]
    on: tuple[Literal["failed", "stopped", "gave-up", "done"], ...] = (
        "failed",
        "stopped",
        "gave-up",
    )


class PipelineFile(Section, frozen=True, kw_only=True):
    """A whole pipeline file."""

    source: SourceSection
    resource: list[ResourceSection] = []
    api: ApiSection
    store: StoreSection | str
    request: RequestSection | None = None
    retry: RetrySection = RetrySection()
    budget: BudgetSection = BudgetSection()
    batch: BatchSection | None = None
    breaker: BreakerSection = BreakerSection()
    stage: list[StageSection] = []
    use: list[UseSection] = []
    destination: list[DestinationSection] = []
    lock: LockSection = LockSection()
    executor: ExecutorSection | None = None
    cluster: ClusterSection = ClusterSection()
    notify: NotifySection | None = None
