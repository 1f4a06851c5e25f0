"""What is wrong at the other end is one clear line, in time and without the password."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from tests.real.mongod import Mongo

from penstock.errors import InputError
from penstock.mongo import MongoGaveUp, connect
from penstock.mongo.dev.server import find_mongod, free_ports
from penstock.mongo.server_check import verdict

SECRET = "s3cr%40t"


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[int]:
    """The port of a standalone server that asks for a password."""
    (port,) = free_ports(1)
    (tmp_path / "data").mkdir()
    options = f"--port {port} --auth --bind_ip 127.0.0.1 --wiredTigerCacheSizeGB 0.25".split()
    places = ["--dbpath", str(tmp_path / "data"), "--logpath", str(tmp_path / "log")]
    sockets = ["--unixSocketPrefix", str(tmp_path)]
    server = subprocess.Popen([find_mongod(), *options, *places, *sockets])
    try:
        with pymongo.MongoClient[dict[str, Any]]("127.0.0.1", port) as client:
            client.admin.command("createUser", "me", pwd="right", roles=["root"])
        yield port
    finally:
        server.kill()
        server.wait()


def test_a_wrong_password_and_a_standalone_server_are_named(alone: int) -> None:
    with pytest.raises(InputError, match="refused the user name or password") as caught:
        connect(f"mongodb://me:{SECRET}@127.0.0.1:{alone}/?authSource=admin", deadline=20)
    assert_no_secret(caught.value)
    with pytest.raises(InputError, match=r"standalone server.*--replSet"):
        connect(f"mongodb://me:right@127.0.0.1:{alone}/?authSource=admin", deadline=20)

    async def first_use() -> None:
        uri = f"mongodb://me:{SECRET}@127.0.0.1:{alone}/?authSource=admin"
        async with connect(uri, asynchronous=True, deadline=20) as client:
            await client.shop.orders.find_one()

    with pytest.raises(pymongo.errors.OperationFailure, match="Authentication failed") as refused:
        asyncio.run(first_use())
    assert_no_secret(refused.value)


def test_nobody_there_is_told_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
    uri = f"mongodb://me:{SECRET}@127.0.0.1:{port},no-such-host.invalid:1/?replicaSet=rs"
    with pytest.raises(MongoGaveUp, match="not done within 1 s") as caught:
        connect(uri, deadline=1)
    assert_no_secret(caught.value)
    assert not caught.value.maybe_applied


def test_one_that_answers_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"mongodb://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(MongoGaveUp):
            connect(uri, deadline=1)


def test_a_set_of_another_name_is_nobody(mongo: Mongo) -> None:
    uri = mongo.uri.replace("replicaSet=penstock", "replicaSet=other")
    with pytest.raises(MongoGaveUp):
        connect(uri, deadline=1)


@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb://me:{SECRET}:more@host/",
        f"mongodb://me:{SECRET}@host:port/",
        f"mongodb://me:{SECRET}@/",
        f"mongo://me:{SECRET}@host/",
        f"mongodb://me:{SECRET}@host/?w=majority&readPreference=sometimes",
        f"mongodb://me:{SECRET}@host/?maxStalenessSeconds=120",
        "",
    ],
)
def test_a_bad_address_is_one_line_without_the_password(uri: str) -> None:
    with pytest.raises(InputError) as caught:
        connect(uri, deadline=1)
    assert_no_secret(caught.value)
    assert "\n" not in str(caught.value)


def assert_no_secret(error: BaseException) -> None:
    one: BaseException | None = error
    while one is not None:
        for secret in (SECRET, "s3cr@t", "s3cr"):
            assert secret not in str(one)
            assert secret not in repr(one)
        one = one.__cause__ or one.__context__


def test_the_password_is_not_in_what_a_client_says_of_itself() -> None:
    with pymongo.MongoClient[dict[str, Any]](
        "mongodb://h", connect=False, username="me", password="s3cr@t"
    ) as plain:
        from penstock.mongo import resilient

        assert "s3cr" not in repr(resilient(plain))
        assert "s3cr" not in repr(resilient(plain).shop.orders)


def test_a_set_that_can_never_confirm_is_named() -> None:
    hello: dict[str, Any] = {
        "setName": "rs",
        "maxWireVersion": 17,
        "hosts": ["a:1"],
        "arbiters": ["b:1", "c:1"],
    }
    assert "no majority can ever confirm" in (verdict(hello, majority=True) or "")
    assert verdict(hello, majority=False) is None
    assert verdict({**hello, "hosts": ["a:1", "d:1", "e:1"]}, majority=True) is None


def test_an_old_server_is_named_and_a_router_is_welcome() -> None:
    assert "older than 4.4" in (verdict({"maxWireVersion": 8}, majority=True) or "")
    assert verdict({"maxWireVersion": 17, "msg": "isdbgrid"}, majority=True) is None
