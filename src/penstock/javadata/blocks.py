"""Records out of bytes as they come: block by block, piece by piece, in linear time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar, cast, final

from penstock.javadata.data_input import DataInput
from penstock.javadata.decoding import TO_END, CodingFault, Short
from penstock.javadata.detection import HEAD, hint
from penstock.javadata.errors import EndOfData, SchemaMismatch
from penstock.javadata.files import Closing, open_source, position_of, read_some

if TYPE_CHECKING:
    from penstock.javadata.core import Codec
    from penstock.javadata.decoding import Steps
    from penstock.javadata.files import AsyncReadable, Source

__all__ = [
    "BLOCK",
    "LARGEST_RECORD",
    "AsyncRecords",
    "Feeder",
    "RecordDecoder",
    "Records",
    "read_record",
]

R = TypeVar("R", bound=tuple[object, ...])
T = TypeVar("T")
Row = tuple[object, ...]
# From a block and a position: what was decoded, how many records that is, and where they end.
Take = Callable[[bytes, int], tuple[T, int, int]]
BLOCK = 1 << 18
PIECE = 1 << 16
LARGEST_RECORD = 64 << 20
# Few enough to stay in the processor's cache until the caller is done with them.
ROWS_READ = 64


@final
class RecordDecoder:
    """What has been read of one record, and where it stands: it goes on where bytes were missing.

    Attributes:
        number: How many records came before.
        offset: Where in the source the record at hand begins.
        last_size: Bytes of the record that came in pieces last.
    """

    def __init__(self, codec: Codec, *, largest: int = LARGEST_RECORD, offset: int = 0) -> None:
        self.codec = codec
        self.largest = largest
        self.number = 0
        self.offset = offset
        self.last_size = 0
        self._block, self._position = b"", 0
        self._steps: Steps | None = None
        self._want = 0
        self._taken: list[bytes] = []
        self._size = 0  # of what was taken
        self._held = bytearray()
        self._begun = b"" if offset == 0 else b"\0"

    @property
    def pending(self) -> bytes:
        """The bytes that were given and belong to no whole record yet."""
        return b"".join([*self._taken, self._held, self._block[self._position :]])

    def whole(self, block: bytes, take: Take[T], one: Callable[[Row], T]) -> Iterator[T]:
        """Yield what is whole in ``block``: of what ``take`` decodes, and of the first record.

        Raises:
            UTFDataFormatError, SchemaMismatch: A record does not fit; what came first was yielded.
        """
        self._block, self._position = block, 0
        self._begun = self._begun or block[:HEAD]
        if self._steps is not None and (row := self._go_on()) is not None:
            yield one(row)
        while self._steps is None and self._position < len(block):
            found, count, position = take(block, self._position)
            if not count:
                self._begin()
                row = self._go_on()
                if row is not None:
                    yield one(row)
                continue
            self.offset += position - self._position
            self.number += count
            self._position = position
            yield found

    def end(self) -> Row | None:
        """Return the record that reaches to the end of the data, if there is one.

        Raises:
            EndOfData: The data ended inside a record.
        """
        if self._steps is None:
            return None
        try:
            if self._want == TO_END:
                piece = bytes(self._held)
                self._held.clear()
                self._took(piece)
                self._steps.send(piece)
            else:
                self._steps.throw(Short(len(self._held)))
        except StopIteration as done:
            return self._done(cast("Row", done.value))
        except CodingFault as fault:
            raise self._error(fault) from fault.__cause__
        raise AssertionError("a reader went on behind the end")

    def _begin(self) -> None:
        self._steps = self.codec.reader({})
        self._want = next(self._steps)

    def _took(self, piece: bytes) -> None:
        self._taken.append(piece)
        self._size += len(piece)

    def _done(self, row: Row) -> Row:
        self.offset += self._size
        self.last_size = self._size
        self.number += 1
        self._steps, self._taken, self._size = None, [], 0
        return row

    def _go_on(self) -> Row | None:
        """Give the reader what it wants as long as it is there."""
        assert self._steps is not None
        try:
            while (piece := self._piece()) is not None:
                self._took(piece)
                self._want = self._steps.send(piece)
        except StopIteration as done:
            return self._done(cast("Row", done.value))
        except CodingFault as fault:
            raise self._error(fault) from fault.__cause__
        if self._size + len(self._held) > self.largest:
            self._too_large()
        return None

    def _piece(self) -> bytes | None:
        """Return the bytes wanted; None, and hold what there is, until all of them are there."""
        block, position, held = self._block, self._position, self._held
        there = len(held) + len(block) - position
        if there < abs(self._want):
            held += block[position:] if position else block
            self._position = len(block)
            return None
        if self._want <= 0:
            return b""
        end = position + self._want - len(held)
        if not held:
            self._position = end
            return block[position:end]
        if end > position:
            held += block[position:end]
            self._position = end
        piece = bytes(held[: self._want])
        del held[: self._want]
        return piece

    def _too_large(self) -> None:
        assert self._steps is not None
        reading = f"record {self.number}"
        try:
            self._steps.throw(Short(0))
        except CodingFault as fault:
            reading = fault.reading(reading)
        raise SchemaMismatch(
            f"takes more than {self.largest} bytes; does the schema fit?",
            offset=self.offset,
            reading=reading,
        )

    def _error(self, fault: CodingFault) -> Exception:
        """Return the error, with what the beginning of the source looks like."""
        error = fault.error(f"record {self.number}", self.offset + self._size)
        looks = hint(self._begun)
        if looks:
            error.add_note(looks)
        return error


def take_rows(codec: Codec, limit: Callable[[], int]) -> Take[list[Row]]:
    """Return what takes rows out of a block, at most ``limit()`` at once."""

    def take(block: bytes, position: int) -> tuple[list[Row], int, int]:
        rows, end = codec.read(block, position, limit())
        return rows, len(rows), end

    return take


@final
class Feeder(Generic[R]):
    r"""Records out of bytes that somebody else brings: a socket's callback, a message, a pipe.

    The cost is linear in the bytes, however small the pieces; memory holds one record at most.

    >>> from penstock.javadata import parse_schema
    >>> feeder = parse_schema("id: short, name: utf").feeder()
    >>> feeder.feed(b"\0\7\0\3Ad"), feeder.feed(b"a\0"), feeder.feed(b"\x08\0\0")
    ([], [Record(id=7, name='Ada')], [Record(id=8, name='')])
    >>> feeder.end()
    []
    """

    def __init__(self, codec: Codec, *, largest: int = LARGEST_RECORD) -> None:
        self._decoder = RecordDecoder(codec, largest=largest)
        self._take = take_rows(codec, lambda: 1 << 30)
        self._error: Exception | None = None

    @property
    def pending(self) -> bytes:
        """The bytes that belong to no whole record yet."""
        return self._decoder.pending

    def feed(self, data: bytes) -> list[R]:
        """Take bytes; return the records that are whole now.

        Raises:
            UTFDataFormatError, SchemaMismatch: The next record does not fit. The records before it
                are returned first; the error comes with the next call.
        """
        if self._error is not None:
            raise self._error
        rows: list[R] = []
        try:
            for some in self._decoder.whole(bytes(data), self._take, lambda row: [row]):
                rows += cast("list[R]", some)
        except Exception as error:
            self._error = error
            if not rows:
                raise
        return rows

    def end(self) -> list[R]:
        """Say that nothing follows; return the record that reaches to the end, if there is one.

        Raises:
            EndOfData: The data ended inside a record.
        """
        if self._error is not None:
            raise self._error
        last = self._decoder.end()
        return [] if last is None else [cast("R", last)]


@final
class BlockReader(Generic[T]):
    """A source read block by block, into whatever ``take`` makes of them."""

    def __init__(
        self,
        source: Source,
        decoder: RecordDecoder,
        take: Take[T],
        one: Callable[[Row], T],
        block: int,
    ) -> None:
        self.file, self.owned = open_source(source)
        start = position_of(self.file)
        self.goes_back = start is not None
        decoder.offset = start or int(getattr(self.file, "offset", 0))  # a DataInput's
        self.decoder = decoder
        self.take, self.one, self.block = take, one, block
        self.begun: Iterator[T] = iter(())
        self.open = True

    def next(self) -> T | None:
        """Return the next of what is whole, None at the end.

        Raises:
            TimeoutError, BlockingIOError: Nothing is there yet; call again.
        """
        while self.open:
            try:
                found = next(self.begun, None)
                if found is not None:
                    return found
                data = read_some(self.file, self.block)
                if not data:
                    return self.last()
                self.begun = self.decoder.whole(data, self.take, self.one)
            except (TimeoutError, BlockingIOError):
                raise
            except BaseException:
                self.close()
                raise
        return None

    def last(self) -> T | None:
        """Return what reaches to the end."""
        row = self.decoder.end()
        self.close()
        return None if row is None else self.one(row)

    def close(self) -> None:
        """Leave the source behind the last whole record, as far as it lets us; close our own."""
        if not self.open:
            return
        self.open = False
        if self.owned:
            self.file.close()
        elif self.goes_back:
            self.file.seek(self.decoder.offset)
        elif isinstance(self.file, DataInput):
            self.file.unread(self.decoder.pending)


@final
class Records(Closing, Generic[R]):
    """The records of a source, as an iterator that goes on after a time-out.

    ``for`` may be begun again, and ``next`` called again, after TimeoutError or BlockingIOError:
    nothing is lost. Use ``with`` or ``close()`` where the loop may be left early.
    """

    def __init__(
        self, source: Source, codec: Codec, *, largest: int, count: int | None = None
    ) -> None:
        self._left = count
        self._rows: Iterator[R] = iter(())
        decoder = RecordDecoder(codec, largest=largest)
        self._blocks = BlockReader(
            source, decoder, take_rows(codec, self._limit), lambda row: [row], BLOCK
        )
        blocks = self._blocks
        ahead = blocks.goes_back or blocks.owned or isinstance(blocks.file, DataInput)
        self._exact = None if ahead or count is None else DataInput(blocks.file)

    def _limit(self) -> int:
        return ROWS_READ if self._left is None else min(ROWS_READ, self._left)

    def __iter__(self) -> Iterator[R]:
        """Go on with the next record."""
        while True:
            yield from self._rows
            rows = self._more()
            if rows is None:
                return
            self._rows = iter(rows)

    def __next__(self) -> R:
        """Return the next record."""
        for row in self:
            return row
        raise StopIteration

    def _more(self) -> list[R] | None:
        if self._left == 0:
            self.close()
            return None
        if self._exact is not None:  # what cannot be put back must not be read
            codec, number = self._blocks.decoder.codec, self._blocks.decoder.number
            rows: list[R] | None = [cast("R", read_record(self._exact, codec, f"record {number}"))]
            self._blocks.decoder.number += 1
        else:
            rows = cast("list[R] | None", self._blocks.next())
        if self._left is not None and rows is None:
            decoder = self._blocks.decoder
            reading = f"record {decoder.number} of {decoder.number + self._left}"
            raise EndOfData(offset=decoder.offset, reading=reading, needed=1, got=0)
        if self._left is not None and rows is not None:
            self._left -= len(rows)
        return rows

    def close(self) -> None:
        """Close what was opened; leave a file of the caller's behind the last record."""
        self._blocks.close()

    def __del__(self) -> None:
        """Close a file of our own that nobody reads on."""
        blocks = getattr(self, "_blocks", None)
        if blocks is not None and blocks.owned:
            blocks.close()


