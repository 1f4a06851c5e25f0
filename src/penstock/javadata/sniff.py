"""Files that only look as if DataOutputStream had written them."""

from __future__ import annotations

__all__ = ["hint"]

# First bytes, and what to do about them.
WRAPPERS = {
    b"\x1f\x8b": "the file is compressed with gzip: open it with gzip.open(path), or pass --gzip",
    b"\xac\xed\x00\x05": (
        "the file was written by Java's ObjectOutputStream (serialization, AC ED 00 05), not by "
        "DataOutputStream: read it with a library for Java objects, or have the program write "
        "plain data; values from writeInt and the like lie in blocks behind 77 LEN or 7A LEN"
    ),
    b"\x78\x9c": "the file is compressed with zlib (DeflaterOutputStream): use zlib first",
    b"PK\x03\x04": "the file is a zip or jar archive: extract it first",
    b"\xca\xfe\xba\xbe": "the file is a compiled Java class",
}


def hint(head: bytes) -> str | None:
    r"""Return what a file that begins with ``head`` is and what to do, None for plain data.

    >>> hint(b"PK\x03\x04")
    'the file is a zip or jar archive: extract it first'
    """
    for magic, what in WRAPPERS.items():
        if head.startswith(magic):
            return what
    return None
