"""The second run of a source with `since`, where nothing is new: how many calls it makes.

.venv/bin/python benchmarks/spine/again.py [ROWS]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
FILE = """
store = {{ path = "s", on_same = "replace" }}
[[resource]]
name = "rows"
path = "/rows"
style = "page"
since = {{ param = "since", field = "at" }}
[[resource]]
name = "parts"
parent = "rows"
path = "/rows/{{parent.id}}/parts"
since = {{ param = "since", field = "at" }}
key = ["_parent.id", "id"]
include = ["id"]
style = "single"
[api]
base = "http://127.0.0.1:{port}"
"""


class Handler(BaseHTTPRequestHandler):
    """Rows whose times run from 0, a hundred a page; one of a hundred has a part."""

    protocol_version = "HTTP/1.1"
    calls = 0

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        query = dict(parse_qsl(asked.query))
        Handler.calls += 1
        since = int(query.get("since", "0"))
        if asked.path == "/rows":
            start = since + 100 * (int(query["page"]) - 1)
            end = min(ROWS, start + 100) if query["page"] != "0" else start
            rows = [{"id": n, "at": n} for n in range(start, end)]
        else:
            number = int(asked.path.split("/")[2])
            rows = [{"id": 0, "at": number}] if number >= since and not number % 100 else []
        text = json.dumps(rows).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None: ...


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "f.toml"
        text = FILE.format(port=server.server_port)
        if ROWS > 2_000:  # children of each row would be as many calls
            text = text.partition('[[resource]]\nname = "parts"')[0] + text[text.index("[api]") :]
        file.write_text(text)
        for number in (1, 2):
            Handler.calls = 0
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            command = [sys.executable, "-m", "penstock", "run", str(file), "--quiet", "--json"]
            ended = subprocess.run(command, capture_output=True, text=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            told = json.loads(ended.stdout)["resources"]
            new = {name: one["new"] for name, one in told.items()}
            print(f"run {number}: {Handler.calls:,} calls, new {new}, {used:.1f} s of CPU")


if __name__ == "__main__":
    main()
