"""CSV and JSON Lines that grow: the file, and beside it how much of it is committed."""

from __future__ import annotations

import csv
import fcntl
import os
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, final

import msgspec

from penstock.destinations.ports import Batch, Destination
from penstock.destinations.target import path_of
from penstock.destinations.text_files import csv_head, write_csv_rows, write_jsonl
from penstock.errors import InputError, PenstockError, StorageError
from penstock.whole import whole_file

__all__ = ["open_csv", "open_jsonl"]

_encode = msgspec.json.Encoder().encode


@final
class _Position(msgspec.Struct, frozen=True):
    """What stands beside the file.

    Attributes:
        size: Bytes of the file that are committed.
        state: The table's state.
        whole: Name of the file that takes the place of the old one, if it has not yet.
    """

    size: int
    state: str
    whole: str = ""


class _Format(Protocol):
    """What the two formats do in their own way."""

    def outgrown(self, batch: Batch) -> bool:
        """Return whether the lines that are there have to change."""

    def kept(self, batch: Batch, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the lines that are there as they have to be now, without the rows that go."""

    def add(self, batch: Batch, file: BinaryIO) -> None:
        """Write the rows of a batch."""


@final
class _Csv:
    """A header, and cells that are empty for null. New columns are added to each line."""

    def outgrown(self, batch: Batch) -> bool:
        return any(spot >= batch.known for spot, _ in batch.typed)

    def kept(self, batch: Batch, lines: Iterable[bytes]) -> Iterator[bytes]:
        gone = {str(key) for key in batch.gone}
        more = b"," * sum(spot >= batch.known for spot, _ in batch.typed) + b"\r\n"
        records = _records(lines)
        next(records, None)  # the header that was
        yield csv_head([one.name for _, one in batch.typed])
        for record in records:
            if not gone or _first(record) not in gone:
                yield record.removesuffix(b"\r\n") + more

    def add(self, batch: Batch, file: BinaryIO) -> None:
        spots = [spot for spot, _ in batch.typed]
        texts = [one.kind in {"text", "date", "datetime", "timestamp"} for _, one in batch.typed]
        write_csv_rows(([row[spot] for spot in spots] for row in batch.rows), texts, file)


def _records(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join the lines of a record: within quotes a line may end."""
    record = b""
    for line in lines:
        record += line
        if record.count(b'"') % 2 == 0 and record.endswith(b"\r\n"):
            yield record
            record = b""
    if record:
        raise ValueError("the last record has no end")


def _first(record: bytes) -> str:
    return next(csv.reader([record.decode()]))[0]


@final
class _Jsonl:
    """An object a line, its fields as they came: JSON has no columns to outgrow."""

    def outgrown(self, batch: Batch) -> bool:
        return False

    def kept(self, batch: Batch, lines: Iterable[bytes]) -> Iterator[bytes]:
        gone = set(batch.gone)
        name = batch.fields[0].name
        for line in lines:
            key = msgspec.json.decode(line)[name] if gone else None
            text = _encode(key).decode() if batch.fields[0].kind == "digits" else key
            if text not in gone:
                yield line

    def add(self, batch: Batch, file: BinaryIO) -> None:
        paths = {field.path: ".".join(field.path) for field in batch.fields}
        often = Counter([*paths.values(), batch.fields[0].name])
        names = [
            field.name if not field.path or often[paths[field.path]] > 1 else paths[field.path]
            for field in batch.fields
        ]
        write_jsonl(batch.rows, [_encode(name) for name in names], file)


@final
class _Text:
    """A file of lines. The position beside it is replaced at once, and that commits a batch."""

    holds_versions = holds_children = holds_structs = False

    def __init__(self, path: Path, form: _Format) -> None:
        self._path = path
        self._form = form
        self._aside = path.with_name(f"{path.name}.position")

    def close(self) -> None:
        """Do nothing: the files are open only while a batch is written."""

    def state(self, table: str) -> bytes | None:
        with self._alone():
            return self._position()[1]

    def commit(self, batch: Batch) -> None:
        with self._alone():
            size, state = self._position()
            if state != batch.before:
                raise StorageError(
                    f"{self._path}: another process keeps it up to date; nothing was written: "
                    "call again"
                )
            again = state is None or bool(batch.gone) or self._form.outgrown(batch)
            name = f"{self._path.name}.{secrets.token_hex(4)}" if again else ""
            new = self._path.with_name(name) if again else self._path
            try:
                with new.open("wb" if again else "r+b") as file:
                    if again:
                        file.writelines(self._form.kept(batch, self._lines(size)))
                    else:
                        file.seek(size)
                        file.truncate()
                    self._form.add(batch, file)
                    file.flush()
                    os.fsync(file.fileno())
                    size = file.tell()
            except BaseException:
                if again:
                    new.unlink(missing_ok=True)
                raise
            with whole_file(self._aside) as aside:
                aside.write(_encode(_Position(size, batch.after.decode(), name)))
            self._position()

    def _position(self) -> tuple[int, bytes | None]:
        """Return how much of the file is committed, and with what state; put a new one in place."""
        if not self._aside.exists():
            if self._path.exists():
                raise InputError(
                    f"{self._path} exists and is not kept up to date by penstock: name another file"
                )
            return 0, None
        found = msgspec.json.decode(self._aside.read_bytes(), type=_Position)
        if found.whole and (whole := self._path.with_name(found.whole)).exists():
            whole.replace(self._path)
        if not self._path.exists():
            return 0, None
        if self._path.stat().st_size < found.size:
            raise StorageError(
                f"{self._path} was changed: it is shorter than what was written; remove it to "
                "have it written again"
            )
        return found.size, found.state.encode()

    def _lines(self, size: int) -> Iterator[bytes]:
        """Yield the lines of the first ``size`` bytes."""
        if size:
            with self._path.open("rb") as file:
                while file.tell() < size:
                    yield file.readline()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others out; what the disk refuses is said in our words."""
        try:
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
                yield
            finally:
                os.close(folder)
        except OSError as error:
            raise StorageError(f"{self._path}: {error.strerror}") from error
        except PenstockError:
            raise
        except (ValueError, KeyError, csv.Error) as error:
            words = f"{self._path} was changed: it, or {self._aside.name}, cannot be read"
            raise StorageError(f"{words}: remove both to have it written again") from error


def open_csv(address: str) -> Destination:
    """Open ``csv://FILE``; its position is kept in ``FILE.position``."""
    return _Text(path_of(address), _Csv())


def open_jsonl(address: str) -> Destination:
    """Open ``jsonl://FILE``; its position is kept in ``FILE.position``."""
    return _Text(path_of(address), _Jsonl())
