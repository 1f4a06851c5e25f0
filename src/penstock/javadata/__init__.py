"""Read and write what Java's data streams write and read, bit for bit."""

from __future__ import annotations

from penstock.javadata.blocks import Feeder, Records
from penstock.javadata.data_input import DataInput, DataInputStream
from penstock.javadata.data_output import DataOutput, DataOutputStream
from penstock.javadata.detection import (
    DAMAGED,
    HEAD,
    WRAPPINGS,
    ObjectBlocks,
    hint,
    unwrapped,
)
from penstock.javadata.errors import (
    EndOfData,
    MalformedText,
    SchemaMismatch,
    UTFDataFormatError,
)
from penstock.javadata.inner_rows import InnerRows
from penstock.javadata.json_form import from_plain, to_plain
from penstock.javadata.kinds import (
    Boolean,
    Byte,
    Char,
    Double,
    Float,
    Int,
    LoneSurrogates,
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
from penstock.javadata.schema import Schema, guess_schema, parse_schema, records, write_records

__all__ = [
    "DAMAGED", "HEAD", "WRAPPINGS", "Boolean", "Byte", "Char", "DataInput", "DataInputStream",
    "DataOutput", "DataOutputStream", "Double", "EndOfData", "Feeder", "Float", "InnerRows", "Int",
    "LoneSurrogates", "Long", "MalformedText", "ObjectBlocks", "RandomAccessFile", "Records",
    "Schema", "SchemaMismatch", "Short", "UTFDataFormatError", "UnsignedByte", "UnsignedInt",
    "UnsignedShort", "Utf", "array_of", "core_line", "decode_modified_utf8",
    "encode_modified_utf8", "fixed_bytes", "from_plain", "guess_schema", "hint", "optional",
    "parse_schema", "records", "text_of", "to_plain", "unwrapped", "variant", "write_records",
]  # fmt: skip
