"""``penstock schema``: what may stand in a pipeline file, for editors that complete and check."""

from __future__ import annotations

import json

import click

__all__ = ["schema"]


@click.command()
def schema() -> None:
    """Print the JSON schema of pipeline files, with the kinds of the packages installed here.

    Editors complete and check by it: write it to penstock.schema.json, and put
    "#:schema penstock.schema.json" into the first line of a pipeline file (Taplo, Even Better
    TOML).
    """
    from penstock.assembly import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
