"""Again tomorrow: what is new, what changed, what belongs to what, and what an answer means."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.assembly.shop import Shop

from penstock.cli.main import main
from penstock.http import Since
from penstock.http.response import Response
from penstock.http.since import Watermark
from penstock.store import open_readonly


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop({}) as served:
        yield served


def called(*words: str | Path) -> tuple[int, str, str]:
    """Run the program in this process; return its exit code and what it said."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        patch.object(sys, "argv", ["penstock", *map(str, words)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
    for one in (out, err):
        one.flush()
        one.seek(0)
    return code, out.read(), err.read()


def penstock(*words: str | Path, code: int = 0) -> Any:
    ended, out, err = called(*words)
    assert ended == code, (ended, out, err)
    try:
        return json.loads(out)
    except ValueError:
        return out


def written(folder: Path, shop: Shop, text: str) -> Path:
    file = folder / "f.toml"
    tail = f'[api]\nbase = "{shop.base}"\n[retry]\nattempts = 1\nbase = 0\n'
    file.write_text(text.replace("[retry]\n", tail) if "[retry]" in text else text + "\n" + tail)
    return file


def landed(store: Path) -> dict[str | int, Any]:
    with open_readonly(store) as reader:
        reader.verify()
        return {one.key: json.loads(one.body) for one in reader.records()}


SINCE = """
[source]
kind = "pages"
path = "/rows"
style = "page"
since = { param = "since", field = "at" }
[store]
path = "s"
on_same = "replace"
"""


def test_the_next_run_asks_for_what_is_new(tmp_path: Path, shop: Shop) -> None:
    rows = [{"id": 3, "at": 30}, {"id": 1, "at": 10}, {"id": 2, "at": 20}, {"id": 4, "at": 5}]
    shop.paths["/rows"] = rows
    file = written(tmp_path, shop, SINCE)
    assert penstock("run", file, "--json", "--quiet")["new"] == 4
    rows[1] = {"id": 1, "at": 31, "v": 2}
    rows.append({"id": 5, "at": 30})
    shop.calls.clear()
    shop.queries.clear()
    assert penstock("run", file, "--json", "--quiet")["new"] == 2
    assert {query.get("since") for query in shop.queries} == {"30"}
    assert landed(tmp_path / "s")[1] == {"id": 1, "at": 31, "v": 2}
    shop.calls.clear()
    penstock("run", file, "--json", "--quiet")
    assert shop.calls["/rows"] <= 2


def test_a_walk_that_stops_half_way_asks_the_same_again(tmp_path: Path, shop: Shop) -> None:
    shop.paths["/rows"] = [{"id": 1, "at": 90}, {"id": 2, "at": 80}, {"id": 3, "at": 70}]
    file = written(tmp_path, shop, SINCE.replace('"page"\n', '"page"\nmax_pages = 1\n'))
    penstock("run", file, "--quiet")
    penstock("run", file, "--quiet")
    assert not any("since" in query for query in shop.queries)
    file = written(tmp_path, shop, SINCE)
    penstock("run", file, "--restart", "--quiet")
    assert set(landed(tmp_path / "s")) == {1, 2, 3}


@pytest.mark.parametrize("first", [0, 1])
def test_where_pages_begin_is_asked_in_the_first_run(
    tmp_path: Path, shop: Shop, first: int
) -> None:
    """A list that counts pages from 0 lost its first page, and so it would again tomorrow."""
    shop.first = first
    shop.paths["/rows"] = [{"id": n, "at": n} for n in range(5)]
    file = written(tmp_path, shop, SINCE)
    assert penstock("run", file, "--json", "--quiet")["landed"] == 5
    shop.paths["/rows"].append({"id": 5, "at": 9})
    shop.queries.clear()
    assert penstock("run", file, "--json", "--quiet")["landed"] == 6
    assert [query["page"] for query in shop.queries] == [str(first), str(first + 1)]


