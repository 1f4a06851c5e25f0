"""What this machine is short of is not the item's failure."""

import subprocess
import sys

from penstock.http.faults import shortage

FEW = """
import resource, socket, sys, threading
from penstock import Api, RetryPolicy
from penstock.errors import InputError
from penstock.http import Get

listening = socket.create_server(("127.0.0.1", 0), backlog=128)
base = "http://127.0.0.1:%d" % listening.getsockname()[1]

def answer(connection):
    with connection:
        connection.recv(65536)
        head = b"HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\nConnection: close\\r\\n\\r\\n"
        connection.sendall(head + b"7")

def serve():
    while True:
        try:
            answer(listening.accept()[0])
        except OSError:
            pass

threading.Thread(target=serve, daemon=True).start()
api = Api(base, retry=RetryPolicy(attempts=1))
with api.session(8) as calls:
    first = api.call(Get("/"))
    used = open("/dev/null").fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 12, used + 12))
    for key in range(100):
        calls.submit(key, Get("/"))
    done = []
    while calls.pending:
        done += calls.collect()
print(len(done), sum(result.error is None for result in done), {str(r.error) for r in done})
resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
try:
    api.calls(500)
except InputError as error:
    print(error)
"""


def test_calls_without_a_free_descriptor_are_held_back() -> None:
    done = subprocess.run([sys.executable, "-c", FEW], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert lines[:1] == ["100 100 {'None'}"], (lines, done.stderr)


def test_too_many_calls_at_once_are_said_before_the_run() -> None:
    code = FEW[FEW.index("import resource") : FEW.index("def answer")] + (
        "resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))\n"
        "try:\n    Api(base).calls(500)\n"
        "except InputError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "need about 550 open files, and 60 are allowed" in done.stdout, done.stderr
    assert "a concurrency of 10" in done.stdout


def test_a_refused_connection_is_no_shortage() -> None:
    assert shortage(7, 111, "Failed to connect") is None
    assert shortage(7, 24, "") == "Too many open files"
