"""The reader in a real browser: place, widths, keys, pacer, contrast, self-test, and no way out."""

from __future__ import annotations

import io
import json
import random
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest
from tests.reading.chromium import Chromium

from penstock.reading import Count, Look
from penstock.reading.blocks import TextBlock
from penstock.reading.compose import Chapter, Manuscript, compose
from penstock.reading.fill import fill
from penstock.reading.layout import split
from penstock.reading.terminal import KEYS
from penstock.reading.text_map import shade_text
from penstock.reading.texts import block_lines
from penstock.reading.units import units_of
from penstock.reading.web_page import write_page

WORDS = """
the river was wide and slow in the evening light when they came down from the hills with
their tired horses and nobody spoke of what had happened at the crossing although everyone
remembered how the water took him quietly without any sound
""".split()


def prose(paragraphs: int, seed: int = 7) -> str:
    rng = random.Random(seed)
    out = []
    for _ in range(paragraphs):
        sentences = []
        for _ in range(rng.randint(3, 6)):
            words = rng.choices(WORDS, k=rng.randint(8, 20))
            sentences.append(" ".join(words).capitalize() + rng.choice([".", ".", "?", "!"]))
        out.append(f"<p>{' '.join(sentences)}</p>")
    return "\n".join(out)


def page(folder: Path, body: str, look: Look | None = None, name: str = "book.html") -> Path:
    book = compose(Manuscript(title="A book", chapters=[Chapter(title="One", body=body)]))
    out = io.BytesIO()
    write_page(book, out, look or Look())
    (folder / name).write_bytes(out.getvalue())
    return folder / name


@pytest.fixture(scope="module")
def long_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    body = (
        "<h2>First</h2>" + prose(60) + '<h2 id="two">Second</h2><p>See <a href="#two">two</a>.</p>'
    )
    return page(tmp_path_factory.mktemp("page"), body + "<pre>code</pre>" + prose(200, seed=8))


@pytest.fixture
def opened(chromium: Chromium, long_page: Path) -> Chromium:
    """The page as it is when opened for the first time."""
    chromium.open(long_page)
    chromium.run("localStorage.clear()")
    chromium.open(long_page)
    return chromium


def state(browser: Chromium) -> dict[str, object]:
    return cast("dict[str, object]", json.loads(str(browser.run("JSON.stringify(penstock.state)"))))


def test_the_place_is_kept_to_the_word_through_a_hundred_widths(opened: Chromium) -> None:
    opened.run("penstock.go(31, 0); penstock.step(3)")
    before = state(opened)
    rng = random.Random(3)
    for _ in range(100):
        opened.run(f"penstock.setWidth({rng.randint(12, 60)})")
        shown = opened.run(
            """(() => { const now = document.querySelector('.now'), s = penstock.state;
            const next = now.nextElementSibling;
            return now.dataset.block == s.block && +now.dataset.char <= s.char
              && (next.dataset.block != s.block || +next.dataset.char > s.char); })()"""
        )
        assert shown is True
    after = state(opened)
    assert (after["block"], after["char"]) == (before["block"], before["char"])


def test_lines_are_as_python_makes_them_and_none_is_split(opened: Chromium) -> None:
    opened.run("penstock.setWidth(30); penstock.go(1, 0)")
    over = opened.run(
        """[...document.querySelectorAll('.line')].filter((l) => {
        const r = document.createRange(); r.selectNodeContents(l);
        const tops = new Set([...r.getClientRects()].map((b) => Math.round(b.bottom)));
        return l.scrollWidth > l.clientWidth || l.textContent.trimEnd().length > 30; }).length"""
    )
    assert over == 0


BREAKS = [
    prose(2, seed=11).replace("<p>", "").replace("</p>", ""),
    "4 Mill Lane\nDover, and a longer line of it\n\nend",
    "Il est venu hier soir ! « Bonjour », dit-il ; puis « Adieu » : fin ? Oui , oui .",
    "He said — or so we thought—that “ the old (rather old) house ” cost 3 .5 pounds ; no more !",
    "one " * 40 + "https://example.org/a/very/long/address/of/a/page/that/is/here and more",
    "It is as /usr/share/doc/package/NEWS.gz with .orig.tar.gz read by him and / or her , or not .",
]


