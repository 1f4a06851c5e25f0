"""``penstock query``: SQL over what landed."""

from __future__ import annotations

import csv
import io
import json
import sys

import click

from penstock.assembly import store_named
from penstock.destinations import ask
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
    with open_readonly(store_named(store)) as reader:
        names: tuple[str, ...] = ()
        for row in ask(reader, sql, flatten=flatten):
            text = io.StringIO()
            if as_json:
                text.write(_as_json(row) + "\n")
            else:
                out = csv.writer(text, lineterminator=end)
                if not names:
                    names = tuple(row)
                    out.writerow(names)
                out.writerow(map(_shown, row.values()))
            sys.stdout.buffer.write(text.getvalue().encode())
        sys.stdout.buffer.flush()


def _as_json(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _shown(value: object) -> object:
    return _as_json(value) if isinstance(value, dict | list) else value
