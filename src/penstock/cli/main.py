"""The ``penstock`` program: a table of commands, each imported only when it is called."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import final

import click

from penstock import __version__
from penstock.cli.screen import screened
from penstock.errors import PenstockError

__all__ = ["main"]

# name -> (module, one line of help); the attribute has the command's name with - as _
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("penstock.cli.demo", "Watch a whole harvest against a server that fails."),
    "init": ("penstock.cli.init", "Write a pipeline file, from a URL or an OpenAPI description."),
    "check": ("penstock.cli.check", "Validate a pipeline file and show its plan."),
    "schema": ("penstock.cli.schema", "Print the JSON schema of pipeline files, for editors."),
    "run": ("penstock.cli.run", "Harvest what a pipeline file describes into its store."),
    "work": ("penstock.cli.run", "Join the run of a pipeline file, beside other workers."),
    "stream": ("penstock.cli.stream", "Watch a stream live: rate, lag, reconnects, gaps."),
    "status": ("penstock.cli.status", "Show what landed in a store, what failed, what is to do."),
    "export": ("penstock.cli.export", "Write what landed to a file that other programs read."),
    "query": ("penstock.cli.query", "Ask what landed by SQL, without an export."),
    "verify": ("penstock.cli.upkeep", "Compare every record in a store with its checksum."),
    "repair": ("penstock.cli.upkeep", "Mend a store that was damaged, restored or cut."),
    "backup": ("penstock.cli.upkeep", "Copy a store, also while a run lands in it."),
    "retry-failed": ("penstock.cli.run", "Try the failed keys of a pipeline again."),
    "acknowledge": ("penstock.cli.run", "Accept failed keys, so that runs end with 0 again."),
    "dashboard": ("penstock.cli.dashboard", "Show stores in a browser, live."),
    "watch": ("penstock.cli.dashboard", "Show stores in this terminal, live."),
    "completion": ("penstock.cli.completion", "Install completion for bash, zsh or fish."),
    "simulate": ("penstock.cli.simulate", "Serve a faulty, rate-limited API to rehearse against."),
    "mongo": ("penstock.cli.mongo", "Run a MongoDB replica set here; ask one how it is."),
    "lock": ("penstock.cli.lock", "Run a command under a lock; see and manage locks."),
    "javadata": ("penstock.cli.javadata", "Read and write files of Java's DataOutputStream."),
    "portfolio": ("penstock.cli.portfolio", "Volatility and risk of a portfolio of prices."),
    "neural": ("penstock.cli.neural", "Train small networks on tables, predict, study."),
    "read": ("penstock.cli.read", "Set books in short lines with a guide down the middle."),
}


@final
class CommandTable(click.Group):
    """A group that imports a command's module when it is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command = getattr(module, cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)  # the table above is ours
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        if not COMMANDS:
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}


@click.group(cls=CommandTable, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="penstock")
def penstock() -> None:
    """Harvest services that limit, fail and disconnect, and lose nothing."""


def main() -> None:
    """Run the program; every foreseen failure is one line on stderr and an exit code."""
    with screened():
        try:
            _main()
        except (KeyboardInterrupt, click.Abort):  # also while an error is printed
            click.echo("penstock: interrupted", err=True)
            sys.exit(3)
        except Exception:  # noqa: BLE001 - the gate stands before it as well
            traceback.print_exc()  # an error of ours; what a stranger said is in it
            sys.exit(1)


def _main() -> None:
    try:
        penstock.main(standalone_mode=False, prog_name="penstock")
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        words = " ".join(error.format_message().split())
        command = (
            error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
        )
        click.echo(f"penstock: {words}" + (f" (see {command} --help)" if command else ""), err=True)
        sys.exit(2)
    except BrokenPipeError:
        # The reader of our output went away (| head): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except PenstockError as error:
        # What a server said in it begins no line of its own.
        click.echo(f"penstock: {error}".replace("\n", "\n  "), err=True)
        sys.exit(error.exit_code)
    except (OSError, MemoryError, RuntimeError) as error:
        if type(error) is RuntimeError and "thread" not in str(error):
            raise
        # The machine refuses: no descriptor, no thread, no memory, no room.
        file = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
        words = (error.strerror if isinstance(error, OSError) else str(error)) or "no memory"
        click.echo(f"penstock: {file}{words}: the system refuses; mend it and run again", err=True)
        sys.exit(4)


if __name__ == "__main__":
    main()
