"""``penstock init``: a pipeline file to begin with, from a URL or an OpenAPI description."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.assembly import begun
from penstock.errors import InputError
from penstock.whole import whole_file

__all__ = ["init"]


@click.command()
@click.argument("source")
@click.option("-o", "--output", type=click.Path(), help="The file to write; else to the screen.")
@click.option("--only", multiple=True, help="Resources of a description, with *: repeat it.")
@click.option("--base", help="URL of the service, in place of the one that is found.")
@click.option(
    "--with", "given", multiple=True, metavar="NAME=VALUE", help="A parameter's value: repeat it."
)
def init(
    source: str,
    output: str | None,
    only: tuple[str, ...],
    base: str | None,
    given: tuple[str, ...],
) -> None:
    """Write a pipeline file for SOURCE: the URL of a list, or an OpenAPI 3 description.

    A URL is asked once: where the rows are, their key and the next page are guessed by their usual
    names. A description (a file or a URL, JSON or YAML) becomes a file with all its lists, their
    pages and parents, and its credentials by name. penstock check FILE --try shows what comes.
    """
    if output is not None and Path(output).exists():
        raise InputError(f"{output} is there already: name another file")
    if wrong := [one for one in given if "=" not in one]:
        raise InputError(f"--with {wrong[0]}: write --with NAME=VALUE")
    values = {name: value for name, _, value in (one.partition("=") for one in given)}
    text = begun(source, only, base, values)
    if output is None:
        click.echo(text, nl=False)
        return
    with whole_file(Path(output)) as file:
        file.write(text.encode())
    click.echo(f"{output}: {text.count('[[resource]]'):,} resources; next: penstock check {output}")
