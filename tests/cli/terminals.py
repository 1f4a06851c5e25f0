"""Run many commands of the program, each on a terminal of its own; used as a program by itself.

Input is JSON on a line: ``{"words": [...], "until": text, "keys": text}``. A command is run in a
fork of this process, which has imported everything once; ``keys`` are typed as soon as ``until``
is on the screen. Output is a line for each:
``[text with backslashes for what is not ASCII, exit code]``.
"""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import sys
import time
import traceback

PATIENCE = 10  # seconds until Ctrl-C, and again until it is killed


def run(words: list[str], until: str, keys: str) -> tuple[bytes, int]:
    child, terminal = pty.fork()
    if child == 0:
        _command(words)
    seen, typed, interrupted = b"", False, False
    until_when = time.monotonic() + PATIENCE
    while True:
        ready, _, _ = select.select([terminal], [], [], 1)
        if time.monotonic() > until_when:
            os.kill(child, signal.SIGKILL if interrupted else signal.SIGINT)
            interrupted, until_when = True, time.monotonic() + PATIENCE
        if not ready:
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
        if keys and not typed and until.encode() in seen:
            os.write(terminal, keys.encode())
            typed = True
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return seen, os.waitstatus_to_exitcode(status)


def _command(words: list[str]) -> None:
    from penstock.cli.main import main

    sys.argv = ["penstock", *words]
    sys.stdin = sys.__stdin__ = open(0)  # type: ignore[misc] # noqa: SIM115 - for all of the process
    sys.stdout = sys.__stdout__ = open(1, "w", buffering=1)  # type: ignore[misc] # noqa: SIM115 - for all of the process
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1)  # type: ignore[misc] # noqa: SIM115 - for all of the process
    code: object = 1
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 1)


def main() -> None:
    import click

    import penstock.cli.main as cli

    context = click.Context(cli.penstock)
    for name in cli.COMMANDS:
        cli.penstock.get_command(context, name)
    for line in sys.stdin:
        asked = json.loads(line)
        seen, code = run(asked["words"], asked["until"], asked["keys"])
        print(json.dumps([seen.decode("latin-1"), code]), flush=True)


if __name__ == "__main__":
    main()
