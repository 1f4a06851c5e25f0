"""``penstock simulate``: a faulty API server to rehearse against."""

from __future__ import annotations

import json
from typing import final, get_args

import click

from penstock.errors import InputError
from penstock.simulator import (
    CREDENTIALS,
    DEFAULT_MIX,
    ODDITIES,
    AuthKind,
    Dialect,
    LimiterKind,
    ResetForm,
    SimulatorSettings,
    read_mix,
    serve,
    write_mix,
)

__all__ = ["simulate"]

DEFAULTS = SimulatorSettings()


@final
class OneLineCommand(click.Command):
    """A command that tells what is wrong with its options in one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, turning click's usage errors into ours."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            text = " ".join(error.format_message().split())
            raise InputError(f"simulate: {text} (penstock simulate --help)") from error


@click.command(cls=OneLineCommand)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Where to listen on 127.0.0.1; 0 means any free port.",
)
@click.option(
    "--users", type=int, default=DEFAULTS.users, show_default=True, help="Ids 0 to N-1 exist."
)
@click.option(
    "--limit",
    type=int,
    default=DEFAULTS.limit,
    show_default=True,
    help="Requests a key may make in a window; 0 means no limit.",
)
@click.option(
    "--window", type=float, default=DEFAULTS.window, show_default=True, help="In seconds."
)
@click.option(
    "--dialect",
    type=click.Choice(get_args(Dialect)),
    default=DEFAULTS.dialect,
    show_default=True,
    help="Which rate-limit headers are sent.",
)
@click.option(
    "--faults",
    type=float,
    default=DEFAULTS.faults,
    show_default=True,
    help="Share of data requests that meet a fault, 0 to 1.",
)
@click.option(
    "--seed",
    type=int,
    default=DEFAULTS.seed,
    show_default=True,
    help="Users and faults follow from it.",
)
@click.option(
    "--auth",
    type=click.Choice(get_args(AuthKind)),
    default=DEFAULTS.auth,
    show_default=True,
    help="What data endpoints ask for; the credentials are printed at the start.",
)
@click.option(
    "--latency",
    type=float,
    default=DEFAULTS.latency,
    show_default=True,
    help="Seconds before each answer.",
)
@click.option(
    "--limiter",
    type=click.Choice(get_args(LimiterKind)),
    default=DEFAULTS.limiter,
    show_default=True,
    help="A window from the first request on, or a leaky bucket.",
)
@click.option(
    "--burst",
    type=int,
    default=DEFAULTS.burst,
    show_default=True,
    help="Requests a bucket lets through beyond its rate.",
)
@click.option(
    "--mix",
    type=read_mix,
    metavar="NAME=WEIGHT,...",
    default=write_mix(DEFAULT_MIX),
    show_default=True,
    help="Fault kinds and weights; also knows stall.",
)
@click.option(
    "--reset-form",
    type=click.Choice(get_args(ResetForm)),
    default=DEFAULTS.reset_form,
    show_default=True,
    help="How the legacy dialect writes X-RateLimit-Reset.",
)
@click.option(
    "--date-skew",
    type=float,
    default=DEFAULTS.date_skew,
    show_default=True,
    help="Seconds by which the server's clock is wrong.",
)
@click.option(
    "--deleted",
    type=int,
    default=DEFAULTS.deleted,
    show_default=True,
    help="That many of the ids answer 404.",
)
@click.option(
    "--pages", type=int, default=DEFAULTS.pages, show_default=True, help="Rows on a page."
)
@click.option(
    "--token-life",
    type=float,
    default=DEFAULTS.token_life,
    show_default=True,
    help="Seconds an OAuth 2 token lives.",
)
@click.option(
    "--drip",
    type=float,
    default=DEFAULTS.drip,
    show_default=True,
    help="Seconds that a dripped body takes.",
)
@click.option(
    "--stall",
    type=float,
    default=DEFAULTS.stall,
    show_default=True,
    help="Seconds of silence before a stalled answer is closed.",
)
@click.option(
    "--gzip",
    type=float,
    default=DEFAULTS.gzip,
    show_default=True,
    help="Share of answers compressed for clients that accept it.",
)
@click.option(
    "--chunked",
    type=float,
    default=DEFAULTS.chunked,
    show_default=True,
    help="Share of answers sent in chunks.",
)
@click.option(
    "--retry-dates", is_flag=True, help="Write half of the Retry-Afters of a 503 as dates."
)
@click.option(
    "--odd",
    type=click.Choice(("", *ODDITIES)),
    default=DEFAULTS.odd,
    metavar="NAME",
    help="What is odd about the list at /odd: "
    + "; ".join(f"{name}: {oddity.words}" for name, oddity in ODDITIES.items())
    + ".",
)
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
