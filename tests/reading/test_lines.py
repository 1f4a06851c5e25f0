"""Lines of any text: nothing lost, nothing too wide, phrases kept, in the languages promised."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reading.test_reader_page import prose

from penstock.reading import Look
from penstock.reading.blocks import TextBlock
from penstock.reading.guides import nearest_word
from penstock.reading.lines import Count, set_document
from penstock.reading.markup import passages
from penstock.reading.restore import unset_document
from penstock.reading.text_map import cells
from penstock.reading.texts import block_lines
from penstock.reading.units import finnish_syllables
from penstock.reading.words import centre_word, function_words

INLINE = st.sampled_from(
    ["<em>", "</em>", "&amp;", "&#233;", "\u00a0", "—", "…", "<br/>", "漢字", "e\u0301", "\u2060"]
)
PIECES = st.lists(
    st.one_of(st.text("abcdefgh ,.\n'", min_size=1, max_size=12), INLINE), max_size=40
)
LOOKS = st.builds(
    Look,
    width=st.integers(8, 60),
    guide=st.sampled_from(["bold", "colour", "underline", "none"]),
    phrases=st.booleans(),
)


def balanced(pieces: list[str]) -> str:
    out, deep = [], 0
    for piece in pieces:
        if piece == "</em>":
            if not deep:
                continue
            deep -= 1
        deep += piece == "<em>"
        out.append(
            html.escape(piece, quote=False) if piece.isascii() and piece[0] not in "<&" else piece
        )
    return "".join(out) + "</em>" * deep


@settings(deadline=None)  # a busy machine is no failure
@given(PIECES, LOOKS, st.sampled_from(["en", "de", "fi", "ja", "xx", ""]))
def test_taking_lines_out_gives_the_source_back(pieces: list[str], look: Look, lang: str) -> None:
    source = (
        f'<html><head><title>x</title></head><body><p id="a">{balanced(pieces)}</p></body></html>'
    )
    made = set_document(source, look, Count(), lang)
    assert unset_document(made) == source


BETWEEN = st.sampled_from(["", "\n", "\n\t\t", " "])


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(PIECES, min_size=1, max_size=6), BETWEEN, LOOKS, st.sampled_from(["en", "de"]))
def test_paragraphs_are_set_together_as_they_are_alone(
    paragraphs: list[list[str]], between: str, look: Look, lang: str
) -> None:
    whole = [f"<p>{balanced(pieces)}</p>" for pieces in paragraphs]
    alone, together = Count(), Count()
    one_by_one = [set_document(source, look, alone, lang) for source in whole]
    made = set_document(between.join(whole), look, together, lang)
    assert made == between.join(one_by_one)
    assert together == alone
    assert unset_document(made) == between.join(whole)


def test_a_bare_paragraph_bears_the_class_itself_and_any_other_gets_an_element() -> None:
    source = '<p>one two</p>\n<p id="a">one two</p><div>one two</div><p>\n one</p>'
    made = set_document(source, Look(), Count(), "en")
    assert made == (
        '<p class="psl">one <b>two</b></p>\n<p id="a"><span class="psl">one <b>two</b></span></p>'
        '<div><span class="psl">one <b>two</b></span></div><p>\n <span class="psl">one</span></p>'
    )
    assert unset_document(made) == source


def test_markup_goes_back_to_its_place_and_no_guide_is_put_before_two_halves() -> None:
    source = (
        "<p>It was a <i>very</i> dark &amp; stor<em>my</em> night in the old\n<u>harbour</u>.</p>"
    )
    made = set_document(source, Look(width=18), Count(), "en")
    assert unset_document(made) == source
    assert "<i><b>very</b></i>" in made
    assert "stor<em>my</em>" in made


@settings(deadline=None)  # a busy machine is no failure
@given(st.text("abcdefgh,.—-' ", max_size=200), st.integers(8, 60), st.booleans())
def test_no_line_is_wider_than_asked_unless_one_word_is(
    text: str,
    width: int,
    phrases: bool,
) -> None:
    block = TextBlock("text", " ".join(text.split()), language="en")
    look = Look(width=width, phrases=phrases, hyphenate=False)
    lines = block_lines(block, look, Count()) if block.text else []
    for line in lines:
        # UAX #14: a blank before a stop or a comma ends no line.
        assert line.columns <= width or " " not in re.sub(" (?=[.,])", "", line.text)
    assert "".join(line.text for line in lines).replace(" ", "") == block.text.replace(" ", "")


@settings(deadline=None)  # a busy machine is no failure
@given(st.text("abcdefghi,.—’- \u00a0", min_size=1, max_size=60))
def test_the_quick_choice_of_the_guide_is_as_near_as_the_careful_one(text: str) -> None:
    line = " ".join(text.split(" ")).strip() + " "
    if not line.strip():
        return

    def off(span: tuple[int, int]) -> float:
        return abs(span[0] + 0.4 * (span[1] - span[0]) - len(line.rstrip(" ")) / 2)

    quick, careful = nearest_word(line), centre_word(line)
    if quick and careful:
        assert off(quick) <= off(careful) + 6


def lines(text: str, language: str, *, look: Look | None = None, rtl: bool = False) -> list[str]:
    block = TextBlock("text", text, language=language, rtl=rtl)
    return [line.text for line in block_lines(block, look or Look(), Count())]


def test_german_compounds_are_hyphenated_where_lines_would_stay_empty() -> None:
    text = "Die Straßenverkehrszulassungsordnung gilt."
    made = lines(text, "de", look=Look(width=18))
    assert any(line.endswith("-") for line in made)
    assert "".join(made).replace("-", "").replace(" ", "") == text.replace(" ", "")


def test_finnish_words_are_hyphenated_at_syllables() -> None:
    assert finnish_syllables("lentokone") == [3, 5, 7]
    made = lines("lentokonesuihkuturbiinimoottoriapumekaanikko on", "fi", look=Look(width=20))
    assert max(map(len, made)) <= 20


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ja", "これは日本語の文章です。行の長さは読みやすさに影響します。「括弧」も使います。"),
        ("zh-CN", "本指南旨在帮助你学习如何制作软件包，并说明其中的各个步骤和常见问题。"),
        ("zh-TW", "本指南旨在幫助你學習如何製作軟體套件，並說明其中的各個步驟和常見問題。"),
        ("th", "วันนี้อากาศดีมากและฉันอยากไปเดินเล่นที่สวนสาธารณะกับเพื่อน"),
    ],
)
def test_scripts_without_blanks_break_at_phrases(language: str, text: str) -> None:
    made = lines(text, language)
    assert len(made) > 2
    assert "".join(made) == text
    for line in made:
        assert sum(map(cells, line)) <= 30
        assert line[0] not in "。，、」）"
        assert line[-1] not in "「（"


def test_a_script_without_known_breaks_is_left_alone_and_reported() -> None:
    count = Count()
    source = "<html><head/><body><p>ខ្ញុំចង់ទៅផ្សារដើម្បីទិញម្ហូប</p></body></html>"
    assert set_document(source, Look(), count, "km") == source
    assert count.left["text"] == 1
    assert any("Khmer" in note for note in count.notes)


def test_right_to_left_text_keeps_its_order_and_direction() -> None:
    source = '<body dir="rtl"><p>שלום עולם זה טקסט בעברית שצריך להישבר לשורות קצרות</p></body>'
    made = set_document(source, Look(width=20), Count(), "he")
    assert "<b>" in made
    assert unset_document(made) == source


def test_function_words_end_far_fewer_lines_than_greedy_ones() -> None:
    def ends(*, phrases: bool) -> tuple[int, int]:
        stops, total, torn = function_words("en"), 0, 0
        for paragraph in prose(150).split("\n"):
            made = lines(paragraph[3:-4], "en", look=Look(phrases=phrases))
            total += len(made)
            torn += sum(line.split()[-1].lower() in stops for line in made[:-1])
        return total, torn

    greedy, phrased = ends(phrases=False), ends(phrases=True)
    assert phrased[1] <= 0.75 * greedy[1]
    assert phrased[0] <= 1.1 * greedy[0]


def test_notes_formulas_and_links_stay_in_one_piece() -> None:
    source = (
        '<p>The energy of a body at rest is known<a epub:type="noteref" href="#n" id="r">12</a> as '
        '<math><mi>E</mi><mo>=</mo><mi>m</mi></math> by <a href="x">all readers here</a>.</p>'
    )
    made = set_document(source, Look(width=12), Count(), "en")
    assert 'known<a epub:type="noteref" href="#n" id="r">12</a>' in re.sub(r"</?b[^r>]*>", "", made)
    assert "<math><mi>E</mi><mo>=</mo><mi>m</mi></math>" in made
    assert made.count("<a ") == source.count("<a ")
    assert unset_document(made) == source


def test_kinds_of_blocks_are_told_apart() -> None:
    source = (
        '<body><h1>a</h1><p>b</p><pre>c</pre><table><tr><td>d</td></tr></table><div class="poem">'
        "<p>e</p></div><ul><li>f<ul><li>g</li></ul></li></ul><nav><p>h</p></nav>i"
        "<blockquote>j</blockquote><!-- k --><p><svg><text>l</text></svg></p></body>"
    )
    assert [(p.kind, source[p.start : p.end][:9]) for p in passages(source)] == [
        ("heading", "<h1>a</h1"),
        ("text", "b"),
        ("code", "<pre>c</p"),
        ("table", "<table><t"),
        ("verse", "<div clas"),
        ("text", "f"),
        ("text", "g"),
        ("navigation", "<nav><p>h"),
        ("text", "i"),
        ("text", "j"),
        ("text", "<svg><tex"),
    ]
