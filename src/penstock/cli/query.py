"""``penstock query``: SQL over what landed."""

from __future__ import annotations

import json
import math
import sys

import click

from penstock.assembly import store_named
from penstock.destinations import answering, csv_line
from penstock.store import open_readonly

__all__ = ["query"]


@click.command()
@click.argument("store", type=click.Path())
@click.argument("sql")
@click.option("--flatten", is_flag=True, help="Show nested objects as columns a.b.c.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object a row, not CSV.")
def query(store: str, sql: str, *, flatten: bool, as_json: bool) -> None:
    """Answer SQL over the table "records": what has landed in STORE up to now.

    STORE is a directory, mongodb://..., or env:NAME or file:PATH that holds either. The SQL is
    DuckDB's, and needs the extra duckdb. The answer is CSV with a header. The store is only read.
    """
    # As bytes: data for a file or a pipe is left as it is.
    end = "\n" if sys.stdout.isatty() else "\r\n"
    with (
        open_readonly(store_named(store)) as reader,
        answering(reader, sql, flatten=flatten) as (names, rows),
    ):
        if names and not as_json:
            sys.stdout.buffer.write((csv_line(names) + end).encode())
        for row in rows:
            values = [_plain(value) for value in row]
            if as_json:
                text = _as_json(dict(zip(names, values, strict=True))) + "\n"
            else:
                text = csv_line(map(_shown, values)) + end
            sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()


def _plain(value: object) -> object:
    """Return a value as JSON has it; what JSON has no word for is text."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _as_json(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _shown(value: object) -> str | None:
    if value is None:
        return None
    return _as_json(value) if isinstance(value, dict | list | bool) else str(value)
