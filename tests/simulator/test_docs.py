"""The page names everything there is: options, endpoints, dialects, faults, credentials, counts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from penstock.cli.simulate import simulate as command
from penstock.simulator import CREDENTIALS, StreamTruth, Truth
from penstock.simulator.routes import ROUTES
from penstock.simulator.settings import CHOICES, DEFAULT_MIX, FaultKind, SimulatorSettings
from penstock.simulator.streams.settings import READERS, EndingKind, Framing
from penstock.simulator.streams.shapes import SHAPES

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
SPANS = re.findall(r"`([^`\n]+)`", PAGE)

NAMES = [
    *(option for parameter in command.params for option in parameter.opts),
    *(choice for choices in CHOICES.values() for choice in choices),
    *ROUTES,
    *get_args(FaultKind),
    *(value for known in CREDENTIALS.values() for value in known.values()),
    *Truth.__annotations__,
    *StreamTruth.__annotations__,
    *get_args(Framing),
    *get_args(EndingKind),
    *SHAPES,
    *READERS,
]


@pytest.mark.parametrize("name", sorted(set(NAMES)))
def test_the_page_names(name: str) -> None:
    whole = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    assert any(whole.search(span) for span in SPANS)


def test_every_setting_is_an_option_with_help_and_the_same_default() -> None:
    options = {parameter.name: parameter for parameter in command.params}
    settings = SimulatorSettings()
    for name in SimulatorSettings.__dataclass_fields__:
        option = options[name]
        assert getattr(option, "help", None), name
        if name != "mix":
            assert option.get_default(command.make_context("simulate", [])) == getattr(
                settings, name
            )


def test_the_page_tells_the_default_mix() -> None:
    rows = {row.split("|")[1]: row for row in PAGE.splitlines() if row.startswith("| `")}
    for kind, weight in DEFAULT_MIX:
        row = next(row for names, row in rows.items() if f"`{kind}`" in names)
        assert row.split("|")[3].split()[0] == f"{weight:g}"