@pytest.mark.parametrize("width", [12, 18, 30, 47])
def test_all_three_line_breakers_agree(opened: Chromium, width: int) -> None:
    look = Look(width=width, hyphenate=False, guide="none")
    for raw in BREAKS:
        text = "\n".join(" ".join(line.split()) for line in raw.split("\n"))
        block = TextBlock("text", text, language="en")
        ours = [line.text for line in block_lines(block, look, Count())]
        script = f"JSON.stringify(penstock.linesOf({json.dumps(text)}, {width}, 'en'))"
        spans = cast("list[list[int]]", json.loads(str(opened.run(script))))
        theirs = [text[a:b].rstrip() for a, b in spans if text[a:b].strip()]
        assert theirs == ours
        shadow = shade_text(text)
        filled = []
        for part in split(shadow):
            units = units_of(shadow, look, "en", part.start, part.stop)
            filled += [part.text[a:b].rstrip() for a, b, _ in fill(units, width)]
        assert [line.replace("\u00a0", " ") for line in filled] == ours


def test_the_pacer_moves_evenly_over_paragraph_ends(opened: Chromium) -> None:
    steps = cast(
        "list[list[float]]",
        json.loads(
            str(
                opened.run(
                    """new Promise((done) => { penstock.set('speed', 1000);
        penstock.go(1, penstock.blocks[1].t.length - 90);
        const out = [], box = document.getElementById('lines'); let before = null;
        const first = penstock.state.block;
        penstock.play(true);
        const look = (time) => {
          const node = box.querySelector(`[data-block="${first + 1}"][data-line="0"]`);
          const at = node ? node.getBoundingClientRect().bottom : null;
          if (before && at !== null) out.push([time - before[0], before[1] - at]);
          before = at === null ? null : [time, at];
          const over = penstock.state.block > first && penstock.state.char > 60;
          if (over) { penstock.play(false); done(JSON.stringify(out)); }
          else requestAnimationFrame(look); };
        requestAnimationFrame(look); })"""
                )
            )
        ),
    )
    opened.run("penstock.set('speed', 250)")
    moving = [(time, way) for time, way in steps if time > 0]
    assert len(moving) > 10
    # At one speed from the first frame that moves: none backwards, and from one to the next it
    # changes by less than a pixel in a sixtieth of a second.
    speeds = [1000 / 60 * way / time for time, way in moving]
    speeds = speeds[next(n for n, speed in enumerate(speeds) if speed > 0) + 1 :]
    assert min(speeds) > 0
    assert max(abs(b - a) for a, b in pairwise(speeds)) < 1
    assert max(speeds) <= 1.5 * min(speeds)


def test_search_finds_what_is_off_the_screen_and_bookmarks_are_kept(opened: Chromium) -> None:
    opened.run("penstock.go(0, 0)")
    assert cast("int", opened.run("penstock.find('HILLS  with thei\u0301r')")) >= 0
    found = cast("int", opened.run("penstock.find('see TWO')"))
    assert found == 1
    opened.run("penstock.nextHit(1)")
    assert "See two" in str(opened.run("penstock.blocks[penstock.state.block].t"))
    marked = "[...document.querySelectorAll('#lines mark')].map((m) => m.textContent).join('')"
    assert opened.run(marked) == "See two"
    opened.run("penstock.toggleMark(); penstock.go(0, 0); penstock.nextMark()")
    assert "See two" in str(opened.run("penstock.blocks[penstock.state.block].t"))
    opened.run("penstock.toggleMark()")


def test_one_word_at_a_time_and_the_whole_text(opened: Chromium) -> None:
    opened.run("penstock.go(1, 0); penstock.setMode('words'); penstock.play(true)")
    first = str(opened.run("document.getElementById('piece').textContent"))
    text = str(opened.run("penstock.blocks[1].t"))
    assert text.startswith(first)
    assert " " not in first
    opened.run("penstock.play(false); penstock.setMode('lines'); penstock.wholeText(true)")
    assert opened.run("document.querySelectorAll('#whole-text > *').length") == opened.run(
        "penstock.blocks.length"
    )
    opened.run("penstock.wholeText(false)")


def test_contents_are_the_books_own(opened: Chromium) -> None:
    titles = opened.run("JSON.stringify(penstock.chapters.map((c) => c.title))")
    assert json.loads(str(titles)) == ["One"]


