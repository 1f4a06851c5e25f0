"""Read and write what Java's data streams write and read, bit for bit."""

from __future__ import annotations

from penstock.javadata.blocks import Feeder, Records
from penstock.javadata.data_input import DataInput, DataInputStream
from penstock.javadata.data_output import DataOutput, DataOutputStream
from penstock.javadata.errors import (
    EndOfData,
    MalformedText,
    SchemaMismatch,
    UTFDataFormatError,
)
from penstock.javadata.json_form import from_plain, to_plain
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
    UnsignedInt,
    UnsignedShort,
    Utf,
    array_of,
    fixed_bytes,
    optional,
    text_of,
    variant,
)
from penstock.javadata.native import core_line, decode_modified_utf8, encode_modified_utf8
from penstock.javadata.random_access import RandomAccessFile
from penstock.javadata.schema import Schema, parse_schema, records, write_records

__all__ = [
    "Boolean", "Byte", "Char", "DataInput", "DataInputStream", "DataOutput", "DataOutputStream",
    "Double", "EndOfData", "Feeder", "Float", "Int", "Long", "MalformedText", "RandomAccessFile",
    "Records", "Schema", "SchemaMismatch", "Short", "UTFDataFormatError", "UnsignedByte",
    "UnsignedInt", "UnsignedShort", "Utf", "array_of", "core_line", "decode_modified_utf8",
    "encode_modified_utf8", "fixed_bytes", "from_plain", "optional", "parse_schema", "records",
    "text_of", "to_plain", "variant", "write_records",
]  # fmt: skip
