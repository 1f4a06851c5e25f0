"""A source read block by block, always holding at least the record at hand."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Self, final

from penstock.javadata.failures import EndOfData, SchemaMismatch
from penstock.javadata.interpret import read_value
from penstock.javadata.reading import DataInput
from penstock.javadata.sniff import hint
from penstock.javadata.sources import Source, bytes_left, open_source, position_of, read_some

if TYPE_CHECKING:
    from types import TracebackType

    from penstock.javadata.kinds import RecordKind

__all__ = ["Blocks"]

BLOCK = 1 << 18


@final
class Blocks:
    """The moving window over a source from which records are decoded.

    Use: while ``fill()``: decode from ``data`` at ``position`` and ``advance(...)`` while there are
    whole records, then ``settle()``.

    Attributes:
        data: The bytes at hand.
        position: Where in ``data`` the next record begins.
        offset: Where in the source ``data`` begins.
        number: How many records came before.
    """

    def __init__(
        self, source: Source, kind: RecordKind, *, largest: int, block: int = BLOCK
    ) -> None:
        self.file, self.owned = open_source(source)
        self.kind = kind
        self.largest = largest
        self.block = block
        self.data = b""
        self.position = 0
        self.offset = position_of(self.file) or 0
        self.number = 0
        self.begun = b""
        self.goes_back = bytes_left(self.file) is not None
        self.want = block

    def fill(self) -> bool:
        """Read on. Return whether there is anything to decode.

        Raises:
            EndOfData: The source has ended inside a record.
        """
        left = len(self.data) - self.position
        self.offset += self.position
        if self.goes_back and left:
            # Cheaper to read a part of a record twice than to copy a block for its sake.
            self.file.seek(-left, io.SEEK_CUR)
            self.data = read_some(self.file, left + self.want)
        else:
            fresh = read_some(self.file, self.want)
            self.data = self.data[self.position :] + fresh if left else fresh
        self.position = 0
        self.begun = self.begun or self.data[:4]
        if left and len(self.data) <= left:
            self.explain(ended=True)
        return bool(self.data)

    def advance(self, count: int, position: int) -> None:
        """Count what was decoded."""
        self.position = position
        self.number += count

    def settle(self) -> None:
        """Raise where the next record is wrong, and not merely cut short.

        Raises:
            UTFDataFormatError, SchemaMismatch: It does not fit.
        """
        if self.position < len(self.data):
            self.explain(ended=False)

    def explain(self, *, ended: bool) -> None:
        """Raise what is wrong with the record at hand; return if more data may mend it."""
        here = self.offset + self.position
        rest = self.data[self.position :]
        stream = DataInput(io.BytesIO(rest), base=here)
        try:
            read_value(stream, self.kind, f"record {self.number}")
        except EndOfData as error:
            if ended:
                raise self.with_hint(error) from error.__cause__
            # A record larger than the block doubles what is read, so that it is gone over a few
            # times and not once for each block.
            self.want = max(self.block, len(rest))
            if len(rest) > self.largest:
                raise SchemaMismatch(
                    f"takes more than {self.largest} bytes; does the schema fit?",
                    offset=here,
                    reading=error.reading,
                ) from error
        except (ValueError, RecursionError) as error:
            raise self.with_hint(error) from error.__cause__

    def with_hint(self, error: Exception) -> Exception:
        """Add what the beginning of the source looks like."""
        looks = hint(self.begun)
        if looks:
            error.add_note(looks)
        return error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.owned:
            self.file.close()