def test_the_guide_sits_on_the_axis_when_aligned(opened: Chromium) -> None:
    opened.run("penstock.set('align', true); penstock.set('guide', 'bold'); penstock.go(40, 0)")
    off = opened.run(
        """Math.max(...[...document.querySelectorAll('.line .guide')].map((g) => {
        const r = g.getBoundingClientRect(), em = parseFloat(getComputedStyle(g).fontSize);
        const b = document.getElementById('lines').getBoundingClientRect();
        return Math.abs(r.left + 0.4 * r.width - (b.left + b.width / 2)) / em; }))"""
    )
    opened.run("penstock.set('align', false)")
    assert cast("float", off) <= 0.05


def test_keys_move_by_line_and_sentence_and_click_seeks(opened: Chromium) -> None:
    opened.run("penstock.go(5, 0); document.getElementById('view').focus()")
    opened.press("ArrowDown")
    assert cast("int", state(opened)["char"]) > 0
    opened.press("ArrowUp")
    assert state(opened)["char"] == 0
    opened.press("ArrowRight")
    text = str(opened.run("penstock.blocks[5].t"))
    char = cast("int", state(opened)["char"])
    assert text[:char].rstrip()[-1] in ".?!"
    opened.press("ArrowLeft")
    assert state(opened)["char"] == 0
    opened.press("]", "]")
    assert state(opened)["width"] == 31
    opened.press("[", "[")
    opened.press("+", "+")
    assert state(opened)["speed"] == 260
    opened.run(
        """(() => { const l = document.querySelectorAll('.line')[12], r = document.createRange();
        const t = document.createTreeWalker(l, 4); const n = t.nextNode(); const c = n.data.trim();
        r.setStart(n, n.data.indexOf(c) + 1); r.setEnd(n, n.data.indexOf(c) + 2);
        const b = r.getBoundingClientRect(); window.target = [+l.dataset.block, +l.dataset.char];
        l.dispatchEvent(new MouseEvent('click', {bubbles: true, clientX: b.left + 1,
          clientY: b.top + b.height / 2})); })()"""
    )
    assert opened.run("target[0] === penstock.state.block && target[1] === penstock.state.char")