@pytest.mark.parametrize("table", ['[source]\nkind = "pages"\n', '[[resource]]\nname = "rows"\n'])
def test_a_parameter_of_pages_may_be_in_the_environment(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """The words env:SHOP_KEY were sent to the service."""
    monkeypatch.setenv("SHOP_KEY", "k7")
    shop.paths["/rows"] = [{"id": 1}]
    text = f'store = "s"\n{table}path = "/rows"\nstyle = "page"\nquery = {{ k = "env:SHOP_KEY" }}\n'
    file = written(tmp_path, shop, text)
    penstock("run", file, "--quiet")
    penstock("check", file, "--try")
    assert {query["k"] for query in shop.queries} == {"k7"}
    monkeypatch.delenv("SHOP_KEY")
    _, _, err = called("run", file, "--quiet")
    assert "environment variable SHOP_KEY is not set" in err


def test_first_in_the_file_is_believed(tmp_path: Path, shop: Shop) -> None:
    shop.paths["/rows"] = [{"id": 1}]
    text = SINCE.replace("since = { param", "first = 1\n# {")
    penstock("run", written(tmp_path, shop, text), "--quiet")
    assert [query["page"] for query in shop.queries] == ["1", "2"]


def test_where_pages_of_children_begin_is_asked_once(tmp_path: Path, shop: Shop) -> None:
    three_deep(shop)
    shop.first = 0
    penstock("run", written(tmp_path, shop, RESOURCES), "--quiet")
    assert len(landed(tmp_path / "shop" / "lines")) == 9
    assert len(landed(tmp_path / "shop" / "orders")) == 6


def test_rows_without_the_field_are_told(tmp_path: Path, shop: Shop) -> None:
    shop.paths["/rows"] = [{"id": 1}, {"id": 2, "at": 1}]
    told = penstock("run", written(tmp_path, shop, SINCE), "--json", "--quiet", code=1)
    assert "1 of 2 rows have no time or number at 'at'" in told["warnings"][0]


@given(
    st.lists(st.integers(0, 10**6), min_size=1),
    st.integers(0, 3),
    st.sampled_from([int, str, "2026-01-{:02d}T00:00:00Z"]),
)
def test_the_greatest_value_is_kept_whatever_the_order(
    values: list[int], pages: int, form: type[int | str] | str
) -> None:
    shown = [form.format(v % 28 + 1) if isinstance(form, str) else form(v) for v in values]
    mark = Watermark(Since(param="p", field="at"), "s", None)
    kept = ""
    for number in range(pages + 1):
        part = shown[number :: pages + 1]
        rows = [json.dumps({"at": value}).encode() for value in part]
        page = Response(200, "http://x", b"", b"", 0.0)
        kept = mark.saw(page, rows, last=number == pages).value
    greatest = max(shown, key=lambda v: float(v) if not isinstance(form, str) else v)
    assert json.loads(kept)["floor"] == greatest
    assert mark.unread.doubt == ""


RESOURCES = """
store = "shop"
[[resource]]
name = "shops"
path = "/shops"
style = "page"
[[resource]]
name = "orders"
parent = "shops"
path = "/shops/{parent.id}/orders"
style = "page"
key = ["_parent.id", "id"]
include = ["id", "town"]
[[resource]]
name = "lines"
parent = "orders"
path = "/shops/{parent._parent.id}/orders/{parent.id}/lines"
style = "page"
[retry]
absent = [404]
"""


def three_deep(shop: Shop) -> None:
    shop.paths["/shops"] = [{"id": n, "town": f"t{n}"} for n in range(3)]
    for n in range(3):
        shop.paths[f"/shops/{n}/orders"] = [{"id": m} for m in range(n + 1)]
        for m in range(n):
            lines = [{"id": f"{n}-{m}-{k}"} for k in range(3)]
            shop.paths[f"/shops/{n}/orders/{m}/lines"] = lines


def test_resources_three_deep(tmp_path: Path, shop: Shop) -> None:
    three_deep(shop)
    file = written(tmp_path, shop, RESOURCES)
    assert set(penstock("check", file, "--json")["resources"]) == {"shops", "orders", "lines"}
    told = penstock("run", file, "--json", "--quiet")["resources"]
    assert {name: one["new"] for name, one in told.items()} == {
        "shops": 3,
        "orders": 6,
        "lines": 9,
    }
    orders = landed(tmp_path / "shop" / "orders")
    assert orders["[2,1]"] == {"_parent": {"id": 2, "town": "t2"}, "id": 1}
    assert penstock("status", tmp_path / "shop", "--json")["resources"]["lines"]["landed"] == 9
    out = tmp_path / "o.jsonl"
    where = ("export", tmp_path / "shop", "--to", "jsonl", "-o", out)
    assert "--resource" in called(*where)[2]
    penstock(*where, "--resource", "orders")
    assert len(out.read_text().splitlines()) == 6


def test_the_pages_of_one_parent_fail_and_the_others_land(tmp_path: Path, shop: Shop) -> None:
    three_deep(shop)
    shop.paths["/shops/1/orders"] = {"error": "odd"}
    file = written(tmp_path, shop, RESOURCES)
    told = penstock("run", file, "--json", "--quiet", code=1)["resources"]["orders"]
    assert (told["landed"], told["failed"]) == (4, 1)
    three_deep(shop)
    told = penstock("retry-failed", file, "--json", "--quiet")["resources"]["orders"]
    assert (told["landed"], told["failed"]) == (6, 0)


def test_a_resource_that_is_refused_ends_no_other(tmp_path: Path, shop: Shop) -> None:
    three_deep(shop)
    shop.paths["/shops"] = {"odd": 1}
    other = '[[resource]]\nname = "towns"\npath = "/towns"\nstyle = "page"\n'
    shop.paths["/towns"] = [{"id": 1}]
    file = written(tmp_path, shop, RESOURCES.replace("[retry]", other + "[retry]"))
    code, out, err = called("run", file, "--quiet", "--json")
    assert code == 4, err
    assert "note: shops: " in err
    assert "penstock: not all of it came of shops" in err
    assert json.loads(out)["resources"]["towns"]["new"] == 1


def test_children_of_parents_that_are_new_or_changed(tmp_path: Path, shop: Shop) -> None:
    shop.paths["/shops"] = [{"id": n, "at": n} for n in range(3)]
    for n in range(4):
        shop.paths[f"/shops/{n}/orders"] = [{"id": f"{n}-{m}"} for m in range(3)]
    text = (
        RESOURCES.partition('[[resource]]\nname = "lines"')[0]
        .replace(
            'path = "/shops"\n', 'path = "/shops"\nsince = { param = "since", field = "at" }\n'
        )
        .replace('key = ["_parent.id", "id"]\ninclude = ["id", "town"]\n', "")
    )
    file = written(tmp_path, shop, text.replace('"shop"', '{ path = "shop", on_same = "replace" }'))
    penstock("run", file, "--quiet")
    shop.paths["/shops"] += [{"id": 3, "at": 9}]
    shop.paths["/shops"][0] = {"id": 0, "at": 8}
    shop.paths["/shops/0/orders"] += [{"id": "0-new"}]
    shop.calls.clear()
    told = penstock("run", file, "--json", "--quiet")["resources"]
    assert told["orders"]["new"] == 4
    assert set(shop.calls) == {"/shops", "/shops/0/orders", "/shops/3/orders"}
    shop.calls.clear()
    penstock("run", file, "--quiet")
    assert sum(shop.calls.values()) <= 2


def test_children_are_asked_for_what_is_new_by_parent(tmp_path: Path, shop: Shop) -> None:
    """A new parent is asked for all, however old its children are."""
    shop.paths["/shops"] = [{"id": n} for n in range(2)]
    for n in range(3):
        shop.paths[f"/shops/{n}/orders"] = [{"id": m, "at": 10 * (n + 1) - m} for m in range(3)]
    text = RESOURCES.partition('[[resource]]\nname = "lines"')[0].replace(
        '"/shops/{parent.id}/orders"\n',
        '"/shops/{parent.id}/orders"\nsince = { param = "since", field = "at" }\n',
    )
    file = written(tmp_path, shop, text.replace('"shop"', '{ path = "shop", on_same = "replace" }'))
    assert penstock("run", file, "--json", "--quiet")["resources"]["orders"]["new"] == 6
    shop.paths["/shops"].append({"id": 2})
    shop.paths["/shops/0/orders"][1] = {"id": 1, "at": 11, "v": 2}
    shop.paths["/shops/2/orders"].append({"id": 4})
    shop.queries.clear()
    told = penstock("run", file, "--json", "--quiet", code=1)["resources"]["orders"]
    assert told["new"] == 5
    assert "1 of 7 rows have no time or number at 'at'" in told["warnings"][0]
    asked = [query.get("since") for query in shop.queries if query["page"] == "1"]
    assert Counter(asked) == {None: 2, "10": 1, "20": 1}
    assert landed(tmp_path / "shop" / "orders")["[0,1]"]["v"] == 2
    shop.queries.clear()
    penstock("run", file, "--restart", "--quiet", code=1)
    assert not any("since" in query for query in shop.queries)


def test_a_parent_that_failed_is_asked_for_all_that_it_owes(tmp_path: Path, shop: Shop) -> None:
    shop.paths |= {"/a": [{"id": 1}, {"id": 2}], "/a/1/b": [{"id": 7, "at": 5}]}
    text = CHILDREN.replace('/b"\n', '/b"\nsince = { param = "since", field = "at" }\n')
    file = written(tmp_path, shop, text)
    penstock("run", file, "--quiet", code=1)
    shop.paths["/a/2/b"] = [{"id": 8, "at": 3}]
    penstock("run", file, "--quiet")
    assert list(landed(tmp_path / "s/b")) == ["[1,7]", "[2,8]"]


def test_rows_out_of_an_answer(tmp_path: Path, shop: Shop) -> None:
    for n in range(4):
        shop.paths[f"/of/{n}"] = {"rows": [{"id": f"{n}-{m}"} for m in range(n)]}
    text = 'store = "s"\nsource = { kind = "range", stop = 4 }\n'
    text += 'request = { path = "/of/{key}", items = "rows" }\n'
    file = written(tmp_path, shop, text)
    assert penstock("run", file, "--json", "--quiet")["new"] == 6
    assert landed(tmp_path / "s")["3-1"] == {"_parent": {"key": 3}, "id": "3-1"}


def test_the_first_page_of_an_answer_is_not_taken_for_all(tmp_path: Path, shop: Shop) -> None:
    shop.paths["/of/0"] = {"rows": [1], "next": "/of/0?page=2"}
    shop.paths["/of/1"] = {"rows": [1], "next": None, "next_bill": "https://a.example/b?c=1"}
    shop.paths["/of/2"] = {"rows": [1], "has_more": True}
    text = 'store = "s"\nsource = { kind = "range", stop = 3 }\nrequest = { path = "/of/{key}" }\n'
    told = penstock("run", written(tmp_path, shop, text), "--json", "--quiet", code=1)
    assert (told["landed"], told["doubts"]) == (3, 1)
    assert "2 answers name a next page" in told["warnings"][0]


def test_what_is_absent_is_no_failure(tmp_path: Path, shop: Shop) -> None:
    shop.paths["/k/1"] = {"ok": True}
    shop.paths["/k/2"] = {"ok": False}
    text = 'store = "s"\nsource = { kind = "range", start = 1, stop = 4 }\n'
    text += 'request = { path = "/k/{key}" }\n[retry]\nabsent = [404]\n'
    file = written(tmp_path, shop, text)
    told = penstock("run", file, "--json", "--quiet")
    assert (told["landed"], told["absent"], told["failed"]) == (2, 1, 0)
    (tmp_path / "t").mkdir()
    file = written(tmp_path / "t", shop, text + 'success = "ok"\n')
    told = penstock("run", file, "--json", "--quiet", code=1)
    assert (told["landed"], told["absent"], told["failed"]) == (1, 1, 1)
    assert (
        penstock("retry-failed", file, "--status", "403", "--json", "--quiet", code=1)["new"] == 0
    )
    penstock("retry-failed", file, "--accept", "--json", "--quiet")
    told = penstock("run", file, "--json", "--quiet")
    assert (told["absent"], told["failed"]) == (2, 0)


def test_names_beside_the_key(tmp_path: Path, shop: Shop) -> None:
    shop.paths["/de/7"] = {"a": 1}
    shop.paths["/fr/7"] = {"a": 2}
    text = 'store = "s"\nsource = { kind = "grid", lists = { country = ["de", "fr"], id = [7] } }\n'
    file = written(tmp_path, shop, text + 'request = { path = "/{country}/{id}" }\n')
    penstock("run", file, "--quiet")
    assert landed(tmp_path / "s") == {'["de",7]': {"a": 1}, '["fr",7]': {"a": 2}}
    (tmp_path / "keys.csv").write_text("country,id\nde,7\nfr,7\n")
    text = 'store = "t"\nsource = { kind = "csv", path = "keys.csv", column = ["country", "id"] }\n'
    file = written(tmp_path, shop, text + 'request = { path = "/{country}/{id}" }\n')
    penstock("run", file, "--quiet")
    assert set(landed(tmp_path / "t")) == {'["de","7"]', '["fr","7"]'}


def test_dates_and_another_store_as_sources(tmp_path: Path, shop: Shop) -> None:
    for month in ("2026-01", "2026-02"):
        shop.paths[f"/m/{month}"] = {"n": month}
    text = 'store = "s"\nrequest = { path = "/m/{key}" }\n'
    dates = 'source = { kind = "dates", start = 2026-01-15, stop = 2026-02-03, step = "month" }\n'
    penstock("run", written(tmp_path, shop, text + dates), "--quiet")
    assert set(landed(tmp_path / "s")) == {"2026-01", "2026-02"}
    other = 'source = { kind = "store", path = "s", field = "n" }\n'
    penstock("run", written(tmp_path, shop, text.replace('"s"', '"t"') + other), "--quiet")
    assert landed(tmp_path / "t") == landed(tmp_path / "s")


def test_csv_lands_as_rows(tmp_path: Path, shop: Shop) -> None:
    shop.paths["/table"] = b"id,name\n1,Ada\n2,Eve\n"
    source = 'source = { kind = "pages", path = "/table", style = "single", decode = "csv" }\n'
    penstock("run", written(tmp_path, shop, 'store = "s"\n' + source), "--quiet")
    assert landed(tmp_path / "s")["2"] == {"id": "2", "name": "Eve"}
    shop.paths["/table"] = b"id,name\n1,Ada,x\n"
    penstock("run", written(tmp_path, shop, 'store = "t"\n' + source), "--quiet", code=4)


def test_refresh(tmp_path: Path, shop: Shop) -> None:
    shop.paths |= {f"/k/{n}": {"v": 1} for n in range(3)}
    text = 'store = { path = "s", on_same = "replace", refresh = "1d" }\n'
    text += 'source = { kind = "range", stop = 3 }\nrequest = { path = "/k/{key}" }\n'
    file = written(tmp_path, shop, text)
    penstock("run", file, "--quiet")
    shop.paths["/k/1"] = {"v": 2}
    shop.calls.clear()
    assert penstock("run", file, "--json", "--quiet")["new"] == 0
    assert not shop.calls
    assert penstock("run", file, "--refresh", "--json", "--quiet")["new"] == 1
    assert landed(tmp_path / "s")[1] == {"v": 2}
    assert shop.calls["304"] == 2
    del shop.paths["/k/2"]
    told = penstock("run", file, "--refresh", "--json", "--quiet", code=1)
    assert "1 keys failed when they were fetched again" in told["warnings"][0]
    assert landed(tmp_path / "s")[2] == {"v": 1}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (('parent = "shops"', 'parent = "shop"'), "must stand before it"),
        (("/shops/{parent.id}/orders", "/orders"), "stands nowhere"),
        (('path = "/shops"', 'path = "/{parent.id}"'), "needs parent"),
        (('name = "lines"', 'name = "orders"'), "two of that name"),
        (('store = "shop"', 'store = "shop"\nrequest = { path = "/{key}" }'), "f.toml:3: request"),
        (("absent = [404]", 'failed_text = "("'), "not a regular expression"),
    ],
)
def test_resources_that_do_not_fit(
    tmp_path: Path, shop: Shop, wrong: tuple[str, str], says: str
) -> None:
    file = written(tmp_path, shop, RESOURCES.replace(*wrong))
    code, _, err = called("run", file)
    assert code == 2, err
    assert says in err


