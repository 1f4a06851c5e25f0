"""Editions, page, text and JSON lines tell the same text of the same book; unmake undoes make.

``PENSTOCK_EXAMPLES=20000 python -m pytest tests/reading/test_one_reading.py`` tries as many.
"""

from __future__ import annotations

import html
import json
import os
import random
import re
from xml.parsers import expat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.reading import Look, as_epub
from penstock.reading.archive import Archive
from penstock.reading.blocks import TextBlock, book_blocks, document_blocks
from penstock.reading.lines import set_document
from penstock.reading.restore import unset_document
from penstock.reading.stats import Count
from penstock.reading.texts import block_lines, json_lines, text_lines

EXAMPLES = int(os.environ.get("PENSTOCK_EXAMPLES", "150"))
FIRST = int(os.environ.get("PENSTOCK_FIRST", "0"))
XHTML = "http://www.w3.org/1999/xhtml"
MATHML = "http://www.w3.org/1998/Math/MathML"
WORDS = (
    "late|evening|a|&amp;|&#233;t&#xe9;|\u00a0|a\u2009b|10\u202f000|\u3000|Haus\u00adtür|漢字|"
    "e\u0301|—|x,|wo\u200brd|\u200b|&#x200b;|naïve|\U0001f469\u200d\U0001f680|"
    "\u0645\u0631\u062d\u0628\u0627|!|«|1/2|&lt;p>|’s|supercalifragilisticexpialidocious|"
    "\u0e44\u0e1b\u0e1a\u0e49\u0e32\u0e19|\ud55c\uad6d\uc5b4|\u2060x|(|)|co-op|https://a.b/c"
).split("|")
# Inline elements, T for a text; blocks, F for running text and B for blocks.
LEAVES = (
    "T|T|T|T|<br/>|<br></br>|<wbr/>|<!-- a comment <p> -->|<?pi some thing?>|"
    '<img src="i.png" alt=""/>|<img src="i.png" alt="a cat"/>|'
    '<img alt="&lt;b>" src="i"></img>|<script>if (a &lt; b) c()</script>|'
    "<template><p>none</p></template>|<em/>|<a id='x'/>|<m:math><m:mi>y</m:mi></m:math>|"
    '<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>z</mi></math>|<![CDATA[C]]>|'
    '<x:note xmlns:x="urn:x">foreign</x:note>|<q xmlns="urn:x">foreign</q>|'
    '<ruby>T<rp>(</rp><rt>kana</rt><rp>)</rp></ruby>|<span hidden="hidden">T</span>|'
    '<a epub:type="noteref" href="#n">T</a>|<object data="o">T</object>|<sub>T</sub>|'
    "<svg><text>T</text></svg>|<video src='v'>T</video>|<noscript>T</noscript>|<time>T</time>"
).split("|")
INLINE = "em b span a code sup i q h:em label ins small cite bdi".split()
LANGUAGES = ["en", "de", "ja", "fr"]
BLOCKS = (
    '<p>F</p>|<p>F</p>|<p>F</p>|<p class="c">\n  F\n</p>|<h2>T</h2>|F|<p/>|<hr/>|<p></p>|'
    '<p> </p>|<p hidden="">no</p>|<p dir="rtl" xml:lang="ar">F</p>|<pre>F\n  a</pre>|'
    '<p class="verse">F</p>|<dl><dt>term</dt><dd>F</dd></dl>|<h1>F</h1>|<p>T</p>\n<p>T</p>|'
    "<figure>F<figcaption>F</figcaption></figure>|"
    "<table><tr><td>T</td><th>F</th></tr></table>|<div>BB</div>|<blockquote>B</blockquote>|"
    '<section>BB</section>|<h:div>B</h:div>|<ol start="9"><li>B</li><li>B</li></ol>|'
    '<ul><li>F<ul><li>B</li></ul></li></ul>|<details>B</details>|<p xml:lang="de">F</p>|'
    "<form><p>F</p><input/></form>|<p><!-- c -->F</p>|<address>F</address>"
).split("|")


class Writer(random.Random):
    """Writes XHTML by lot: the same of the same number."""

    def text(self) -> str:
        return " ".join(self.choices(WORDS, k=self.randint(1, 8)))

    def running(self, deep: int = 0) -> str:
        return "".join(self.piece(deep) for _ in range(self.randint(1 - (deep > 0), 5 - deep)))

    def piece(self, deep: int) -> str:
        if deep < 4 and self.random() < 0.3:
            name = self.choice(INLINE)
            return f"<{name}>{self.running(deep + 1)}</{name}>"
        leaf = self.choice(LEAVES)
        if leaf == "<![CDATA[C]]>":
            return f"<![CDATA[{html.unescape(self.text())} < & <p>]]>"
        return re.sub(r"\bT\b", lambda _: self.text(), leaf)

    def block(self, deep: int = 0) -> str:
        shape = self.choice(BLOCKS)
        while deep > 3 and "B" in shape:
            shape = self.choice(BLOCKS)
        return re.sub(r"(?<![A-Za-z])[TF](?![A-Za-z])|B", lambda m: self.part(m[0], deep), shape)

    def part(self, letter: str, deep: int) -> str:
        if letter == "B":
            return self.block(deep + 1)
        return self.text() if letter == "T" else self.running()

    def document(self) -> str:
        body = "".join(self.block() for _ in range(self.randint(1, 4)))
        return (
            f'<html xmlns="{XHTML}" xmlns:h="{XHTML}" xmlns:m="{MATHML}" xmlns:epub="urn:e">'
            f"<head><title>t</title></head><body>{body}</body></html>"
        )


