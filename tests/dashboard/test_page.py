"""The dashboard in a real browser: what it shows, what it asks, what it lets through."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests import waiting
from tests.reading.chromium import Chromium
from tests.ready import ready
from tests.real.conftest import free_port

from penstock.dashboard import Dashboard, Watch
from penstock.dashboard.server import _RunView, _written
from penstock.errors import InputError
from penstock.events import Events
from penstock.pipeline import FailedRecord, LandedRecord
from penstock.simulator import Simulator, SimulatorSettings
from penstock.store import LocalStore, open_readonly
from penstock.testing.store_contract import land

HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
AXE = """axe.run({runOnly: ['wcag2a', 'wcag2aa', 'best-practice']}).then((result) =>
    JSON.stringify(result.violations.map((v) => [v.id, v.nodes.map((n) => n.html)])))"""
HOSTS = """JSON.stringify(
    performance.getEntriesByType('resource').map((e) => new URL(e.name).host))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium(str(ready("chromium")), 390, 844) as one:
        one.call("Network.enable")
        one.call("Log.enable")
        yield one


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    place = tmp_path / "<b>store"
    with LocalStore(place) as store:
        store.expect(10)
        bad = FailedRecord("2" + HOSTILE, HOSTILE, HOSTILE, status=404)
        land(store, LandedRecord(HOSTILE, json.dumps(HOSTILE).encode()), bad)
    return place


def until(browser: Chromium, condition: str) -> None:
    """Wait until a condition holds in the page."""
    look = f"const look = () => ({condition}) ? done() : setTimeout(look, 50)"
    browser.run(f"new Promise((done) => {{ {look}; look() }})")


def shown(browser: Chromium, page: Dashboard) -> None:
    browser.open(page.url)
    until(browser, "document.body.dataset.seen > 0")


def text(browser: Chromium, query: str) -> str:
    return str(browser.run(f"document.querySelector({query!r}).textContent"))


def test_a_hostile_store_shows_as_text_and_nothing_is_fetched_from_elsewhere(
    browser: Chromium, hostile: Path
) -> None:
    with Dashboard([Watch(hostile)], port=0) as page:
        shown(browser, page)
        browser.run("document.querySelector('.failures button').click()")
        until(browser, "document.querySelector('.examples li')")
        assert text(browser, ".failures .what") == f"{HOSTILE} 404"
        assert text(browser, ".examples li") == f"2{HOSTILE} {HOSTILE}"
        assert text(browser, "h2").endswith("<b>store")
        assert text(browser, "tbody td") == HOSTILE
        assert browser.run("document.title") == "penstock"
        assert browser.run("document.querySelectorAll('main img, main script').length") == 0
        asked = browser.run(HOSTS)
        assert set(json.loads(str(asked))) <= {urlsplit(page.url).netloc}
        browser.run("document.querySelector('details').open = true")
        assert browser.run("document.documentElement.scrollWidth <= innerWidth") is True
        assert "Log.entryAdded" not in browser.events


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Chromium, hostile: Path, scheme: str) -> None:
    browser.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    with Dashboard([Watch(hostile), Watch(hostile.parent / "none")], port=0) as page:
        shown(browser, page)
        browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        browser.run(ready("axe-core").read_text() + ";0")
        assert json.loads(str(browser.run(AXE))) == []


def test_failed_keys_are_acknowledged_and_put_back_by_keyboard(
    browser: Chromium, hostile: Path
) -> None:
    with Dashboard([Watch(hostile)], port=0) as page:
        shown(browser, page)
        browser.run("document.querySelectorAll('.kind button')[2].focus()")
        browser.press("Enter", "\r")
        until(browser, "document.getElementById('said').textContent.includes('acknowledged')")
        until(browser, "document.querySelector('.count').textContent == '1 (1 acknowledged)'")
        browser.run("document.querySelectorAll('.kind button')[1].focus()")
        browser.press("Enter", "\r")
        until(browser, "!document.querySelector('.failures .none').hidden")
    with open_readonly(hostile) as store:
        assert (store.status().failed, store.state("2" + HOSTILE)) == (0, "pending")