def test_a_trial_says_what_would_not_match(tmp_path: Path, shop: Shop) -> None:
    shop.paths["/rows"] = [{"id": 1, "uuid": "a"}, {"id": 1, "uuid": "b"}]
    text = (
        'store = "s"\nsource = { kind = "pages", path = "/rows", style = "page", key = "uuid" }\n'
    )
    assert "'uuid', as in 'a'" in penstock("check", written(tmp_path, shop, text), "--try")
    assert shop.calls == {"/rows": 1}
    told = penstock("check", written(tmp_path, shop, text.replace("uuid", "id")), "--try", code=1)
    assert "2 rows have 1 keys" in told
    shop.paths["/rows"] = {"data": [{"id": 1}], "next": "/rows?page=2"}
    told = penstock("check", written(tmp_path, shop, text), "--try", code=1)
    assert "items = 'data'" in told
    assert not (tmp_path / "s").exists()


def test_resources_beside_kinds_of_ones_own(tmp_path: Path, shop: Shop) -> None:
    (tmp_path / "mine_again.py").write_text(
        "from penstock.http import Bearer\n\ndef key(token: str):\n    return Bearer(token)\n"
    )
    file = written(tmp_path, shop, RESOURCES)
    text = file.read_text().replace(
        "[retry]\n",
        '[api.auth]\nkind = "python"\nobject = "mine_again:key"\ntoken = "x"\n[retry]\n',
    )
    file.write_text(text)
    shop.paths["/shops"] = []
    assert penstock("run", file, "--json", "--quiet")["resources"]["lines"]["new"] == 0


