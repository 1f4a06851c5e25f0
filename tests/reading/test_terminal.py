"""The terminal reader: decided without a terminal, then driven through a real one."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

from penstock.reading.blocks import TextBlock
from penstock.reading.positions import ReadingPlace, load_place, save_place
from penstock.reading.terminal import KEYS, Reader

TEXT = "He came early in the morning. She did not see him, and nobody told her. Then it rained."
BLOCKS = [
    TextBlock("heading", "One", level=1),
    *(TextBlock("text", TEXT, language="en") for _ in range(20)),
    TextBlock("code", "x = 1\n\x1b[2Jy = 2"),
]


def reader(**place: int) -> Reader:
    return Reader(BLOCKS, ReadingPlace(**place))  # type: ignore[arg-type] # guide is not given here


def test_every_listed_key_does_something() -> None:
    for key in KEYS:
        one = reader(block=5, char=30)
        before = (one.place, one.playing, one.dim, one.align, one.help, one.done)
        one.press(key)
        assert (one.place, one.playing, one.dim, one.align, one.help, one.done) != before, key


def test_the_place_is_kept_by_word_through_any_width() -> None:
    one = reader(block=4, char=38)
    for _ in range(25):
        one.press("]")
    for _ in range(40):
        one.press("[")
    assert (one.place.block, one.place.char) == (4, 38)
    assert one.place.width == 15


def test_sentences_are_stepped_over_block_ends() -> None:
    one = reader(block=3)
    starts = []
    for _ in range(4):
        one.press("right")
        starts.append((one.place.block, one.place.char))
    assert starts == [(3, 30), (3, 72), (4, 0), (4, 30)]
    one.press("left")
    one.press("left")
    assert (one.place.block, one.place.char) == (3, 72)


def test_the_screen_has_its_size_and_the_place_at_two_fifths() -> None:
    one = reader(block=6)
    for columns, rows in ((80, 24), (40, 10), (20, 4)):
        screen = one.screen(columns, rows)
        assert len(screen) == rows
        marked = [n for n, line in enumerate(screen) if line.startswith("\u203a")]
        assert marked == [int((rows - 1) * 0.4)]


def test_a_book_does_not_steer_the_terminal() -> None:
    screen = "".join(reader(block=21).screen(80, 24))
    assert "[2Jy" in screen
    assert "\x1b[2J" not in screen


def test_the_pacer_rests_at_punctuation_and_keeps_the_speed_shown() -> None:
    one = reader(block=1)
    total = 0.0
    words = 0
    while one.place.block < 21:
        total += one.line_time()
        line = one.lines(one.place.block)[one.line_number()].text
        words += len(line.split())
        one.step(1)
    assert abs(words * 60 / total - 250) < 5


def test_what_is_searched_for_is_found_whatever_its_case_accents_and_soft_hyphens() -> None:
    blocks = [TextBlock("text", f"Number {n} of them.") for n in range(30)]
    blocks[20] = TextBlock("text", "In the Ca\u00adf\u00e9 of\nthe \u201cOld House\u201d.")
    one = Reader(blocks, ReadingPlace())
    for wanted, char in (("cafe of the", 7), ('"old house"', 20)):
        one = Reader(blocks, ReadingPlace())
        for key in ["/", *wanted, "x", "backspace", "enter"]:
            one.press(key)
        assert (one.place.block, one.place.char) == (20, char), wanted
    one.press("N")
    assert one.place.block == 20
    assert not one.help


def test_contents_are_the_books_own_and_lead_to_their_place() -> None:
    one = Reader(BLOCKS, ReadingPlace(), [(1, "First", 0), (2, "Second", 7)])
    one.press("c")
    screen = one.screen(40, 10)
    assert screen[:2] == ["\u203a First", "    Second"]
    one.press("down")
    one.press("enter")
    assert one.place.block == 7
    one.press("c")
    one.press("q")
    assert (one.help, one.done) == ("", False)


def test_leaving_the_keys_does_not_leave_the_book() -> None:
    one = reader(block=3)
    one.press("?")
    one.press("q")
    assert (one.help, one.done) == ("", False)


def test_bookmarks_are_gone_to_in_order_and_kept(tmp_path: Path) -> None:
    one = reader(block=3)
    one.press("m")
    one.press("end")
    one.press("'")
    assert one.place.block == 3
    save_place("a", one.place, tmp_path / "places.json")
    assert load_place("a", tmp_path / "places.json") == one.place
    one.press("m")
    assert one.place.marks == ()


def test_nothing_is_cut_off_on_a_narrow_screen() -> None:
    blocks = [
        TextBlock("text", "https://example.org/a/very/long/address/of/a/page/that/is/here"),
        TextBlock(
            "heading", "A heading that is longer than the whole of a narrow terminal", level=1
        ),
        TextBlock("table", "Name  Age\na cell that is far wider than such a terminal can show  9"),
        TextBlock(
            "text",
            "\u1781\u17d2\u1789\u17bb\u17c6\u1785\u1784\u17cb\u1791\u17c5" * 5,
            language="km",
        ),
    ]
    one = Reader(blocks, ReadingPlace(width=60))
    shown = "".join(
        re.sub(r"\x1b\[[0-9;]*m", "", line) for line in one.screen(24, 60)[:-1]
    ).replace("\u203a", "")
    bare = "".join(shown.split())
    for block in blocks:
        assert "".join(block.text.split()) in bare


def test_places_survive_and_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "places.json"
    assert load_place("a", file) is None
    save_place("a", ReadingPlace(block=3, char=4), file)
    save_place("b", ReadingPlace(), file)
    assert load_place("a", file) == ReadingPlace(block=3, char=4)
    file.write_text('{"a": 3')
    assert load_place("a", file) is None
    save_place("a", ReadingPlace(), file)
    assert load_place("a", file) == ReadingPlace()


def until(terminal: int, pattern: str, seen: bytes = b"") -> bytes:
    while not re.search(pattern, seen.decode("utf-8", "replace")):
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, seen
        seen += os.read(terminal, 65536)
    return seen


def test_a_book_is_read_in_a_real_terminal_and_the_place_is_there_again(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("\n\n".join(f"Paragraph number {n}. {TEXT}" for n in range(40)))
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TERM": "xterm", "LINES": "24"}
    command = [sys.executable, "-m", "penstock.cli.main", "read", "open", str(book)]
    for keys, shows in ((b"]" * 3 + b"\x1b[6~", r"width 33"), (b"", r"width 33")):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )
        os.close(theirs)
        until(ours, "words/min")
        os.write(ours, keys)
        seen = until(ours, shows)
        os.write(ours, b"q")
        until(ours, r"\x1b\[\?1049l", seen)
        assert process.wait(timeout=60) == 0
        os.close(ours)
    kept = (tmp_path / "penstock" / "reading.json").read_text()
    assert '"width":33' in kept
    assert '"block": 0, "char": 0' not in kept


def test_without_a_terminal_it_says_what_to_do(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text(TEXT)
    command = [sys.executable, "-m", "penstock.cli.main", "read", "open", str(book)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 2
    assert b"--to text" in done.stderr
