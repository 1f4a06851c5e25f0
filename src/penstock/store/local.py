"""The local ledger: bodies in JSONL segments, what is done in SQLite, both safe together."""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TypeVar, final

from penstock.clock import Clock, SystemClock
from penstock.errors import InputError, StorageError, StoreInUse
from penstock.files import make_private
from penstock.pipeline import Entry, Key
from penstock.store import fence as fences
from penstock.store import ledger
from penstock.store.claims import Claims
from penstock.store.commit import GroupCommit, settled
from penstock.store.consistency import ASIDE, ConsistencyWatch, compare, fit
from penstock.store.deletion import overwrite, pending
from penstock.store.fence import Fence
from penstock.store.lock import LOCK, DirectoryLock, Mark, mark_of
from penstock.store.reader import LocalReader
from penstock.store.segments import SEGMENT, Tail, found_segments, sync_directory
from penstock.store.settlement import Settlement
from penstock.store.values import ABSENT
from penstock.store.writer import Writer

__all__ = ["LocalStore", "prepare"]

T = TypeVar("T")

_LOOK = 1.0  # seconds between looks for room on a full disk
_log = logging.getLogger(__name__)
_SEGMENT_BYTES = 256 * 1024 * 1024


@final
class LocalStore(Settlement, LocalReader):
    """A directory where records land exactly once, also after ``kill -9``.

    Opening makes the directory where there is none, takes its lock, and takes in or cuts off what
    a crash left behind. Whatever else has become of the files, it stops and leaves them alone.
    Closing, or leaving the ``with`` block, makes safe whatever was settled.

    Args:
        path: The directory.
        segment_bytes: Size from which on a segment is followed by a new one.
        fence: The fencing token of the run's lock. A store that is held with a smaller token, by
            a process that stands still, is taken over, and that process cannot write any more.
        clock: Time; tests give a :class:`~penstock.clock.FakeClock`.
        wait_for_room: Seconds that a group waits where the disk is full; then it is an error.

    Raises:
        InputError: ``path`` is something else, unreadable, or written by a newer penstock.
        StoreInUse: Another process, or another object of this one, has it open.
        StorageError: Ledger and segments do not agree, or the disk refuses.

    >>> import tempfile
    >>> from penstock.pipeline.result import Landing
    >>> with LocalStore(tempfile.mkdtemp()) as store:
    ...     for key in store.claim([7, "7", 7]):
    ...         store.settle([Landing(key, b'{"name":"Ada"}')], durable=lambda count: None)
    ...     store.flush()
    ...     store.get("7"), store.state(8), store.status().landed
    (b'{"name":"Ada"}', 'pending', 2)
    """

    _commit: GroupCommit

    def __init__(
        self,
        path: str | Path,
        *,
        segment_bytes: int = _SEGMENT_BYTES,
        fence: Fence | None = None,
        clock: Clock | None = None,
        wait_for_room: float = 0.0,
    ) -> None:
        clock = clock or SystemClock()
        self._clock, self._wait_for_room = clock, wait_for_room
        directory = Path(path).absolute()  # whoever changes the working directory is not followed
        with ExitStack() as undo, ledger.translated(directory):
            prepare(directory)
            with _usable(directory):
                lock = DirectoryLock(directory, None if fence is None else fence.token)
            undo.callback(lock.release)
            new = not ledger.begun(directory)
            self._writing = undo.enter_context(closing(ledger.connect(directory, new=new)))
            ledger.refuse_foreign(self._writing, directory)
            ledger.create(self._writing, clock.time())
            sync_directory(directory)
            last = _taken_over(directory, self._writing, fence, lock.mark)
            lock.begin(self._writing)
            self._tail = Tail(directory, *last, segment_bytes)
            undo.callback(self._tail.close)
            overwrite(directory, self._writing, pending(self._writing))
            reading = undo.enter_context(closing(ledger.read(directory)))
            LocalReader.__init__(self, Path(path), reading)
            # Of claims alone, which take turns: to open one a page costs more than all its rows.
            self._asking = undo.enter_context(closing(ledger.read(directory)))
            self._claims = Claims(clock, clock.time())
            self._fence = fence
            self._watch = ConsistencyWatch(directory, lock)
            self._commit = GroupCommit(
                directory, self._writing, self._tail, clock, fence, self._watch
            )
            self._writer = Writer(self._commit_and_release, clock)
            self._held = undo.pop_all()

    def claim(self, keys: Iterable[Key]) -> Iterator[Key]:
        """Yield the keys still to do, lazily and in order, each once.

        Keys that landed or failed before are passed over, and those in flight. Memory holds the
        keys in flight only. A quick source is read up to 256 keys ahead, a slow one is not.

        Raises:
            InputError: A key is neither a text nor a whole number of 64 bits.
        """

        def lookup(wanted: Sequence[Key]) -> dict[Key, tuple[str, float]]:
            with ledger.translated(self.path):
                found = settled(self._asking, wanted)
                self._claims.latest = self._commit.latest
                return found

        yield from self._claims.claim(keys, lookup)

    def expect(self, total: int | None) -> None:
        """Remember how many keys the source has, so that status can tell what is pending."""
        with self._changing() as connection:
            connection.execute("UPDATE fact SET value = ? WHERE name = 'expected'", (total,))

    def _keep_versions(self) -> None:
        for connection in (self._writing, self._reading):
            connection.execute("DROP TABLE IF EXISTS temp.version")
        with self._changing() as connection:
            ledger.add_versions(connection)

    def accept(self, keys: Iterable[Key]) -> int:
        """Take failed keys as they are: they have no record and need none; return how many."""
        query = "UPDATE failure SET error = ? WHERE key = ? AND current"
        with self._changing() as connection:
            done = connection.executemany(query, [(ABSENT, key) for key in keys])
            return max(0, done.rowcount)

    def retry_failed(self, keys: Iterable[Key] | None = None) -> int:
        """Put failed keys, all or the given ones, back to do; return how many.

        Their failures stay in the ledger as history, and the next failure of the same key counts
        how often it was put back.
        """
        with self._changing() as connection:
            if keys is None:
                query = "SELECT key FROM failure WHERE current AND error != ?"
                wanted = connection.execute(query, (ABSENT,)).fetchall()
            else:
                wanted = [(key,) for key in keys]
            connection.executemany(
                "UPDATE failure SET current = 0, replayed = replayed + 1 WHERE key = ? AND current",
                wanted,
            )
            query = "DELETE FROM item WHERE key = ? AND state = 'failed'"
            return connection.executemany(query, wanted).rowcount if wanted else 0

    def acknowledge(self, keys: Iterable[Key]) -> int:
        """Accept that failed keys failed, and return how many; they stay failed and kept.

        A key that is put back and fails again is to be acknowledged again.
        """
        wanted = [(key,) for key in keys]
        with self._changing() as connection:
            query = "UPDATE failure SET current = 2 WHERE key = ? AND current = 1"
            return connection.executemany(query, wanted).rowcount if wanted else 0

    def close(self) -> None:
        """Make safe what was settled, then let the next process in. Closing twice is allowed.

        Raises:
            StorageError: Something could not be made safe.
        """
        held, self._held = self._held, ExitStack()
        with held:
            self._writer.close()
            if self._tail.number:
                self._unchanged()
            self._tail.number = 0

    def _unchanged(self) -> None:
        """Look at all files once more, as the next opening will: what is safe must be there."""
        self._watch.check()
        with (
            ledger.translated(self.path),
            closing(ledger.read(self._directory, odd=True)) as connection,
        ):
            compare(self._directory, connection, mark_of(self._directory))

    def _commit_and_release(self, entries: Sequence[Entry]) -> None:
        until = self._clock.monotonic() + self._wait_for_room
        waited = False
        while True:
            try:
                with ledger.translated(self.path):
                    self._commit(entries)
                break
            except StorageError as error:
                if not _is_full(error.__cause__) or self._clock.monotonic() >= until:
                    raise
                if not waited:
                    _log.warning("%s; waiting for room for %g s", error, self._wait_for_room)
                waited = True
                if not self._writer.wait_for_room(_LOOK):
                    raise
        if waited:
            _log.warning("%s: there is room again; going on", self.path)
        self._release(entries)

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Give a transaction of its own, beside the writer's: all of it becomes safe or nothing."""
        directory = self._directory
        with ledger.translated(self.path), closing(ledger.connect(directory)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            fences.check(connection, self._fence)
            self._watch.check()
            yield connection
            connection.execute("COMMIT")


def _is_full(error: BaseException | None) -> bool:
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL


def prepare(directory: Path) -> None:
    """Make the directory of a store where there is none, so that its lock can be in it.

    Raises:
        InputError: It is a file, holds something else, or may not be written.
        StorageError: The disk refuses.
    """
    with _usable(directory):
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        make_private(directory)
        for path in reversed(missing):
            sync_directory(path.parent)
        names = {entry.name for entry in directory.iterdir()}
    ours = (ledger.LEDGER, SEGMENT, LOCK, ASIDE)
    foreign = {name for name in names if not name.startswith(ours)}
    if foreign and ledger.LEDGER not in names and not found_segments(directory):
        raise InputError(
            f"{directory} holds other files and no penstock store: name a new or empty directory"
        )


@contextmanager
def _usable(directory: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{directory} is a file: name a directory for the store") from error
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise InputError(f"{directory} cannot be used as a store: {error.strerror}") from error
        raise StorageError(f"{directory} cannot be used as a store: {error.strerror}") from error


def _taken_over(
    directory: Path, connection: sqlite3.Connection, fence: Fence | None, mark: Mark
) -> tuple[int, int]:
    """Take the store over and fit ledger and segments; return the last segment's number and size.

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
        last = fit(directory, connection, mark)
        connection.execute("DELETE FROM fact WHERE name = 'backup'")
        connection.execute("COMMIT")
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise ledger.lost(directory, f"{ledger.LEDGER}: {error}") from error
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return last