CHILDREN = """
store = "s"
[[resource]]
name = "a"
path = "/a"
style = "page"
[[resource]]
name = "b"
parent = "a"
path = "/a/{parent.id}/b"
style = "page"
key = ["_parent.id", "id"]
include = ["id"]
"""


def test_a_parent_whose_pages_come_the_next_time_is_not_failed_any_more(
    tmp_path: Path, shop: Shop
) -> None:
    """All rows were there, and yet each later run ended with exit code 1."""
    shop.paths |= {"/a": [{"id": 1}, {"id": 2}], "/a/1/b": [{"id": 7}]}
    file = written(tmp_path, shop, CHILDREN)
    penstock("run", file, "--quiet", code=1)
    shop.paths["/a/2/b"] = [{"id": 8}]
    penstock("run", file, "--quiet")
    assert list(landed(tmp_path / "s/b")) == ["[1,7]", "[2,8]"]


def test_a_row_that_gets_a_key_is_not_failed_any_more_and_an_accepted_one_stays_so(
    tmp_path: Path, shop: Shop
) -> None:
    shop.paths["/rows"] = [{"id": None}, {"id": None, "v": 1}, {"id": 3}]
    text = '[source]\nkind = "pages"\npath = "/rows"\nstyle = "page"\n[store]\npath = "s"\n'
    file = written(tmp_path, shop, text)
    assert penstock("run", file, "--json", "--quiet", code=1)["failed"] == 2
    shop.paths["/rows"][0] = {"id": 1}
    assert penstock("run", file, "--json", "--quiet", code=1)["failed"] == 1
    penstock("retry-failed", file, "--accept", "--quiet")
    penstock("run", file, "--quiet")
    assert list(landed(tmp_path / "s")) == [3, 1]