def test_a_run_moves_the_bar_and_a_killed_one_turns_red(browser: Chromium, tmp_path: Path) -> None:
    with Simulator(SimulatorSettings(users=100_000, limit=0, latency=0.02)) as server:
        (tmp_path / "run.toml").write_text(
            f'store = "s"\n[source]\nkind = "range"\nstop = 100000\n[api]\nbase = "{server.url}"\n'
            '[request]\npath = "/users/{key}.json"\n'
        )
        command = [sys.executable, "-m", "penstock", "run", "run.toml", "--quiet", "--dashboard"]
        with (
            subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as run,
            Dashboard([Watch(tmp_path / "s")], port=0) as page,
        ):
            assert run.stderr is not None
            assert run.stderr.readline().startswith("dashboard: http://127.0.0.1:")
            shown(browser, page)
            until(browser, "document.querySelector('.is-running')")
            bar = "parseFloat(document.querySelector('.bar i').style.transform.slice(7))"
            until(browser, f"{bar} > 0")
            before = browser.run(bar)
            until(browser, f"{bar} > {before}")
            with pytest.raises(
                AssertionError
            ):  # the run has the store: it is said, nothing changes
                assert ask(page, "POST", "/put-back", token(page))[0] == 200
            run.kill()
            # Nobody has waited for it yet: dead all the same.
            until(browser, "document.querySelector('.is-lost')")
            run.wait()


def token(page: Dashboard) -> dict[str, str]:
    return {"X-Penstock-Token": page.url.partition("token=")[2]}


def ask(
    page: Dashboard, method: str, path: str, headers: dict[str, str], **body: object
) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(page.url).netloc)
    sent = json.dumps({"store": 0, "error": "PermanentError", "status": 404, **body})
    connection.request(method, path, sent if method == "POST" else None, headers)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_changes_need_the_token_and_the_pages_own_origin(hostile: Path) -> None:
    with Dashboard([Watch(hostile)], port=0) as page:
        mine, here = token(page), f"http://{urlsplit(page.url).netloc}"
        for headers in (
            {},
            {"X-Penstock-Token": "x"},
            {**mine, "Origin": "http://evil.example"},
            {**mine, "Sec-Fetch-Site": "cross-site"},
        ):
            assert ask(page, "POST", "/acknowledge", headers)[0] == 403
        assert ask(page, "GET", "/acknowledge", mine)[0] == 405
        assert ask(page, "POST", "/acknowledge", {**mine, "Origin": here})[0] == 200
        assert ask(page, "POST", "/acknowledge", mine, store=7)[0] == 400
        assert ask(page, "GET", "/", {**mine, "Host": "evil.example"})[0] == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0.0.0.0"])
def test_nothing_answers_without_the_token(hostile: Path, host: str) -> None:
    """To another user of the machine or of the network: the page shows keys."""
    with Dashboard([Watch(hostile)], host, 0) as page:
        plain, _, mine = page.url.partition("?token=")
        for path in ("", "events", "examples", "static/page.js", "nothing", "?token=", "?token=x"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(plain + path)
            assert refused.value.code == 403
            assert mine not in refused.value.read().decode()
            refused.value.close()
        with urllib.request.urlopen(page.url) as answer:
            assert "Set-Cookie" not in answer.headers  # it would go to other ports of this machine
        assert ask(page, "GET", "/static/page.js", token(page))[0] == 200


def test_runs_are_filtered_by_keyboard(browser: Chromium, hostile: Path) -> None:
    none = hostile.parent / "none"
    with Dashboard([Watch(hostile), Watch(none)], port=0) as page:
        shown(browser, page)
        browser.press("/")
        assert browser.run("document.activeElement.id") == "words"
        browser.call("Input.insertText", text="NONE unreadable")
        until(browser, "document.getElementById('found').textContent == '1 of 2'")
        assert text(browser, ".run:not([hidden]) h2").endswith("none")
        browser.press("Tab")
        for letter in "with":  # a list is gone through by its letters
            browser.press(letter, letter)
        until(browser, "document.getElementById('found').textContent == '0 of 2'")
        browser.run("document.getElementById('words').focus()")
        browser.press("Escape")
        until(browser, "document.querySelector('.run:not([hidden]) .what')")
        assert "Log.entryAdded" not in browser.events


def test_a_page_hears_again_after_a_break_and_says_that_the_dashboard_was_begun_again(
    browser: Chromium, hostile: Path
) -> None:
    with Dashboard([Watch(hostile)], port=0) as page:
        shown(browser, page)
        assert text(browser, "#link") == "live"
    browser.run("heard -= 6000")
    until(browser, "document.body.matches('.is-stale')")
    assert "as of" in text(browser, "#link")
    with Dashboard([Watch(hostile)], port=int(urlsplit(page.url).port or 0)):
        until(browser, "document.getElementById('link').textContent.startsWith('begun again')")


def test_a_page_that_nobody_sees_is_drawn_when_it_is_seen(browser: Chromium, hostile: Path) -> None:
    with Dashboard([Watch(hostile)], port=0) as page:
        shown(browser, page)
        hidden = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => %s})"
        browser.run(hidden % "true" + ";0")
        with LocalStore(hostile) as store:
            land(store, LandedRecord(7, b"{}"))
        until(browser, "runs[0].landed == 2")
        assert text(browser, "[data-n=landed]") == "1"
        browser.run(hidden % "false" + "; document.dispatchEvent(new Event('visibilitychange')); 0")
        assert text(browser, "[data-n=landed]") == "2"


