"""What this machine is short of is not the item's failure."""

import subprocess
import sys

from tests.http.wire import Peer, answer, wire

from penstock.http.faults import shortage

FEW = """
import resource, sys
from penstock import Api, RetryPolicy
from penstock.http import Get

api = Api(sys.argv[1], retry=RetryPolicy(attempts=1))
with api.session(8) as calls:
    api.call(Get("/"))
    used = open("/dev/null").fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 4, used + 4))
    for key in range(100):
        calls.submit(key, Get("/"))
    done = []
    while calls.pending:
        done += calls.collect()
print(len(done), sum(result.error is None for result in done), {str(r.error) for r in done})
"""
MANY = """
import resource, sys
from penstock import Api
from penstock.errors import InputError

resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
try:
    Api("http://127.0.0.1:1").calls(500)
except InputError as error:
    print(error)
"""


def close_after(peer: Peer) -> None:
    if peer.request() is not None:
        peer.send(answer(b"7", 200, "Connection: close"))


def test_calls_without_a_free_descriptor_are_held_back() -> None:
    """The server is of another process: it lacks none."""
    with wire(close_after) as server:
        words = [sys.executable, "-c", FEW, server.url]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["100 100 {'None'}"], (done.stdout, done.stderr)


def test_too_many_calls_at_once_are_said_before_the_run() -> None:
    words = [sys.executable, "-c", MANY]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "need about 550 open files, and 60 are allowed" in done.stdout, done.stderr
    assert "a concurrency of 10" in done.stdout


def test_a_refused_connection_is_no_shortage() -> None:
    assert shortage(7, 111, "Failed to connect") is None
    assert shortage(7, 24, "") == "Too many open files"