def test_one_row_dated_in_the_future_does_not_hide_all_that_comes_before(
    tmp_path: Path, shop: Shop
) -> None:
    def at(year: int, key: int) -> dict[str, object]:
        return {"id": key, "t": f"{year}-01-01T00:00:00Z"}

    shop.paths["/rows"] = [at(2020, 1), at(9999, 2)]
    file = written(tmp_path, shop, SINCE.replace('field = "at"', 'field = "t"'))
    penstock("run", file, "--quiet")
    shop.queries.clear()
    shop.paths["/rows"] = []
    penstock("run", file, "--quiet")
    assert {query["since"] for query in shop.queries} == {"2020-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ([1767225600, 4102444800], 1767225600),  # seconds since 1970: 2026 and 2100
        ([4102444800000, 1767225600000], 1767225600000),
        (["253402300799", "1767225600"], "1767225600"),
        ([3_000_000_000, 3_000_000_007], 3_000_000_007),  # not times: nothing else reads as one
        ([7, 4102444800], 4102444800),
        ([2_500_000_000_000_000_000, 5], 2_500_000_000_000_000_000),
    ],
)
def test_a_number_is_a_time_in_the_future_where_others_are_times(
    values: list[int | str], asked: int | str
) -> None:
    mark = Watermark(Since(param="p", field="at"), "s", None)
    answer = Response(200, "http://x", b"", b"", 0.0)
    kept = ""
    for value in values:
        row = json.dumps({"at": value}).encode()
        kept = mark.saw(answer, [row], last=value == values[-1]).value
        mark = Watermark(Since(param="p", field="at"), "s", kept)  # killed between pages
    assert json.loads(kept)["floor"] == asked


