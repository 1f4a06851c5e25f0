"""Every public error and value passes to another process and back."""

from __future__ import annotations

import importlib
import inspect
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest

import penstock
from penstock.clock import FakeClock, SystemClock
from penstock.errors import GaveUp, InputError, PenstockError, RetryableError
from penstock.events import Retry
from penstock.http import (
    Api,
    Basic,
    Bearer,
    Get,
    Headers,
    OAuth2,
    PageNumber,
    Post,
    Profile,
    Secret,
    StatusCall,
)
from penstock.pipeline import Failing, Key, Landing, Mark, Pipeline, Result
from penstock.resilience import (
    DIALECTS,
    BreakerPolicy,
    Budget,
    Hints,
    Limit,
    Quota,
    Reset,
    RetryPolicy,
    Ticket,
)
from penstock.simulator import Simulator, SimulatorSettings
from penstock.store import LocalStore

ROOMS = sorted(path.parent.name for path in Path(penstock.__file__).parent.glob("*/__init__.py"))


def errors() -> list[type[PenstockError]]:
    """All errors of the package: those that a room offers, and those inside."""
    for room in ROOMS:
        for path in (Path(penstock.__file__).parent / room).glob("*.py"):
            if path.stem != "__init__":
                importlib.import_module(f"penstock.{room}.{path.stem}")
    found: list[type[PenstockError]] = []
    rest: list[type[PenstockError]] = [PenstockError]
    while rest:
        kind = rest.pop()
        found.append(kind)
        rest += kind.__subclasses__()
    return sorted(set(found), key=lambda kind: (kind.__module__, kind.__qualname__))


def made(kind: type[PenstockError]) -> PenstockError:
    """Return one, made with a value for every argument that it wants."""
    try:
        parameters = inspect.signature(kind).parameters.values()
    except ValueError:  # as Exception has it
        return kind("what was wrong")
    given: dict[str, object] = {}
    positional: list[object] = []
    for parameter in parameters:
        value: object = 3 if "int" in str(parameter.annotation) else f"some {parameter.name}"
        if parameter.kind is parameter.KEYWORD_ONLY:
            given[parameter.name] = value
        elif parameter.kind is not parameter.VAR_KEYWORD:
            positional.append(value)
    return kind(*positional, **given)


@pytest.mark.parametrize("kind", errors(), ids=lambda kind: kind.__qualname__)
@pytest.mark.parametrize("protocol", [0, pickle.HIGHEST_PROTOCOL])
def test_every_error_survives_pickling(kind: type[PenstockError], protocol: int) -> None:
    error = made(kind)
    error.status, error.excerpt = 503, "what it said"
    back = pickle.loads(pickle.dumps(error, protocol))
    assert type(back) is kind
    assert (str(back), back.args, vars(back)) == (str(error), error.args, vars(error))


def test_what_an_error_says_of_its_calls_is_kept() -> None:
    back = pickle.loads(pickle.dumps(GaveUp("no", attempts=5)))
    assert back.attempts == 5
    error = RetryableError("no", retry_after=3.0, sent=False)
    back = pickle.loads(pickle.dumps(error))
    assert (back.retry_after, back.sent) == (3.0, False)


VALUES = [
    Result(7, {"a": 1}),
    Landing(7, b"{}"),
    Failing(7, "GaveUp", "no"),
    Mark("pages", "3"),
    Get("/users/7", query={"a": "b"}),
    Post("/users", json={"a": [1, None]}),
    Profile(connect=3.0),
    StatusCall(path="/status"),
    PageNumber(),
    Hints((Quota("a", limit=3.0, reset=Reset(4.0)),)),
    Limit(3, per=4),
    RetryPolicy(attempts=3, never={404}),
    BreakerPolicy(failures=3),
    Retry(key=7, attempt=1, wait=0.5, reason="503"),
    *DIALECTS,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_every_value_survives_pickling(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        Headers(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"),
        Basic("me", Secret("pw")),
        Bearer(Secret("pw")),
        SystemClock(),
        FakeClock(),
        Ticket(1, 0.0, {"requests": 1.0}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_equal_to_its_copy_passes_too(value: object) -> None:
    assert repr(pickle.loads(pickle.dumps(value))).partition(" object")[0] in repr(value)


def test_an_api_passes_with_its_settings_and_is_one_in_each_process() -> None:
    api = Api(
        "https://a.example/v1",
        auth=OAuth2("https://a.example/token", "me", Secret("pw")),
        retry=RetryPolicy(attempts=2),
        budget=Budget(reserve=3),
        headers={"X-Tenant": "7"},
        cookies=True,
    )
    sent = pickle.dumps(api)
    assert pickle.loads(sent) is api  # in this process it is itself
    code = (
        "import pickle, sys; sent = sys.stdin.buffer.read(); api = pickle.loads(sent);"
        "assert api is pickle.loads(sent);"
        "print(api, api.retry.attempts, api.budget.reserve, api.profile.cookies, api.auth)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=True)
    assert done.stdout.decode().split() == [
        *("Api('https://a.example/v1')", "2", "3.0", "1", "OAuth2('https://a.example/token')")
    ]


def test_an_api_with_a_refresh_token_stays_where_it_is() -> None:
    auth = OAuth2("https://a.example/token", "me", Secret("pw"), refresh_token=Secret("once"))
    with pytest.raises(InputError, match="belongs to one process"):
        pickle.dumps(Api("https://a.example", auth=auth))


def name_of(api: Api, key: Key) -> object:
    return getattr(api.get(f"/users/{key}.json"), "id", None)


def test_an_api_calls_in_processes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with (
        Simulator(SimulatorSettings(users=20)) as simulator,
        ProcessPoolExecutor(2, context) as pool,
        LocalStore(tmp_path) as store,
    ):
        api = Api(simulator.url)
        Pipeline(range(20)).in_threads(partial(name_of, api), executor=pool).land(store)
        assert store.status().landed == 20


def test_processes_refuse_a_function_that_cannot_be_sent_before_any_key_is_tried() -> None:
    with ProcessPoolExecutor(1) as pool, pytest.raises(InputError, match="top of a module"):
        Pipeline([1]).in_threads(lambda key: key, executor=pool)
