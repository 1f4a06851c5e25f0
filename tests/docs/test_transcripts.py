"""Every console block of these pages is executed, and must print what the page says.

A file that a page shows under its name (a line that ends in `users.toml`:) is written first. Port
8080 of the pages is a free one here, and ``...`` stands for what differs from run to run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/tutorial.md", "docs/assembly.md", "docs/cli.md", "docs/mongo-dev.md"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([\w.-]+)`:\s*\Z")


@dataclass
class Session:
    """A shell as a reader has it: a directory, variables, and the last exit code."""

    directory: Path
    stack: ExitStack
    port: str = "8080"
    code: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def say(self, command: str) -> str:
        command = command.replace("8080", self.port)
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.variables[name] = value
            return ""
        if command.endswith(" &"):
            return self._background(command.removesuffix(" &"))
        done = subprocess.run(
            ["bash", "-c", f"(exit {self.code}); {command}"],
            cwd=self.directory,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        self.code = done.returncode
        return done.stdout

    def _environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "COLUMNS": "96", **self.variables}

    def _background(self, command: str) -> str:
        process = self.stack.enter_context(
            subprocess.Popen(
                command.replace(f"--port {self.port}", "--port 0").split(),
                cwd=self.directory,
                env=self._environment(),
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        self.stack.callback(process.terminate)
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert found, f"{command!r} said {line!r}"
        self.port = found.group(1)
        for name, text in self.files.items():
            self.write(name, text)
        return line

    def write(self, name: str, text: str) -> None:
        self.files[name] = text
        (self.directory / name).write_text(text.replace("8080", self.port), encoding="utf-8")


def steps(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield ("write", file, text) and ("say", command, expected output) in the page's order."""
    for block in BLOCK.finditer(page):
        kind, text = block.groups()
        if kind == "console":
            for one in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, expected = one.partition("\n")
                yield "say", command, expected
        elif named := NAMED.search(page[: block.start()]):
            yield "write", named.group(1), text


@pytest.mark.parametrize("page", PAGES)
def test_the_page_shows_what_happens(page: str, tmp_path: Path) -> None:
    checker, said = OutputChecker(), 0
    with ExitStack() as stack:
        session = Session(tmp_path, stack)
        for what, name, text in steps((ROOT / page).read_text(encoding="utf-8")):
            if what == "write":
                session.write(name, text)
                continue
            told = session.say(name)
            shown = text.replace("8080", session.port)
            same = checker.check_output(shown, told, ELLIPSIS | NORMALIZE_WHITESPACE)
            assert same, f"{page}: $ {name}\nshown:\n{shown}\ntold:\n{told}"
            said += 1
    assert said, f"{page} has no console block"