def visible(document: str) -> str:
    """Return what is seen, read by the standard library; blanks and brackets left out."""
    parts: list[str] = []
    hidden = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal hidden
        unseen = "hidden" in attributes or attributes.get("class") == "psh"
        if hidden or unseen or name in ("head", "script", "rp", "template"):
            hidden += 1
            return
        parts.append("\u200b" if name == "wbr" else attributes.get("alt", ""))

    def end(_: str) -> None:
        nonlocal hidden
        hidden = max(0, hidden - 1)

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = lambda text: None if hidden else parts.append(text)
    parser.Parse(document.encode(), True)
    return bare("".join(parts))


def bare(text: str) -> str:
    return "".join(
        c for c in text if not c.isspace() and c not in "\u00ad()[]\uff08\uff09\u201c\u201d"
    )


@pytest.mark.timeout(1800)  # 20,000 documents take two minutes of a processor
def test_every_form_tells_the_text_of_the_source_and_unmake_undoes_make() -> None:
    for number in range(FIRST, FIRST + EXAMPLES):
        writer = Writer(number)
        one_reading(number, writer.document(), writer.choice([12, 30]), writer.choice(LANGUAGES))


def one_reading(number: int, document: str, width: int, language: str) -> None:
    look, said = Look(width=width, hyphenate=False), f"document {number}: {document}"
    expected = visible(document)
    edition = set_document(document, look, Count(), language)
    assert unset_document(edition) == document, said
    assert visible(edition) == expected, said
    blocks = list(document_blocks(document, "", language))
    assert bare("".join(block.text for block in blocks)) == expected, said
    markers = [block.marker for block in blocks if block.marker]
    rows = [json.loads(row) for row in json_lines(blocks, look, Count())]
    text = bare("".join(row["text"] for row in rows))
    assert text.replace("-", "") == expected.replace("-", ""), said
    text = bare("".join(text_lines(blocks, look, Count(), ansi=False))).replace("-", "")
    assert len(text) == len(expected.replace("-", "")) + sum(map(len, markers)), said


