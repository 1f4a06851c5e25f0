"""A source of one's own over a broker that nobody here wrote: mosquitto."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt import publish
from tests.ready import ready
from tests.real.conftest import free_port

from penstock.store import open_readonly

EXAMPLE = Path(__file__).parents[2] / "examples" / "mqtt_source.py"
FILE = """\
store = "store"
[source]
kind = "python"
object = "mqtt_source:Mqtt"
host = "127.0.0.1"
port = {port}
topic = "sensors/#"
client = "penstock"
seconds = {seconds}
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """mosquitto with nobody's password, on a port of its own."""
    port = free_port()
    (tmp_path / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    words: list[str | Path] = [ready("mosquitto"), "-c", tmp_path / "mosquitto.conf"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as going:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert going.poll() is None
        yield port
        going.terminate()


def penstock(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words: list[str | Path] = [
        sys.executable,
        "-m",
        "penstock.cli.main",
        command,
        folder / "f.toml",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def texts(folder: Path) -> list[str]:
    with open_readonly(folder / "store") as store:
        return [json.loads(record.body)["text"] for record in store.records()]


def test_messages_that_came_while_we_were_away_land_once(broker: int, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    (tmp_path / "f.toml").write_text(FILE.format(port=broker, seconds=0.3))
    assert "mqtt://127.0.0.1" in penstock("check", tmp_path).stdout
    penstock("run", tmp_path)  # the broker knows us from now on
    sent = [f"reading {number}" for number in range(60)]
    messages = [{"topic": "sensors/a", "payload": text, "qos": 1} for text in sent]
    publish.multiple(messages, hostname="127.0.0.1", port=broker)  # type: ignore[arg-type] # its own type is a dict
    (tmp_path / "f.toml").write_text(FILE.format(port=broker, seconds=3))
    penstock("run", tmp_path)
    assert texts(tmp_path) == sent
    penstock("run", tmp_path)
    assert texts(tmp_path) == sent  # all of them were acknowledged
