"""What every style of pages promises."""

from __future__ import annotations

from typing import TypeAlias

from penstock.http import Api, Style, pages

__all__ = ["Reading", "StyleContract"]

Reading: TypeAlias = tuple[Api, str, Style]
"""A service, the path of an endpoint of three pages or more there, and the style it has."""


class StyleContract:
    """Tests of a :class:`~penstock.http.Style`; needs the fixture ``paged``, a :data:`Reading`."""

    def test_pages_follow_each_other_to_the_end(self, paged: Reading) -> None:
        """Each page names the next one, and the last one none."""
        found = [*pages(*paged)]
        assert len(found) >= 3
        assert [page.following for page in found[:-1]] == [page.position for page in found[1:]]
        assert found[-1].following is None

    def test_a_run_may_go_on_where_another_stopped(self, paged: Reading) -> None:
        """What a page calls the next one leads there without the pages before."""
        whole = [*pages(*paged)]
        rest = [*pages(*paged, start=whole[0].following)]
        assert [page.response.body for page in rest] == [page.response.body for page in whole[1:]]

    def test_pages_at_once_are_the_same_pages(self, paged: Reading) -> None:
        """Where their number is known they may be asked for together."""
        alone, together = [*pages(*paged)], [*pages(*paged, concurrency=4)]
        assert [page.response.body for page in together] == [page.response.body for page in alone]