@final
class AsyncRecords(Generic[R]):
    """The records of a stream that is read with await.

    ``anext`` may be called again, and ``async for`` begun again, after a time-out or where waiting
    was cancelled: nothing is lost.
    """

    def __init__(self, reader: AsyncReadable, feeder: Feeder[R]) -> None:
        self._reader, self._feeder = reader, feeder
        self._rows: deque[R] = deque()
        self._open = True

    def __aiter__(self) -> AsyncRecords[R]:
        """Go on with the next record."""
        return self

    async def __anext__(self) -> R:
        """Return the next record."""
        while not self._rows:
            if not self._open:
                raise StopAsyncIteration
            data = await self._reader.read(PIECE)
            self._open = bool(data)
            self._rows.extend(self._feeder.feed(data) if data else self._feeder.end())
        return self._rows.popleft()


def read_record(
    stream: DataInput, codec: Codec, name: str = "record", outer: dict[str, object] | None = None
) -> Row:
    """Read one record and nothing beyond it; a record that cannot be read consumes nothing.

    Args:
        stream: What is read.
        codec: Of the record.
        name: How errors call it.
        outer: The fields before it, where it stands inside another.
    """
    steps, start, taken = codec.reader(outer or {}), stream.offset, 0
    pieces: list[bytes] = []
    try:
        want = next(steps)
        while True:
            want, piece = wanted(stream, steps, want)
            if piece is not None:
                pieces.append(piece)
                taken += len(piece)
                want = steps.send(piece)
    except StopIteration as done:
        return cast("Row", done.value)
    except CodingFault as fault:
        stream.unread(b"".join(pieces))
        raise fault.error(name, start + taken) from fault.__cause__
    except OSError:
        stream.unread(b"".join(pieces))
        raise


def wanted(stream: DataInput, steps: Steps, want: int) -> tuple[int, bytes | None]:
    """Return the bytes a reader wants; or, where they are not there, what it wants now."""
    if want == TO_END:
        return want, stream.read()
    if want < 0:
        left = stream.left()
        if left is not None and left < -want:
            return steps.throw(Short(left)), None
        return want, b""
    try:
        return want, stream.read_fully(want)
    except EOFError as error:
        return steps.throw(Short(getattr(error, "got", 0))), None
