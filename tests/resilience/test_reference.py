"""Any interleaving of answers, renewals, limits, resources and losses, against exact counts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.resilience.reference import Counter, Rehearsal, Resources, Several

limits = st.tuples(st.integers(2, 12), st.sampled_from([1.0, 5.0, 15.0, 60.0]))
worlds = {
    "reserve": st.integers(0, 4),
    "concurrency": st.integers(1, 9),
    "latency": st.sampled_from([0.01, 0.2]),
    "lost": st.sampled_from([0.0, 0.1, 0.5]),
    "seed": st.integers(0, 10**6),
}


def at_home(world: dict) -> dict:  # type: ignore[type-arg] # drawn
    """A copy: the round trip is shorter than every window."""
    return {**world}


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(limits, min_size=1, max_size=3), st.fixed_dictionaries(worlds))
def test_several_limits_are_kept_and_used(told: list[tuple[int, float]], world: dict) -> None:  # type: ignore[type-arg] # drawn
    world = at_home(world)
    reserve = min(world.pop("reserve"), min(limit for limit, _ in told) - 1)
    counters = [Counter(f"w{n}", limit, length) for n, (limit, length) in enumerate(told)]
    Rehearsal(Several(counters), reserve, ["/a"], **world).run()
    assert [c.refused for c in counters] == [0] * len(counters)
    assert min(c.lowest for c in counters) >= reserve


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(limits, min_size=3, max_size=3), st.fixed_dictionaries(worlds))
def test_resources_are_apart_and_none_is_overspent(
    told: list[tuple[int, float]],
    world: dict,  # type: ignore[type-arg] # drawn
) -> None:
    world = at_home(world)
    reserve = min(world.pop("reserve"), min(limit for limit, _ in told) - 1)
    core, search, graph = (Counter(f"r{n}", *limit) for n, limit in enumerate(told))
    server = Resources({"users": core, "repos": core, "search": search, "graphql": graph})
    paths = ["/users/1", "/repos/2", "/search/x", "/graphql", "/users/3"]
    Rehearsal(server, reserve, paths, **world).run()
    for counter in (core, search, graph):
        if reserve:
            assert counter.lowest >= reserve
        # A path never seen before may turn out to be of a resource that is used up.
        assert counter.refused <= (0 if reserve else 4)
