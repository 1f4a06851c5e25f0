"""A notebook, executed by its own programs: progress, summary, and the heads of values."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.ready import ready

from penstock.clock import FakeClock
from penstock.pipeline import Counts
from penstock.telemetry import Live

CELLS = (
    """
from penstock.pipeline import Pipeline, RowFeed
from penstock.store import LocalStore
from penstock.http import Record
from penstock.telemetry import Live
rows = [{"id": n, "name": f"<b>{n}</b>"} for n in range(12)]
store = LocalStore("users")
Pipeline(RowFeed(rows, key="id")).land(store, progress=Live(total=12))
""",
    "store",
    'Record({"a": {"b": "<i>"}})',
)
EXECUTE = """
import json, nbformat, sys
from nbclient import NotebookClient
book = nbformat.v4.new_notebook()
book.cells = [nbformat.v4.new_code_cell(text) for text in json.loads(sys.argv[1])]
NotebookClient(book, timeout=60, kernel_name="python3").execute()
print(json.dumps([cell.outputs for cell in book.cells]))
"""


def test_a_notebook_shows_a_run_and_a_store(tmp_path: Path) -> None:
    folder = ready("notebook")
    paths = {"PYTHONPATH": str(folder), "JUPYTER_PATH": str(folder / "share" / "jupyter")}
    home = {"HOME": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path / "run")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EXECUTE, json.dumps(CELLS)],
        cwd=tmp_path,
        env={**os.environ, **paths, **home},
        check=True,
        capture_output=True,
        text=True,
    )
    landed, store, record = json.loads(done.stdout)
    shown: list[dict[str, Any]] = [one["data"] for one in landed if "data" in one]
    assert any("12 of 12 landed" in one.get("text/plain", "") for one in shown)
    assert "<td>12</td><td>0</td>" in shown[-1]["text/html"]
    head = store[-1]["data"]["text/html"]
    assert "12 landed, 0 failed" in head
    assert "&lt;b&gt;0&lt;/b&gt;" in head
    assert "<b>" not in head
    assert "&lt;i&gt;" in record[-1]["data"]["text/html"]


def test_elsewhere_it_is_one_line() -> None:
    out, clock = io.StringIO(), FakeClock()
    live = Live(100, out, clock)
    for landed in (1, 2, 100):
        clock.sleep(0.2)
        live(Counts(landed=landed, failed=1, complete=landed == 100))
    assert out.getvalue().split("\r\x1b[K") == [
        "",
        "2 of 100 landed, 1 failed, 8/s",
        "100 of 100 landed, 1 failed, 168/s\n",
    ]
