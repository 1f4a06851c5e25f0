"""The ready lines of docs/mongo.md at work, each through a wire that loses messages.

Run by test_frameworks.py where the frameworks are: they are no part of the project's environment.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymongo
from tests.mongo.wire import Wire

from penstock.mongo import connect, counters, resilient

PAGE = (Path(__file__).parents[2] / "docs" / "mongo.md").read_text(encoding="utf-8")
LOST = ("reply", "request")
CUT_OFF = "insert find getMore update aggregate commitTransaction"
SUMS = list(range(1, 151))


def line_of(name: str) -> str:
    """Return what the page says to write."""
    found = re.search(rf"^\| {re.escape(name)} \| `([^`]+)`", PAGE, re.MULTILINE)
    assert found, name
    return found[1]


def done(name: str, **names: Any) -> dict[str, Any]:
    """Carry out a ready line and return all names it has then."""
    known = {
        "connect": connect,
        "resilient": resilient,
        "MongoClient": pymongo.MongoClient,
        **names,
    }
    exec(compile(line_of(name), name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), known)
    return known


def mongoengine(wire: Wire) -> None:
    import mongoengine as m

    done("mongoengine", mongoengine=m, uri=wire.uri.replace("/?", "/shop?"))

    class Order(m.Document):
        sum = m.IntField()

    Order.objects.count()
    wire.lose(CUT_OFF, *LOST)
    for n in range(150):
        Order(sum=n).save()
    assert Order.objects.update(inc__sum=1) == 150
    assert [order.sum for order in Order.objects.order_by("sum")] == SUMS


def beanie(wire: Wire) -> None:
    from beanie import Document, init_beanie

    class Line(Document):
        price: int

    async def work() -> None:
        line = line_of("Beanie").replace("Order", "Line")
        code = compile(line, "Beanie", "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        names = {"connect": connect, "uri": wire.uri, "init_beanie": init_beanie, "Line": Line}
        await eval(code, names)
        wire.lose(CUT_OFF, *LOST)
        await Line.insert_many([Line(price=n) for n in range(150)])
        await Line.find_all().update({"$inc": {"price": 1}})
        assert [line.price async for line in Line.find_all().sort("+price")] == SUMS

    asyncio.run(work())


def odmantic(wire: Wire) -> None:
    from odmantic import Model, SyncEngine

    class Item(Model):
        sum: int

    engine = eval(
        line_of("ODMantic"), {"SyncEngine": SyncEngine, "connect": connect, "uri": wire.uri}
    )
    engine.count(Item)
    wire.lose(CUT_OFF, *LOST)
    engine.save_all([Item(sum=n) for n in SUMS])
    assert [item.sum for item in engine.find(Item, sort=Item.sum)] == SUMS


def apscheduler(wire: Wire) -> None:
    import datetime as dt

    from apscheduler.jobstores.mongodb import MongoDBJobStore
    from apscheduler.schedulers.background import BackgroundScheduler

    names = {"MongoDBJobStore": MongoDBJobStore, "connect": connect, "uri": wire.uri}
    store = eval(line_of("APScheduler 3"), names)
    scheduler = BackgroundScheduler(jobstores={"default": store})
    scheduler.start(paused=True)
    wire.lose(CUT_OFF, *LOST)
    scheduler.add_job(print, "date", run_date=dt.datetime(2100, 1, 1, tzinfo=dt.UTC), id="far")
    assert [job.id for job in scheduler.get_jobs()] == ["far"]
    scheduler.remove_job("far")
    assert scheduler.get_jobs() == []
    scheduler.shutdown()


def flask(wire: Wire) -> None:
    from flask import Flask, current_app

    app = Flask(__name__)
    done("Flask", app=app, uri=wire.uri)

    @app.get("/")
    def orders() -> str:
        return str(current_app.extensions["mongo"].shop.flask.count_documents({}))

    wire.lose(CUT_OFF, *LOST)
    with app.test_client() as browser:
        assert browser.get("/").text == "0"


def flask_pymongo(wire: Wire) -> None:
    from flask import Flask
    from flask_pymongo import PyMongo

    mongo = PyMongo(Flask(__name__), wire.uri.replace("/?", "/shop?"))
    done("Flask-PyMongo", mongo=mongo)
    mongo.db.pages.insert_many([{"_id": n, "n": n} for n in range(150)])
    wire.lose(CUT_OFF, *LOST)
    assert mongo.db.pages.update_many({}, {"$inc": {"n": 1}}).modified_count == 150
    assert mongo.db.pages.find_one_or_404({"_id": 149})["n"] == 150
    assert counters(mongo.db).gave_up == 0


def django(wire: Wire) -> None:
    found = re.search(r"```text\n(from django_mongodb_backend.*?)```", PAGE, re.DOTALL)
    assert found
    package = Path("shop_database")
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "base.py").write_text(found[1], encoding="utf-8")
    sys.path.insert(0, str(Path.cwd()))

    import django as d
    from django.conf import settings

    engine = {"ENGINE": "shop_database", "HOST": wire.uri, "NAME": "shop"}
    auto = "django_mongodb_backend.fields.ObjectIdAutoField"
    settings.configure(DATABASES={"default": engine}, DEFAULT_AUTO_FIELD=auto)
    d.setup()
    from django.db import connection, models

    class Sale(models.Model):
        sum = models.IntegerField()

        class Meta:
            app_label = "shop"

    connection.ensure_connection()
    wire.lose(CUT_OFF, *LOST)
    Sale.objects.bulk_create([Sale(sum=n) for n in range(150)])
    Sale.objects.update(sum=models.F("sum") + 1)
    assert list(Sale.objects.order_by("sum").values_list("sum", flat=True)) == SUMS


def main(uri: str) -> None:
    """Try each and print its name; the first that fails ends it."""
    with pymongo.MongoClient[dict[str, Any]](uri) as plain:
        plain.admin.command("ping")
        assert plain.primary
        plain.drop_database("shop")
        ways: list[Callable[[Wire], None]] = [
            *(mongoengine, beanie, odmantic, apscheduler, flask, flask_pymongo, django),
        ]
        for way in ways:
            assert inspect.isfunction(way)
            with Wire(plain.primary) as wire:
                way(wire)
                assert len(wire.lost) >= 2, (way, wire.lost)
            print(way.__name__, flush=True)
        plain.drop_database("shop")
        plain.drop_database("apscheduler")


if __name__ == "__main__":
    main(sys.argv[1])