@pytest.mark.parametrize(("on_same", "code"), [("replace", 0), ("history", 1)])
def test_versions_of_a_row_may_come_newest_first(
    tmp_path: Path, shop: Shop, on_same: str, code: int
) -> None:
    """The oldest, which came last, took the place of the newest."""
    shop.paths["/rows"] = [{"id": 1, "at": 1}]
    text = SINCE.replace('"replace"', f'"{on_same}"')
    file = written(tmp_path, shop, text)
    penstock("run", file, "--quiet")
    newest = {"id": 1, "at": 9}
    shop.paths["/rows"] = [newest, {"id": 1, "at": 8}, {"id": 2, "at": 3}, {"id": 1, "at": 7}]
    told = penstock("run", file, "--json", "--quiet", code=code)
    assert landed(tmp_path / "s")[1] == newest
    assert told["warnings"] == ["1 rows came behind a newer one of the same key, and were left out"]


def test_a_key_that_is_absent_when_it_is_fetched_again_is_told(tmp_path: Path, shop: Shop) -> None:
    shop.paths |= {"/k/1": {"v": 1}, "/k/2": {"v": 1}}
    text = 'source = { kind = "range", start = 1, stop = 3 }\nrequest = { path = "/k/{key}" }\n'
    text += '[store]\npath = "s"\non_same = "replace"\n[retry]\nabsent = [404]\n'
    file = written(tmp_path, shop, text)
    penstock("run", file, "--quiet")
    del shop.paths["/k/2"]
    told = penstock("run", file, "--refresh", "--json", "--quiet")
    assert told["warnings"] == ["1 keys are absent now: their earlier records stay"]
