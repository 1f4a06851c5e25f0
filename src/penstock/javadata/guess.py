"""A guess at the layout of records of one size, from nothing but the data."""

from __future__ import annotations

import math

from penstock.errors import InputError, MissingExtra
from penstock.javadata.kinds import PRIMITIVES

try:
    import numpy as np
    import numpy.typing as npt
except ImportError as error:
    raise MissingExtra("guessing a schema", "numpy", "javadata") from error

__all__ = ["SAMPLE", "guess"]

SAMPLE = 1 << 18
LARGEST = 512
FEWEST_RECORDS = 8
JUDGED = 1 << 14
WEIGHT = 1 / 16
ALMOST = 1.04
# What a smaller size must spare of the bits that the best one spares.
SPARED = 0.6
# Of a score of 1 a byte: below it the types may be any.
KNOWN = 0.55
# A true record size makes its bytes at least so much more regular than a byte by itself is.
STANDS_OUT = 0.95
# Bits a byte, below which data is regular whatever the size.
FLAT = 1.0
GUESSED = ("boolean", "byte", "short", "int", "float", "long", "double")
Bytes = npt.NDArray[np.uint8]


def guess(sample: bytes, size: int | None) -> str:
    """Return a schema in the room's notation for records of one size.

    A guess: the record size at which the columns of bytes are most regular, then the types that
    make the numbers most ordinary. Look at the first records before trusting it.

    Args:
        sample: The beginning of the data, 256 KiB or so.
        size: Bytes of the whole, of which the record size is a divisor; None if unknown.

    Raises:
        InputError: Too little data, no record size that divides the file, or no types.

    >>> import struct
    >>> rows = [struct.pack(">id?", n, n * 1.5, n % 3 == 0) for n in range(50)]
    >>> guess(b"".join(rows), 650)
    'field1: int, field2: double, field3: boolean'
    """
    data = np.frombuffer(sample, np.uint8)
    width = record_size(data, size)
    rows = data[: len(data) // width * width].reshape(-1, width)
    score, names = layout(rows)
    if score < KNOWN * width:
        raise InputError(
            f"cannot guess a schema: records of {width} bytes stand out, but no types in them (a "
            "header comes first? text? little-endian?); say the schema, or --skip the header"
        )
    return ", ".join(f"field{number}: {name}" for number, name in enumerate(names, 1))


def record_size(data: Bytes, size: int | None) -> int:
    """Return the size at which columns of bytes describe the data in the fewest bits."""
    data = data[:JUDGED]
    widths = [
        width
        for width in range(1, min(LARGEST, len(data) // FEWEST_RECORDS) + 1)
        if size is None or size % width == 0
    ]
    if not widths:
        raise InputError(
            f"cannot guess a schema from {len(data)} bytes: no record size divides the file into "
            f"at least {FEWEST_RECORDS} records"
        )
    costs = {width: bits_per_byte(data, width) for width in widths}
    best = min(widths, key=costs.__getitem__)
    plain = bits_per_byte(data, 1)
    if costs[best] > STANDS_OUT * plain and plain > FLAT:
        raise InputError(
            "cannot guess a schema: no record size stands out, so the records differ in length or "
            f"a header comes first{seen(data.tobytes())}; say the schema, or --skip the header"
        )
    # Several records at a time are a little more regular still: every second count is even.
    few, spared = ALMOST * costs[best], SPARED * (plain - costs[best])
    return next(
        w for w in widths if best % w == 0 and costs[w] <= few and plain - costs[w] >= spared
    )


def seen(data: bytes) -> str:
    """Return what text as writeUTF writes it begins where, for the error."""
    found = [
        (at, data[at + 2 : at + 2 + size])
        for at in range(min(len(data) - 5, 4096))
        if 3 <= (size := data[at] << 8 | data[at + 1]) <= 200 and at + 2 + size <= len(data)
    ]
    texts = [(at, text) for at, text in found if text.isascii() and text.decode().isprintable()]
    if not texts:
        return ""
    at, text = texts[0]
    return f"; text as writeUTF writes it stands at offset {at}: {text.decode()[:20]!r}"


def bits_per_byte(data: Bytes, width: int) -> float:
    """Return what a byte costs if each column learns its own distribution.

    The code length of a Dirichlet-multinomial with 256 values of weight A: many columns cost more
    to learn, so a multiple of the true size loses to the size itself.
    """
    rows = data[: len(data) // width * width].reshape(-1, width)
    bits = sum(column_bits(np.bincount(column, minlength=256)) for column in rows.T)
    return bits / rows.size


def column_bits(counts: npt.NDArray[np.intp]) -> float:
    """Return -log2 of the probability of one column."""
    total = math.lgamma(int(counts.sum()) + 256 * WEIGHT) - math.lgamma(256 * WEIGHT)
    seen = sum(math.lgamma(int(count) + WEIGHT) for count in counts[counts > 0])
    return (total - seen + int((counts > 0).sum()) * math.lgamma(WEIGHT)) / math.log(2)


def layout(rows: Bytes) -> tuple[float, list[str]]:
    """Return the types whose values are most ordinary, and how much so: the best path."""
    width = rows.shape[1]
    best: list[tuple[float, list[str]]] = [(0.0, [])]
    for end in range(1, width + 1):
        options = []
        for name in GUESSED:
            size = PRIMITIVES[name].size
            if size <= end:
                before, names = best[end - size]
                options.append((before + ordinary(rows[:, end - size : end], name), [*names, name]))
        best.append(max(options, key=lambda option: option[0]))
    return best[width]


def ordinary(column: Bytes, name: str) -> float:
    """Return how much a column speaks for a type, at most its number of bytes."""
    raw = np.ascontiguousarray(column)
    if name == "boolean":
        return 0.9 if bool((raw <= 1).all()) and len(np.unique(raw)) == 2 else -1.0
    if name in {"float", "double"}:
        with np.errstate(invalid="ignore"):  # a signalling NaN says so
            values = raw.view(">f4" if name == "float" else ">f8")[:, 0].astype("f8")
        return float_score(values, raw.shape[1])
    if name == "int" and flag(raw[:, 0]):
        return 0.4 * 4
    return integer_score(raw.view(f">i{raw.shape[1]}")[:, 0].astype("i8"), raw.shape[1])


def flag(column: Bytes) -> bool:
    """Return whether a byte is a boolean rather than the first of an int up to 2**25."""
    return bool((column <= 1).all()) and 0.25 <= float(column.mean()) <= 0.75


def float_score(values: npt.NDArray[np.float64], width: int) -> float:
    """True fractions of ordinary size; integers seen as floats are next to zero."""
    size = np.abs(values)
    usual = (size == 0) | ((size > 1e-6) & (size < 1e12))
    if not usual.all() or (size > 0).mean() < 0.2 or len(np.unique(values)) == 1:
        return -1.0
    return width * 0.9


def integer_score(values: npt.NDArray[np.int64], width: int) -> float:
    """Counts use few of their bits; milliseconds, micro- and nanoseconds since 1970 use many."""
    size = float(np.median(np.abs(values.astype("f8"))))
    if len(np.unique(values)) == 1:
        return 0.3 * width if width == 4 else 0.2 * width
    if width == 8:
        times = [low < values.min() and values.max() < 2.5 * low for low in (1e12, 1e15, 1e18)]
        return 0.85 * width if any(times) or size < 2**31 else 0.05
    share, wide = {1: (0.1, 0.1), 2: (0.6, 0.3), 4: (0.8, 0.4)}[width]
    return width * (share if size < 2 ** (7 * width - 1) else wide)
