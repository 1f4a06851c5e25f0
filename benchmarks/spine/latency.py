"""A slow server: what keeps many calls under way is worth here."""

from __future__ import annotations

from collections.abc import Iterator

from spine import servers
from spine.figures import Figure, at_least
from spine.machine import Bench
from spine.sides import Client, side_by_side

__all__ = ["latency"]

_SECONDS = 0.05


def latency(bench: Bench) -> Iterator[Figure]:
    """50 ms before each answer; the whole run counts, its slow start included."""
    for concurrency, items, aim in ((200, 20_000, 3_000), (2_000, 60_000, 8_000)):
        side = Client(name="penstock", script="penstock_harvest.py", items=items, lands=True)
        with servers.slow(bench, items, _SECONDS) as url:
            cost = side_by_side(bench, url, [side], concurrency)["penstock"]
            floor = _floor(bench, url, concurrency)
        yield Figure(
            what=f"50 ms latency, concurrency {concurrency:,}, durable items a second",
            value=1 / cost.wall,
            unit="/s",
            aim=at_least(aim),
            note=f"ideal {concurrency / _SECONDS:,.0f}{floor}; {cost.cpu * 1e6:.0f} µs CPU an item",
        )


def _floor(bench: Bench, url: str, concurrency: int) -> str:
    if concurrency > 1_000:
        return ""  # bare pycurl waits by select(), which ends at descriptor 1,024
    side = Client(name="bare", script="pycurl_floor.py", items=20_000)
    cost = side_by_side(bench, url, [side], concurrency)["bare"]
    return f", bare pycurl without landing {1 / cost.wall:,.0f}"
