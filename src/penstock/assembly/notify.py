"""A hook that hears how a run goes: one POST for each kind of news, never in the way of landing."""

from __future__ import annotations

import contextlib
import queue
import re
import threading
from collections.abc import Callable
from typing import Literal, TypeAlias, final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import msgspec

from penstock.assembly.sections import NotifySection
from penstock.errors import InputError, PenstockError, RetryableError
from penstock.events import Event, Failed
from penstock.http import Api, Basic, Post, Profile, secret
from penstock.resilience import RetryPolicy

News: TypeAlias = Literal["failed", "stopped", "gave-up", "done"]
_ENDS: dict[int, News] = {0: "done", 1: "done", 3: "stopped"}
_PATIENCE = 20.0  # seconds that the end of a run waits for the hook


@final
class Notifier:
    """Posts news of a run to a hook, from a thread of its own.

    Args:
        section: Where and what; the secret is read now.
        name: What the run is called.
        facts: Returns what else is said: numbers, as they stand.
        tell: Called with a line where the hook could not be reached.
    """

    def __init__(
        self,
        section: NotifySection,
        name: str,
        facts: Callable[[], dict[str, object]],
        tell: Callable[[str], object],
    ) -> None:
        self._on = section.on
        self._name, self._facts, self._tell = name, facts, tell
        url = _hook(section.url)
        host = url.netloc.rpartition("@")[2]
        named = unquote(url.username or ""), unquote(url.password or "")
        self._post = Post(urlunsplit(("", "", url.path or "/", url.query, "")))
        self._api = Api(
            f"{url.scheme}://{host}",
            auth=Basic(*named) if any(named) else None,
            retry=RetryPolicy(attempts=3, total=_PATIENCE),
            profile=Profile(connect=5, total=10),
            decode="bytes",
            max_redirects=0,  # the GET that a redirect asks for would lose the news in silence
        )
        self._told: set[str] = set()
        self._waiting: queue.SimpleQueue[dict[str, object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._post_all, daemon=True)
        self._thread.start()

    def saw(self, event: Event) -> None:
        """Post the first key that fails."""
        if isinstance(event, Failed):
            self._say("failed", f"key {event.key} failed: {event.reason}")

    def ended(self, code: int, reason: str) -> None:
        """Post how the run ended, by its exit code, and wait a little until that is out."""
        if code == 1:
            self._say("failed", reason)
        self._say(_ENDS.get(code, "gave-up"), reason, code)
        self._waiting.put(None)
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            self._tell("[notify]: the hook does not answer")

    def _say(self, news: News, reason: str, code: int | None = None) -> None:
        if news in self._on and news not in self._told:
            self._told.add(news)
            text = f"penstock {self._name}: {news}" + (f" ({reason})" if reason else "")
            said = {"event": news, "name": self._name, "text": text, "exit_code": code}
            self._waiting.put({**said, **self._facts()})

    def _post_all(self) -> None:
        while (news := self._waiting.get()) is not None:
            try:
                self._api.call(msgspec.structs.replace(self._post, json=news))
            except PenstockError as error:
                # Without its words: they would name the hook's address, which is a secret.
                self._tell(f"[notify]: the hook was not reached: {_reason(error)}")


def _hook(source: str) -> SplitResult:
    """Return the address of the hook; what is wrong with it is said without it.

    Raises:
        InputError: It is not one.
    """
    text = secret(source).reveal()
    with contextlib.suppress(ValueError):
        url = urlsplit(text)
        is_web = url.scheme in {"http", "https"} and url.hostname and url.port != 0
        if is_web and not re.search(r"[\s\x00-\x20\x7f]", text):
            return url
    raise InputError(f"[notify]: {source} does not hold a URL such as https://hooks.example.com/x")


def _reason(error: PenstockError) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, PenstockError) else error
    if cause.status:
        return f"HTTP status {cause.status}"
    if isinstance(cause, RetryableError):
        return "nothing answers there, or it broke off"
    return "what answers there is not understood"
