"""A watch of Kubernetes by kmock, an API server in memory that nobody here wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.ready import ready

from penstock.http import Api, Delete, Patch, Post
from penstock.streaming import Message, ServerNotice, Stream

SERVER = """
import asyncio, sys
from kmock import KubernetesEmulator, Server

async def main():
    async with KubernetesEmulator() as there, Server(there, port=0) as server:
        print(server.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
def cluster() -> Iterator[Api]:
    words = [sys.executable, "-c", SERVER]
    pipe, env = subprocess.PIPE, {"PYTHONPATH": str(ready("kmock"))}
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, env=env, text=True) as server:
        assert server.stdout is not None
        try:
            yield Api(server.stdout.readline().strip())
        finally:
            server.kill()


def change(cluster: Api, version: int, phase: str | None) -> None:
    """Make the pod, change it, or, without a phase, delete it."""
    meta = {"name": "p", "namespace": "default", "uid": "u", "resourceVersion": str(version)}
    pod = {"metadata": meta, "phase": phase}
    if phase is None:
        cluster.call(Delete(f"{PODS}/p"))
    else:
        cluster.call(Post(PODS, json=pod) if version == 1 else Patch(f"{PODS}/p", json=pod))


@pytest.mark.parametrize("own_id", [None, "object.metadata.uid"])
def test_each_change_of_a_watch_comes_as_it_is_made(cluster: Api, own_id: str | None) -> None:
    seen: list[tuple[str, object, object]] = []
    steps = iter([(2, "Running"), (3, "Succeeded"), (3, None)])
    change(cluster, 1, "Pending")
    with Stream(f"{cluster.base}{PODS}", preset="kubernetes", id=own_id) as stream:
        for item in stream:
            assert isinstance(item, Message | ServerNotice)
            seen.append((item.kind, item.id, json.loads(item.body)["object"]["phase"]))
            if (step := next(steps, None)) is None:
                break
            change(cluster, *step)
        assert stream.cursor is not None
        assert stream.cursor.position == "3"
    gone = "DELETED" if own_id is None else "delete"
    assert seen == [
        ("ADDED", "u", "Pending"),
        ("MODIFIED", "u", "Running"),
        ("MODIFIED", "u", "Succeeded"),
        (gone, "u", "Succeeded"),
    ]
