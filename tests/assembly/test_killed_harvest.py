"""``kill -9`` in the middle of an incremental run with children: nothing lost, nothing stale.

``PENSTOCK_KILLS=50`` kills at so many moments.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.assembly.test_again import landed, penstock
from tests.http.wire import Asked, answer, answering, wire

PARENTS = 12
SIZE = 2
KILLS = int(os.environ.get("PENSTOCK_KILLS", "5"))
FILE = """
[store]
path = "s"
on_same = "replace"
[[resource]]
name = "shops"
path = "/shops"
style = "page"
size = 2
since = { param = "since", field = "at" }
[[resource]]
name = "orders"
parent = "shops"
path = "/shops/{parent.id}/orders"
style = "page"
size = 2
since = { param = "since", field = "at" }
key = ["_parent.id", "id"]
include = ["id"]
[api]
base = "BASE"
concurrency = 4
"""


class Shops:
    """Shops with orders, which change all at once; kills a process at one of its calls."""

    def __init__(self) -> None:
        self.version = 1
        self.calls = 0
        self.kill: tuple[int, int] | None = None

    @property
    def shops(self) -> list[dict[str, int]]:
        """Two of three change with each version, in no order."""
        changed = {n: self.version if n % 3 else 1 for n in range(PARENTS)}
        order = sorted(changed, key=lambda n: n * 7 % PARENTS)
        return [{"id": n, "at": 100 * changed[n] + n, "v": changed[n]} for n in order]

    def orders(self, shop: int) -> list[dict[str, int]]:
        """Every other one changes with its shop, and is asked for by its own time."""
        version = next(one["v"] for one in self.shops if one["id"] == shop)
        versions = {n: 1 if n % 2 else version for n in range(3 + version)}
        return [{"id": n, "at": 100 * v + n, "v": v} for n, v in versions.items()]

    def reply(self, asked: Asked) -> bytes:
        self.calls += 1
        if self.kill is not None and self.calls >= self.kill[0]:
            os.kill(self.kill[1], signal.SIGKILL)
        path, _, text = asked.target.partition("?")
        query = dict(pair.split("=") for pair in text.split("&"))
        rows = self.shops if path == "/shops" else self.orders(int(path.split("/")[2]))
        since = int(query.get("since", "0"))
        rows = [row for row in rows if row.get("at", since) >= since]
        start = SIZE * (int(query["page"]) - 1)
        return answer(json.dumps(rows[start : start + SIZE]).encode())


def test_kill_9_in_an_incremental_run_with_children(tmp_path: Path) -> None:
    shops = Shops()
    with wire(answering(shops.reply)) as server:
        (tmp_path / "f.toml").write_text(FILE.replace("BASE", server.url))
        penstock("run", tmp_path / "f.toml", "--quiet")
        shops.version, shops.calls = 2, 0
        shutil.copytree(tmp_path / "s", tmp_path / "before")
        penstock("run", tmp_path / "f.toml", "--quiet")
        whole = shops.calls
        # As many as are under way ask where lists begin: another run may have 3 calls less.
        last = whole - 4
        expected = {one["id"]: one for one in shops.shops}
        for number in range(KILLS):
            moment = 1 + number * (last - 1) // max(1, KILLS - 1)
            shutil.rmtree(tmp_path / "s")
            shutil.copytree(tmp_path / "before", tmp_path / "s")
            killed(shops, tmp_path / "f.toml", moment)
            penstock("run", tmp_path / "f.toml", "--quiet")
            assert landed(tmp_path / "s" / "shops") == expected, moment
            orders = landed(tmp_path / "s" / "orders")
            found = {(r["_parent"]["id"], r["id"]): r["v"] for r in orders.values()}
            assert found == {
                (shop, one["id"]): one["v"] for shop in expected for one in shops.orders(shop)
            }, moment
            # What was read within one group commit (50 ms) is read again, and the list of shops.
            print(f"killed at call {moment} of {whole}: {shops.calls - whole} calls again")
            assert shops.calls - whole < whole, moment


def killed(shops: Shops, file: Path, moment: int) -> None:
    """Run a file until its ``moment``-th call."""
    shops.calls = 0
    command = [sys.executable, "-m", "penstock", "run", str(file), "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        shops.kill = (moment, run.pid)
        code = run.wait()
    shops.kill = None
    assert code == -signal.SIGKILL
