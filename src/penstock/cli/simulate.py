"""``penstock simulate``: a faulty API server to rehearse against."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any, TypeVar, final

import click

from penstock.errors import InputError
from penstock.simulator import (
    CHOICES,
    CREDENTIALS,
    DEFAULT_MIX,
    ODDITIES,
    SimulatorSettings,
    read_mix,
    serve,
    write_mix,
)

__all__ = ["simulate"]

C = TypeVar("C", bound=Callable[..., None])


@final
class OneLineCommand(click.Command):
    """A command that says what is wrong with its options in one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, turning click's usage errors into ours."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            text = " ".join(error.format_message().split())
            raise InputError(f"simulate: {text} (penstock simulate --help)") from error


def _settings(command: C) -> C:
    """Add an option for each setting of the simulator."""
    for one in reversed(dataclasses.fields(SimulatorSettings)):
        kind: object = type(one.default)
        settings: dict[str, Any] = {"default": one.default, "help": one.metadata["words"]}
        if choices := CHOICES.get(one.name):
            kind = click.Choice(choices)
        elif one.name == "mix":
            kind = read_mix
            settings |= {"metavar": "NAME=WEIGHT,...", "default": write_mix(DEFAULT_MIX)}
        elif one.name == "odd":
            kind = click.Choice(("", *ODDITIES))
            known = "; ".join(f"{name}: {oddity.words}" for name, oddity in ODDITIES.items())
            settings |= {"metavar": "NAME", "show_default": False}
            settings["help"] += f"{known}."
        settings |= {"is_flag": True} if kind is bool else {"type": kind}
        command = click.option("--" + one.name.replace("_", "-"), **settings)(command)
    return command


@click.command(cls=OneLineCommand)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    help="Where to listen on 127.0.0.1; 0 means any free port.",
)
@_settings
@click.option("--until-eof", is_flag=True, help="End when standard input closes, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the first line as JSON.")
def simulate(*, port: int, as_json: bool, until_eof: bool, **settings: object) -> None:
    """Serve a faulty, rate-limited API on 127.0.0.1 until interrupted.

    What the server counted is at /_truth.
    """
    chosen = SimulatorSettings(**settings)  # type: ignore[arg-type]  # click checked the types

    def ready(url: str, taken: int) -> None:
        # click.echo flushes: who waits for this line gets it
        click.echo(_json_line(chosen, url, taken) if as_json else _line(chosen, url))

    serve(chosen, port, ready, until_eof=until_eof)


def _json_line(settings: SimulatorSettings, url: str, port: int) -> str:
    credentials = dict(CREDENTIALS[settings.auth])
    return json.dumps({"url": url, "port": port, "auth": settings.auth, "credentials": credentials})


def _line(settings: SimulatorSettings, url: str) -> str:
    words = [
        f"{name.replace('_', ' ')} {value}" for name, value in CREDENTIALS[settings.auth].items()
    ]
    return f"simulating at {url}" + (f" ({settings.auth}: {', '.join(words)})" if words else "")
