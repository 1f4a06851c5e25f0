"""The deploy page's parts, as the programs they are for take them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ready import ready

from penstock.telemetry import Metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    service, timer = blocks("ini")
    program = tmp_path / "penstock"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    service = service.replace("/opt/penstock/bin/penstock", str(program))
    (tmp_path / "users.service").write_text(service.replace("User=harvest", "User=root"))
    (tmp_path / "users.timer").write_text(timer)
    verify = [str(ready("systemd-analyze")), "verify", "--man=no"]
    done = subprocess.run(
        [*verify, str(tmp_path / "users.service"), str(tmp_path / "users.timer")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, [one for one in done.stderr.splitlines() if "users." in one]) == (
        0,
        [],
    )


def test_every_command_and_option_of_the_page_is_there() -> None:
    used = re.findall(
        r"penstock (run|status|dashboard|watch|acknowledge|backup|verify|completion)\b(.*)", PAGE
    )
    assert len(used) > 10
    for command in {name for name, _ in used}:
        words = [sys.executable, "-m", "penstock", command, "--help"]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        options = {
            o for name, rest in used if name == command for o in re.findall(r"--[a-z-]+", rest)
        }
        for option in options - {"--status", "--log"}:
            assert option in said, (command, option)


@pytest.mark.parametrize("code", blocks("py"))
def test_a_task_is_python_of_five_lines(code: str) -> None:
    compile(code, "task", "exec")
    assert len([line for line in code.splitlines() if line and not line.startswith("#")]) <= 5


def test_lines_of_cron_have_five_fields_and_a_command() -> None:
    for line in blocks("cron")[0].splitlines():
        assert re.fullmatch(
            r"(?:[\d*/,-]+ ){5}cd /srv/harvest && /opt/penstock/bin/penstock .+", line
        )


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", ".local/share/bash-completion/completions/penstock"),
        ("zsh", ".zfunc/_penstock"),
        ("fish", ".config/fish/completions/penstock.fish"),
    ],
)
def test_completion_is_installed_for_a_shell(shell: str, place: str, tmp_path: Path) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    words = [sys.executable, "-m", "penstock", "completion"]
    home = {**kept, "HOME": str(tmp_path), "SHELL": f"/bin/{shell}"}
    said = subprocess.run(words, env=home, capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"{tmp_path / place}: ")
    assert "_PENSTOCK_COMPLETE" in (tmp_path / place).read_text()
    assert "penstock completion" in PAGE


def test_bash_completes_by_what_was_installed(tmp_path: Path) -> None:
    folder = Path(sys.executable).parent
    script = """eval "$(penstock completion bash --print)"; COMP_WORDS=(penstock ack); COMP_CWORD=1
        _penstock_completion penstock; echo "${COMPREPLY[@]}" """
    env = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", script], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["acknowledge"]


def test_the_page_and_the_board_of_grafana_name_our_metrics() -> None:
    metrics = Metrics()
    metrics.lag(lambda: 0.0)
    ours = set()
    for family in metrics.registry.collect():
        ours.add(family.name + ("_total" if family.type == "counter" else ""))
    board = (ROOT / "examples" / "grafana.json").read_text(encoding="utf-8")
    json.loads(board)
    assert set(re.findall(r"penstock_[a-z_]+", board)) <= ours
    assert set(re.findall(r"`(penstock_[a-z_]+)`", PAGE)) == ours
