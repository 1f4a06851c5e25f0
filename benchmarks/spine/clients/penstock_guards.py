"""Fetch, or a durable harvest, with the guards against strangers and without, in turn.

What is switched off, by leaving lines out of the source of the functions that have them: the
address that answered, the tests of size, ratio and rate, the test of the address before each
request, whose origin a call is, what is redacted, and how files of a store are opened.
"""

from __future__ import annotations

import inspect
import json
import statistics
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable

from meter import arguments

from penstock import Api, Get, Pipeline
from penstock.http import Profile
from penstock.http import api as api_module
from penstock.http import handle as handle_module
from penstock.http.handle import Handle
from penstock.pipeline import fetch, landing
from penstock.store import LocalStore, ledger, lock, segments

# Of a class: its method, and lines of it with what stands there instead.
_LEFT_OUT = [
    (Handle, handle_module, "finish", "transfer.peer = self.easy.getinfo(pycurl.PRIMARY_IP)", ""),
    (
        Handle,
        handle_module,
        "finish",
        "if self._room < self._profile.max_body - _SURE and self._has_swollen(self._came()):",
        "if False:",
    ),
    (Handle, handle_module, "overdue", "if seen and self._has_swollen(self._came()):", "if False:"),
    (
        Handle,
        handle_module,
        "overdue",
        "return self._dripping(now) if seen and profile.least_rate and profile.stall else None",
        "return None",
    ),
    (
        Handle,
        handle_module,
        "_before_request",
        "if transfer is not None and transfer.guarded and not is_public(address):",
        "if False:",
    ),
    (
        Api,
        api_module,
        "transfer",
        'below = request.path.startswith("/") or origin(url) == self._origin',
        "below = True",
    ),
]
_ROUNDS = 12


def without() -> Callable[[], None]:
    """Take the guards away; return what puts them back."""
    kept: list[tuple[object, str, object]] = []

    def put(where: object, name: str, instead: object) -> None:
        kept.append((where, name, getattr(where, name)))
        setattr(where, name, instead)

    for name in dict.fromkeys((one[0], one[1], one[2]) for one in _LEFT_OUT):
        owner, module, method = name
        source = textwrap.dedent(inspect.getsource(getattr(owner, method)))
        for line, instead in ((o[3], o[4] or "pass") for o in _LEFT_OUT if o[:3] == name):
            if line not in source:
                sys.exit(f"{method} has no line {line!r}: mend the benchmark")
            source = source.replace(line, instead)
        made: dict[str, object] = {}
        exec(compile("from __future__ import annotations\n" + source, method, "exec"),
             vars(module), made)  # fmt: skip
        put(owner, method, made[method])
    put(landing, "redacted", lambda text: text)
    for module in (ledger, lock):
        put(module, "check_names", lambda *_, **__: None)
    for module in (ledger, lock, segments):
        put(module, "open_regular", lambda path, flags: __import__("os").open(path, flags, 0o600))

    def back() -> None:
        for where, name, was in reversed(kept):
            setattr(where, name, was)

    return back


def once(base: str, items: int, concurrency: int, *, lands: bool, number: int) -> float:
    """Return the CPU seconds of one item; handles are new, by a profile of its own."""
    before = time.process_time()
    # curl keeps the methods a handle was made with: each round has a pool of its own.
    api = Api(base, profile=Profile(max_body=(256 << 20) + number))
    if not lands:
        got = fetch(range(items), api, lambda key: Get(f"/users/{key}.json"),
                    concurrency=concurrency)  # fmt: skip
        good = sum(result.unwrap().json()["id"] == result.key for result in got)
    else:
        with tempfile.TemporaryDirectory(dir=sys.argv[4]) as place, LocalStore(place) as store:
            (
                Pipeline(range(items))
                .fetch(api, lambda key: Get(f"/users/{key}.json"), concurrency=concurrency)
                .land(store)
            )
            good = store.status().landed
    assert good == items
    return (time.process_time() - before) / items


def main() -> None:
    """Print the medians with the guards and without, and of the ratios of neighbours."""
    base, items, concurrency = arguments()
    told = {"items": 1, "good": 1, "seconds": 0.0, "cpu": 0.0, "peak_rss": 0}
    for what, lands in (("fetch", False), ("durable", True)):
        on: list[float] = []
        off: list[float] = []
        once(base, items, concurrency, lands=lands, number=0)  # imports, connections
        for number in range(_ROUNDS):
            for bare in (number % 2 == 0, number % 2 == 1):
                back = without() if bare else None
                cost = once(base, items, concurrency, lands=lands, number=2 * number + bare)
                (off if bare else on).append(cost)
                if back is not None:
                    back()
        ratios = [a / b for a, b in zip(on, off, strict=True)]
        told[what] = statistics.median(ratios) - 1
        told[f"{what} µs"] = statistics.median(on) * 1e6
        told[f"{what} least"] = min(on) / min(off) - 1
    sys.stdout.write("\n" + json.dumps(told) + "\n")


main()