def test_the_pacer_moves_by_itself_and_stops_when_told(opened: Chromium) -> None:
    opened.run("penstock.go(1, 0); penstock.set('speed', 1000)")
    opened.run(
        """new Promise((done) => { const from = penstock.state.char; penstock.play(true);
        const look = () => penstock.state.char > from ? (penstock.play(false), done()) :
          requestAnimationFrame(look); look(); })"""
    )
    assert opened.run("document.getElementById('play').getAttribute('aria-pressed')") == "false"
    opened.run("penstock.set('speed', 250)")
    # A full stop costs more than a comma, a comma more than nothing.
    assert opened.run(
        "penstock.weight('one two.', false) > penstock.weight('one two,', false) && "
        "penstock.weight('one two,', false) > penstock.weight('one two', false)"
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_is_at_least_4_5_to_1(opened: Chromium, theme: str) -> None:
    opened.run(f"penstock.set('theme', '{theme}'); penstock.set('guide', 'colour')")
    opened.run("penstock.set('dim', true); penstock.go(10, 0)")
    least = opened.run(
        """(() => { const rgb = (c) => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
        const lum = (c) => { const [r, g, b] = rgb(c).map((v) => { v /= 255;
          return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const paper = lum(getComputedStyle(document.body).backgroundColor);
        return Math.min(...[...document.querySelectorAll('.line, .guide, header *, footer *')]
          .map((e) => { const x = lum(getComputedStyle(e).color);
            return (Math.max(x, paper) + 0.05) / (Math.min(x, paper) + 0.05); })); })()"""
    )
    opened.run("penstock.set('theme', 'light'); penstock.set('dim', false)")
    assert cast("float", least) >= 4.5


def test_every_control_has_a_name_and_the_text_says_where_it_is(opened: Chromium) -> None:
    nameless = opened.run(
        """[...document.querySelectorAll('button, input, select, main')].filter((e) =>
        !(e.textContent.trim() || e.labels?.length || e.getAttribute('aria-label'))).length"""
    )
    assert nameless == 0
    assert opened.run("document.querySelectorAll('.now[aria-current=true]').length") == 1


def test_reduced_motion_is_respected(opened: Chromium) -> None:
    for wish, duration in (("reduce", "0s"), ("no-preference", "0.09s")):
        features = [{"name": "prefers-reduced-motion", "value": wish}]
        opened.call("Emulation.setEmulatedMedia", features=features)
        opened.run("penstock.step(1)")
        style = "getComputedStyle(document.getElementById('lines')).transitionDuration"
        assert opened.run(style) == duration
    opened.call("Emulation.setEmulatedMedia", features=[])


def test_the_place_is_there_again_after_closing(opened: Chromium, tmp_path: Path) -> None:
    path = page(tmp_path, prose(30, seed=5))
    opened.open(path)
    opened.run("penstock.go(20, 0); new Promise((done) => setTimeout(done, 400))")
    opened.open(path)
    assert state(opened)["block"] == 20


def test_links_lead_to_their_place_and_code_is_shown_whole(
    opened: Chromium, tmp_path: Path
) -> None:
    body = prose(5) + '<p>See <a href="#two">two</a>.</p>' + prose(30) + '<h2 id="two">Second</h2>'
    opened.open(page(tmp_path, body + "<pre>code  stays</pre>"))
    opened.run("penstock.go(6, 0); document.querySelector('.link').click()")
    assert opened.run("penstock.blocks[penstock.state.block].t") == "Second"
    assert opened.run("document.querySelector('.whole pre').textContent") == "code  stays"


def test_a_hostile_book_neither_acts_nor_calls(opened: Chromium, tmp_path: Path) -> None:
    body = (
        "<p>Before &lt;/script&gt;&lt;img src=x onerror=window.evil=1&gt; and after.</p>"
        '<table><tr><td onclick="window.evil=1"><img src="x" onerror="window.evil=1" alt=""/>'
        "<script>window.evil=1</script></td></tr></table>"
        '<p>A <a href="javascript:window.evil=1">link</a> here.</p>'
    )
    path = page(tmp_path, body)
    opened.open(path)
    opened.run("penstock.go(0, 0); document.querySelectorAll('a, td').forEach((e) => e.click())")
    assert opened.run("window.evil === undefined")
    assert opened.run("document.querySelectorAll('[onclick], [onerror], main script').length") == 0
    names = opened.run("performance.getEntriesByType('resource').map((e) => e.name).join()")
    assert names == ""
    blocked = opened.run("fetch('https://example.org/').then(() => 'out', () => 'blocked')")
    assert blocked == "blocked"


def test_the_self_test_runs_blind_and_reports_an_interval(opened: Chromium, tmp_path: Path) -> None:
    opened.open(page(tmp_path, prose(120)))
    plan = cast("list[dict[str, object]]", opened.run("penstock.plan()"))
    assert len(plan) == 12
    for pair in range(6):
        assert sorted(bool(t["guided"]) for t in plan if t["pair"] == pair) == [False, True]
    opened.run("document.getElementById('test').click()")
    text = "document.getElementById('trial').textContent"
    for _ in range(200):
        shown = str(opened.run(text))
        if "95 % interval" in shown:
            break
        assert "guided" not in shown.lower()
        opened.run("document.querySelector('#trial-buttons button').click()")
    shown = str(opened.run(text))
    assert "95 % interval" in shown
    assert "nothing about readers in general" in shown


def test_the_interval_says_no_effect_when_there_is_none(opened: Chromium) -> None:
    share = opened.run(
        """(() => { let seed = 42;
        const rnd = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
        const gauss = () => Math.sqrt(-2 * Math.log(rnd())) * Math.cos(2 * Math.PI * rnd());
        let none = 0; for (let i = 0; i < 4000; i++)
          none += penstock.interval(Array.from({length: 6}, gauss)).verdict === 'no effect shown';
        return none / 4000; })()"""
    )
    assert 0.93 <= cast("float", share) <= 0.97
    verdict = "penstock.interval([20, 22, 19, 21, 20, 23].map((x) => {}x)).verdict"
    assert opened.run(verdict.format("")) == "more with the guide"
    assert opened.run(verdict.format("-")) == "less with the guide"


def test_page_and_terminal_have_the_same_keys(opened: Chromium) -> None:
    listed = str(opened.run("document.querySelector('#keys dl').textContent"))
    for what in KEYS.values():
        if what != "leave; the place is kept":
            assert what in listed