def test_pages_of_one_browser_share_a_connection(browser: Chromium, hostile: Path) -> None:
    """It allows six to a server: the seventh page stayed empty, and no button answered."""
    with Dashboard([Watch(hostile)], port=0) as page:
        shown(browser, page)
        others = [browser.tab(page.url) for _ in range(6)]
        browser.run("document.querySelectorAll('.kind button')[2].click()")
        until(browser, "document.getElementById('said').textContent.includes('acknowledged')")
        for other in others:
            browser.close_tab(other)


def test_behind_a_proxy_it_may_have_a_path_of_its_own(hostile: Path, tmp_path: Path) -> None:
    with Dashboard([Watch(hostile)], port=0) as page, nginx(page, tmp_path) as front:
        query = f"?token={page.url.partition('token=')[2]}"
        with urllib.request.urlopen(f"{front}/runs/{query}") as answer:
            paths = re.findall(r'(?:href|src)="([^"]+token[^"]+)"', answer.read().decode())
        assert len(paths) == 5
        for path in paths:
            assert urllib.request.urlopen(f"{front}/runs/{path}").status == 200
        with urllib.request.urlopen(f"{front}/runs/events{query}") as events:
            assert events.readline() == b"retry: 1000\n"
        sent = {**token(page), "Origin": "https://runs.example", "Sec-Fetch-Site": "same-origin"}
        body = json.dumps({"store": 0, "error": HOSTILE, "status": 404}).encode()
        put = urllib.request.Request(f"{front}/runs/acknowledge", body, sent)
        with urllib.request.urlopen(put) as answer:
            assert json.load(answer)["text"] == "1 failed keys are acknowledged"


@contextlib.contextmanager
def nginx(page: Dashboard, folder: Path) -> Iterator[str]:
    port = free_port()
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/log; events {{}}\nhttp {{"
        f" access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;"
        f" fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f" server {{ listen 127.0.0.1:{port};"
        f" location /runs/ {{ proxy_pass http://{urlsplit(page.url).netloc}/; }} }} }}\n"
    )
    command = [str(ready("nginx")), "-e", f"{folder}/log", "-c", f"{folder}/nginx.conf"]
    with subprocess.Popen(command, text=True) as front:
        waiting.until(lambda: answers(port), front)
        yield f"http://127.0.0.1:{port}"
        front.terminate()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_a_look_that_fails_or_takes_long_is_said_and_stops_no_other(tmp_path: Path) -> None:
    """Old figures would stand there as new ones."""
    run = _RunView(Watch(tmp_path / "none"))
    run.watch._stored = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value] # any fault of ours
    run.saw(run.look(), 1)
    assert run.news(0) == {
        "state": "unreadable",
        "reason": "",
        "name": str(tmp_path / "none"),
        "problem": "ZeroDivisionError: division by zero",
        "point": None,
        "points": [],
    }
    assert run.news(2) is None
    run._begun = time.monotonic() - 11
    run.wait_for(3)
    said = run.news(2)
    assert said is not None
    assert "has not answered" in str(said["problem"])


def test_numbers_that_json_does_not_have_are_null() -> None:
    assert _written({"a": [float("nan"), (float("inf"), 1.5)], "b": b"x"}) == (
        '{"a": [null, [null, 1.5]], "b": "b\'x\'"}'
    )


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with Dashboard([], port=0) as page, pytest.raises(InputError, match="in use"):
        Dashboard([Watch(tmp_path)], port=int(urlsplit(page.url).port or 0))


def test_a_store_that_is_not_there_yet_is_shown_when_it_is(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "s")
    assert watch.look()["state"] == "unreadable"
    with LocalStore(tmp_path / "s") as store:
        store.expect(2)
        land(store, LandedRecord(1, b"{}"))
        watch._again = 0
        seen = watch.look()
    assert (seen["landed"], seen["state"]) == (1, "idle")
    watch.close()
    assert Events().calls_wanted is False
