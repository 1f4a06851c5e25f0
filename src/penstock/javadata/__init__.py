"""Read and write what Java's data streams write and read, bit for bit."""

from __future__ import annotations

from penstock.javadata.failures import (
    EndOfData,
    MalformedText,
    SchemaMismatch,
    UTFDataFormatError,
)
from penstock.javadata.kinds import (
    Boolean,
    Byte,
    Char,
    Double,
    Float,
    Int,
    Long,
    Short,
    UnsignedByte,
    UnsignedShort,
    Utf,
    array_of,
    fixed_bytes,
    optional,
    text_of,
    variant,
)
from penstock.javadata.native import decode_modified_utf8, encode_modified_utf8
from penstock.javadata.random_access import RandomAccessFile
from penstock.javadata.reading import DataInput, DataInputStream
from penstock.javadata.schema import Schema, parse_schema, records, write_records
from penstock.javadata.writing import DataOutput, DataOutputStream

__all__ = [
    "Boolean", "Byte", "Char", "DataInput", "DataInputStream", "DataOutput", "DataOutputStream",
    "Double", "EndOfData", "Float", "Int", "Long", "MalformedText", "RandomAccessFile", "Schema",
    "SchemaMismatch", "Short", "UTFDataFormatError", "UnsignedByte", "UnsignedShort", "Utf",
    "array_of", "decode_modified_utf8", "encode_modified_utf8", "fixed_bytes", "optional",
    "parse_schema", "records", "text_of", "variant", "write_records",
]  # fmt: skip
