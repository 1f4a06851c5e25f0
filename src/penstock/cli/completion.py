"""``penstock completion``: the shell's part of completion, put where that shell looks for it."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from penstock.errors import InputError

__all__ = ["completion"]

# shell -> (variable, folder where that is unset, file in it)
_PLACES = {
    "bash": ("XDG_DATA_HOME", ".local/share", "bash-completion/completions/penstock"),
    "zsh": ("ZDOTDIR", "", ".zfunc/_penstock"),
    "fish": ("XDG_CONFIG_HOME", ".config", "fish/completions/penstock.fish"),
}
_MORE = {"zsh": "; ~/.zshrc needs, before compinit: fpath+=({})"}


@click.command()
@click.argument("shell", type=click.Choice(sorted(_PLACES)), required=False)
@click.option("--print", "is_printed", is_flag=True, help="Print it instead of installing it.")
@click.pass_context
def completion(context: click.Context, shell: str | None, *, is_printed: bool) -> None:
    """Install completion of penstock's commands and options for SHELL, else for your own."""
    shell = shell or Path(os.environ.get("SHELL", "")).name
    kind = get_completion_class(shell)
    if shell not in _PLACES or kind is None:
        raise InputError(f"completion: name the shell: {', '.join(sorted(_PLACES))}")
    program = context.find_root().command
    text = kind(program, {}, "penstock", "_PENSTOCK_COMPLETE").source()
    if is_printed:
        click.echo(text)
        return
    variable, folder, name = _PLACES[shell]
    file = Path(os.environ.get(variable) or Path.home() / folder) / name
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from error
    click.echo(f"{file}: open a new {shell}{_MORE.get(shell, '').format(file.parent)}")
