"""The local ledger: bodies in JSONL segments, what is done in SQLite, both safe together."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeVar, final

from penstock.clock import Clock, SystemClock
from penstock.errors import InputError, StorageError, StoreInUse
from penstock.pipeline.result import Entry, Failing, Key, Landing
from penstock.store import fence as fences
from penstock.store import ledger
from penstock.store.claims import Claims
from penstock.store.commit import GroupCommit, settled
from penstock.store.erasing import overwrite, pending
from penstock.store.fence import Fence
from penstock.store.lock import LOCK, DirectoryLock
from penstock.store.reading import LocalReader
from penstock.store.segments import SEGMENT, Tail, cut_back, sync_directory
from penstock.store.writer import Writer

__all__ = ["LocalStore", "prepare"]

T = TypeVar("T")

_SEGMENT_BYTES = 256 * 1024 * 1024


@final
class LocalStore(LocalReader):
    """A directory where records land exactly once, also after ``kill -9``.

    Opening makes the directory where there is none, takes its lock and cuts torn tails off.
    Closing, or leaving the ``with`` block, makes safe whatever was settled.

    Args:
        path: The directory.
        segment_bytes: Size from which on a segment is followed by a new one.
        fence: The fencing token of the run's lock. A store that is held with a smaller token, by
            a process that stands still, is taken over, and that process cannot write any more.
        clock: Time; tests give a :class:`~penstock.clock.FakeClock`.

    Raises:
        InputError: ``path`` is something else, unreadable, or written by a newer penstock.
        StoreInUse: Another process, or another object of this one, has it open.
        StorageError: Data is missing in a segment, or the disk refuses.

    >>> import tempfile
    >>> from penstock.pipeline.result import Landing
    >>> with LocalStore(tempfile.mkdtemp()) as store:
    ...     for key in store.claim([7, "7", 7]):
    ...         store.settle([Landing(key, b'{"name":"Ada"}')], durable=lambda count: None)
    ...     store.flush()
    ...     store.get("7"), store.state(8), store.status().landed
    (b'{"name":"Ada"}', 'pending', 2)
    """

    def __init__(
        self,
        path: str | Path,
        *,
        segment_bytes: int = _SEGMENT_BYTES,
        fence: Fence | None = None,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        directory = Path(path)
        with ExitStack() as undo, ledger.translated(directory):
            undo.callback(_taken(directory, fence).release)
            _refuse_segments_without_ledger(directory)
            self._writing = undo.enter_context(closing(ledger.connect(directory)))
            ledger.create(self._writing, clock.time())
            sync_directory(directory)
            number, size = _cut_back(directory, self._writing, fence)
            self._tail = Tail(directory, number, size, segment_bytes)
            undo.callback(self._tail.close)
            overwrite(directory, pending(self._writing))
            super().__init__(directory, undo.enter_context(closing(ledger.read(directory))))
            self._claims = Claims(clock, clock.time())
            self._fence = fence
            self._commit = GroupCommit(directory, self._writing, self._tail, clock, fence)
            self._writer = Writer(self._commit_and_release, clock)
            self._held = undo.pop_all()

    def claim(self, keys: Iterable[Key]) -> Iterator[Key]:
        """Yield the keys still to do, lazily and in order, each once.

        Keys that landed or failed before are passed over, and those in flight. Memory holds the
        keys in flight only. A quick source is read up to 256 keys ahead, a slow one is not.

        Raises:
            InputError: A key is neither a text nor a whole number of 64 bits.
        """
        with closing(ledger.read(self.path)) as connection:

            def lookup(wanted: Sequence[Key]) -> dict[Key, tuple[str, float]]:
                with ledger.translated(self.path):
                    return settled(connection, wanted)

            yield from self._claims.claim(keys, lookup)

    def settle(
        self, entries: Sequence[Entry], durable: Callable[[int], object], *, group: int = 100
    ) -> None:
        """Take ``entries`` over and return; call ``durable(n)`` when n more are safe.

        ``durable`` is called in the store's own thread, in the order of the entries, and must be
        quick. Groups become safe when ``group`` entries wait or 8 ms after the first came. An
        entry whose key has landed before is dropped and counted in :attr:`again`. Where the disk
        is more than 32 groups behind, the call waits for it.

        A record must be one JSON text; it is written as it is. The entries of one call become
        safe together: all of them, or, where the process dies before, none.

        Raises:
            StorageError: An earlier entry could not be made safe; nothing after it was.
        """
        self._writer.settle(entries, durable, group)

    def flush(self) -> None:
        """Return when everything settled so far is safe.

        Raises:
            StorageError: It could not be made safe.
        """
        self._writer.flush()

    def expect(self, total: int | None) -> None:
        """Remember how many keys the source has, so that status can tell what is pending."""
        with self._changing() as connection:
            connection.execute("UPDATE fact SET value = ? WHERE name = 'expected'", (total,))

    def retry_failed(self, keys: Iterable[Key] | None = None) -> int:
        """Put failed keys, all or the given ones, back to do; return how many.

        Their failures stay in the ledger as history, and the next failure of the same key counts
        how often it was put back.
        """
        with self._changing() as connection:
            if keys is None:
                connection.execute(
                    "UPDATE failure SET current = 0, replayed = replayed + 1 WHERE current"
                )
                return connection.execute("DELETE FROM item WHERE state = 'failed'").rowcount
            wanted = [(key,) for key in keys]
            connection.executemany(
                "UPDATE failure SET current = 0, replayed = replayed + 1 WHERE key = ? AND current",
                wanted,
            )
            query = "DELETE FROM item WHERE key = ? AND state = 'failed'"
            return connection.executemany(query, wanted).rowcount if wanted else 0

    @property
    def skipped(self) -> int:
        """Keys that :meth:`claim` passed over since an earlier run settled them."""
        return self._claims.skipped

    @property
    def repeated(self) -> int:
        """Keys that :meth:`claim` passed over since they came before in this run."""
        return self._claims.repeated

    @property
    def new(self) -> int:
        """Records that became safe through this object."""
        return self._commit.new

    @property
    def again(self) -> int:
        """Entries that :meth:`settle` dropped since their key had landed before."""
        return self._commit.again

    def close(self) -> None:
        """Make safe what was settled, then let the next process in. Closing twice is allowed.

        Raises:
            StorageError: Something could not be made safe.
        """
        held, self._held = self._held, ExitStack()
        with held:
            self._writer.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except (StorageError, StoreInUse):
            # Told already where this is what ends the block; it must not hide another error.
            if error is None:
                raise

    def _in_flight(self) -> int:
        return len(self._claims)

    def _commit_and_release(self, entries: Sequence[Entry]) -> None:
        with ledger.translated(self.path):
            self._commit(entries)
        if len(self._claims):
            self._claims.release(
                entry.key for entry in entries if isinstance(entry, Landing | Failing)
            )

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Give a transaction of its own, beside the writer's: all of it becomes safe or nothing."""
        with ledger.translated(self.path), closing(ledger.connect(self.path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            fences.check(connection, self._fence)
            yield connection
            connection.execute("COMMIT")


def _prepare(directory: Path) -> None:
    """Make the directory, or refuse one that is something else.

    Raises:
        InputError: It is a file, holds something else, or may not be written.
    """
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_directory(path.parent)
    names = {entry.name for entry in directory.iterdir()}
    foreign = {name for name in names if not name.startswith((ledger.LEDGER, SEGMENT, LOCK))}
    if foreign and ledger.LEDGER not in names:
        raise InputError(
            f"{directory} holds other files and no penstock store: name a new or empty directory"
        )


def prepare(directory: Path) -> None:
    """Make the directory of a store where there is none, so that its lock can be in it.

    Raises:
        InputError: It is a file, holds something else, or may not be written.
    """
    _usable(directory, lambda: _prepare(directory))


def _taken(directory: Path, fence: Fence | None) -> DirectoryLock:
    """Make the directory where there is none and lock it."""
    prepare(directory)
    return _usable(
        directory, lambda: DirectoryLock(directory, None if fence is None else fence.token)
    )


def _usable(directory: Path, act: Callable[[], T]) -> T:
    try:
        return act()
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{directory} is a file: name a directory for the store") from error
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise InputError(f"{directory} cannot be used as a store: {error.strerror}") from error
        raise


def _cut_back(
    directory: Path, connection: sqlite3.Connection, fence: Fence | None
) -> tuple[int, int]:
    """Take the store over and cut torn tails off; return the last segment's number and size.

    In one transaction: whoever had it before writes in transactions too, and none comes between.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if fence is None or error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        raise StoreInUse(
            f"{directory} is held by a process that stands still in the midst of a write: end it "
            "(kill -9) or let it go on, then call again"
        ) from error
    try:
        if fence is not None:
            fences.take_over(connection, fence)
        segments = connection.execute("SELECT number, size FROM segment ORDER BY number").fetchall()
        cut_back(directory, segments)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return segments[-1] if segments else (0, 0)


def _refuse_segments_without_ledger(directory: Path) -> None:
    if not (directory / ledger.LEDGER).exists() and any(directory.glob(f"{SEGMENT}*")):
        raise InputError(
            f"{directory} has segments but no {ledger.LEDGER}: put it back from a copy, or name a "
            "new directory"
        )