def test_a_page_that_is_composed_into_a_book_keeps_the_text() -> None:
    """Markup as HTML has it: no CDATA, no empty elements; ``noscript`` of pages is left out."""
    for number in range(FIRST, FIRST + EXAMPLES // 2):
        document = Writer(number).document()
        expected = visible(document)
        page = document.replace("<br></br>", "<br/>").replace("></img>", "/>")
        page = re.sub(
            r"<(?!br|hr|img|wbr|input)([\w:]+)((?: [^<>]*[^/<>])?)/>", r"<\1\2></\1>", page
        )
        page = re.sub(r"<\?pi[^<>]*>", "", page)
        if expected and "CDATA" not in page and "noscript" not in page:
            blocks = book_blocks(Archive(as_epub(page.encode(), "a.html"), "x"))
            assert bare("".join(block.text for block in blocks)) == expected, f"{number}: {page}"


CASES = {
    "ruby": ("<p>その<ruby>言葉<rt>ことば</rt></ruby>が</p>", "その言葉（ことば）が"),
    "ruby with brackets of its own": (
        "<p><ruby>a<rp>[</rp><rt>b</rt><rp>]</rp></ruby></p>",
        "a(b)",
    ),
    "a fraction": (
        "<p>half is <math><mfrac><mn>1</mn><mn>2</mn></mfrac></math> of it</p>",
        "half is 1/2 of it",
    ),
    "a power": ("<p><math><msup><mi>x</mi><mn>2</mn></msup></math></p>", "x^2"),
    "a formula with its source": (
        "<p><math><semantics><mi>x</mi><annotation>x</annotation></semantics></math></p>",
        "x",
    ),
    "a picture in a sentence": ('<p>see <img src="i" alt="STOP"/> there</p>', "see [STOP] there"),
    "a quotation": ("<p>He said <q>yes, <i>Anna</i></q>.</p>", "He said \u201cyes, Anna\u201d."),
    "a script": ("<p>before <script>alert(1)</script>after</p>", "before after"),
    "CDATA": ("<p>before <![CDATA[Tom & Jerry]]> after</p>", "before Tom & Jerry after"),
    "CDATA that begins a text": ("<p><![CDATA[Tom]]> after</p>", "Tom after"),
    "a break": ("<p>4 Mill Lane <br/>\n Dover</p>", "4 Mill Lane\nDover"),
    "cells": ("<table><tr><td>Name</td><td>Age</td></tr></table>", "Name  Age"),
    "a hidden word": ('<p>a <span hidden="hidden">no </span>b</p><p hidden="">no</p>', "a b"),
    "a word that its style hides": (
        '<p>a <i style="color: red; display : NONE">no </i>b</p><p style="display:none">no</p>',
        "a b",
    ),
    "a word that is hidden until it is looked for": (
        '<p>a <i hidden="until-found">b</i></p>',
        "a b",
    ),
    "choices": ("<p><select><option>one</option><option>two</option></select></p>", "one two"),
    "a film from elsewhere": (
        "<p>a <video><source src='https://a.example/b'/></video></p>",
        "a [https://a.example/b]",
    ),
    "an object": ('<p><object data="x">instead</object></p>', "instead"),
    "a drawing": ("<p>a <svg><title>A cat</title><text>x</text></svg></p>", "a [A cat]"),
    "an entity of the book's own": ("<p>a &corp; b</p>", "a Acme b"),
    "text in a drawing": (
        "<p>a <svg><foreignObject><p>b c</p></foreignObject></svg></p>",
        "a b c",
    ),
    "a switch": (
        "<p><o:switch><o:case>a</o:case><o:default>b</o:default></o:switch></p>",
        "b",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_element_has_one_rule(name: str) -> None:
    markup, expected = CASES[name]
    head = '<!DOCTYPE html [<!ENTITY corp "Acme">]>' if "&corp;" in markup else ""
    assert [b.text for b in document_blocks(f"{head}<body>{markup}</body>")] == [expected]


def test_items_have_the_numbers_of_their_lists() -> None:
    source = (
        '<ol start="5"><li>a</li><li><p>b</p><ul><li>c</li></ul></li><li value="9">d</li></ol>'
        '<ol type="i" reversed="reversed" start="4"><li>e</li><li>f</li></ol>'
    )
    found = [(b.marker, b.text) for b in document_blocks(source)]
    assert found == [
        ("5.", "a"), ("6.", "b"), ("\u2022", "c"), ("9.", "d"), ("iv.", "e"), ("iii.", "f"),
    ]  # fmt: skip


def test_a_formula_with_a_prefix_and_a_cdata_section_hold_nothing_of_ours() -> None:
    source = (
        f'<html xmlns:m="{MATHML}"><p>Alpha <m:math><m:mi>x</m:mi></m:math> beta gamma <![CDATA['
        "<p>not markup</p> and more words]]> end of it all.</p></html>"
    )
    made = set_document(source, Look(width=12), Count(), "en")
    assert "<m:math><m:mi>x</m:mi></m:math>" in made
    assert "<![CDATA[<p>not markup</p> and more words]]>" in made
    assert unset_document(made) == source


def made_lines(text: str, language: str, width: int = 20) -> list[str]:
    block = TextBlock("text", text, language=language)
    return [line.text for line in block_lines(block, Look(width=width), Count())]


def test_the_books_own_breaks_begin_lines_in_an_edition() -> None:
    source = "<p>4 Mill Lane<br/>Dover, and a longer line of it</p>"
    made = set_document(source, Look(width=16), Count(), "en")
    assert "Lane<br/>Dover" in made
    assert made.count("psb") == 2
    assert unset_document(made) == source


@pytest.mark.parametrize("blank", ["\u2009", "\u202f", "\u3000", "\u2028", "&#8201;"])
def test_blanks_of_other_widths_stay_what_they_are(blank: str) -> None:
    source = f"<p>The way is 10{blank}000 km from <i>here</i>{blank}to the river.</p>"
    made = set_document(source, Look(width=14), Count(), "en")
    assert made.count(blank) == 2
    assert unset_document(made) == source


def test_soft_hyphens_of_the_book_are_where_words_are_broken() -> None:
    made = made_lines("Die Donau\u00addampf\u00adschiff\u00adfahrt ist hier.", "de", 16)
    assert all(len(line.replace("\u00ad", "")) <= 16 for line in made)
    assert made[0] == "Die Donau\u00addampf\u00ad-"
    whole = made_lines("Die Donau\u00addampf fährt.", "de", 30)
    assert whole == ["Die Donau\u00addampf fährt."]


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(
        st.sampled_from(
            ["mot", "Bonjour", "!", "?", ";", ":", "«", "»", "(", ")", "a", "fin.", ",", "3", ".5"]
        ),
        max_size=40,
    ),
    st.integers(8, 40),
    st.booleans(),
)
def test_no_line_begins_with_closing_punctuation_nor_ends_with_an_opening_one(
    words: list[str], width: int, phrases: bool
) -> None:
    text = " ".join(words)
    if not text:
        return
    block = TextBlock("text", text, language="fr")
    made = [line.text for line in block_lines(block, Look(width=width, phrases=phrases), Count())]
    assert " ".join(line.strip() for line in made) == text
    for line in made[1:]:
        assert not re.match(r"[!?;:)»,]", line), made
    for line in made[:-1]:
        assert not re.search(r"(?:^|[\s(«])«$|\($", line.rstrip()), made
