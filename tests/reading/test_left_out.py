"""What an edition leaves out because it loads from elsewhere goes whole: the rest is sound."""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reading.test_bad_input import packed
from tests.reading.test_books_in_the_world import book, made
from tests.reading.test_hostile_books import document

from penstock.reading.archive import Archive
from penstock.reading.blocks import book_blocks
from penstock.reading.harmless import _Disarmer, harmless

FAR = ("https://a.example/b.mp4", "http://a.example/c?d=e&amp;f", "//a.example/g")
ADDRESSES = (*FAR, "own.png", "data:image/png;base64,AAAA", "javascript:x()", "file:///own", "#n")
# A for an address, F for what readers see that cannot show it.
BODIES = """
<p>a <audio controls="controls" src="A">F</audio> b</p>

<p><audio id="n1"><source src="A"/><source src="A" type="audio/mp4"/>F</audio></p>

<p><video poster="A" src="A" width="3"><track src="A" kind="captions"/>F</video></p>

<p><video><source src="A"></source><track src="A" kind="captions"/>F</video></p>

<div><object data="A" type="x/y" class="c"><param name="x" value="A"/>F</object></div>

<div><object data="A" type="x/y"><p>two <object data="A" type="x/y">F</object></p></object></div>

<p><iframe src="A"></iframe><iframe src="A" srcdoc="x"/><embed src="A" type="x/y"/></p>

<p><img alt="a cat" src="A" srcset="A 2x"/>
<picture><source srcset="A"/><img alt="" src="A"/></picture></p>

<form action="A"><p>F
<input type="image" alt="x" src="A"/><button formaction="A">c</button></p></form>

<p style="color: red; background: url(A)">F <a href="A" ping="A">d</a></p>

<p><svg xmlns="http://www.w3.org/2000/svg"><image id="n2" xlink:href="A"/>
<use xlink:href="A"/></svg></p>

<p><svg xmlns="http://www.w3.org/2000/svg"><a xlink:href="A"><text>e</text></a>
<tref href="A"/></svg></p>

<div><svg xmlns="http://www.w3.org/2000/svg"><font horiz-adv-x="1"><font-face font-family="x">
<font-face-src><font-face-uri xlink:href="A"/></font-face-src></font-face></font></svg></div>

<h:p xmlns:h="http://www.w3.org/1999/xhtml"><h:audio><h:source src="A"/>F</h:audio></h:p>
""".strip().split("\n\n")
HEADS = """
<link rel="stylesheet" href="A"/>
<style>@import url(A); @font-face { font-family: x; src: url('A') } p { color: red }</style>
<style>@media print { p { background: url("A"); color: red } } i { cursor: url(A), auto }</style>
<base href="A"/>
<script src="A"></script><script>x()</script>
<meta http-equiv="refresh" content="0;url=A"/>
""".strip().split("\n")
HELD = (
    "",
    "g",
    "<b>h</b> i",
    "<!-- j -->",
    "<ruby>k<rt>l</rt></ruby>",
    '<img alt="m" src="own.png"/>',
)
NEEDED = {
    **dict.fromkeys(("img", "source", "iframe", "embed", "track"), ("src", "srcset")),
    **dict.fromkeys(("image", "use", "link", "base", "tref", "font-face-uri"), ("href",)),
    "object": ("data",),
    "meta": ("charset", "name"),
}
LOADED = {"src", "data", "poster", "action", "formaction", "background", "srcset", "ping", "base"}


@st.composite
def filled(draw: st.DrawFn, pieces: list[str]) -> str:
    text = draw(st.sampled_from(pieces))
    while match := re.search(r"\bA\b|\bF\b", text):
        some = draw(st.sampled_from(ADDRESSES if match[0] == "A" else HELD))
        text = text[: match.start()] + some + text[match.end() :]
    return text


def local(name: str) -> str:
    return name.rpartition("}")[2]


def sound(root: ET.Element, members: set[str]) -> None:
    for element in root.iter():
        name = local(element.tag)
        has = {local(key): value for key, value in element.items()}
        assert not NEEDED.get(name) or set(NEEDED[name]) & set(has), (name, has)
        if name in ("audio", "video"):
            assert "src" in has or any(local(e.tag) == "source" for e in element), name
        assert name != "font-face-src" or len(element)
        assert name != "script"
        style = has.get("style", "") + (element.text or "" if name == "style" else "")
        assert "a.example" not in style
        for key, value in has.items():
            if key in LOADED or (key == "href" and name != "a"):
                assert "a.example" not in value, (name, key)
            if key in ("href", "src") and not re.match(r"\w+:|//|#|$", value):
                assert unquote(urljoin("EPUB/b.xhtml", value)) in members


@settings(deadline=None, max_examples=120)
@given(st.lists(filled(BODIES), max_size=4), st.lists(filled(HEADS), max_size=2))
def test_what_loads_from_elsewhere_goes_whole_and_the_text_stays(
    bodies: list[str], heads: list[str]
) -> None:
    body = document("<p id='n'>It was late.</p>" + "".join(bodies)).replace(
        b"</head>", f"{''.join(heads)}</head>".encode()
    )
    files = book(body=body, files={"EPUB/own.png": b"\x89PNG"})
    after, _ = made(files)
    root = ET.fromstring(after["EPUB/b.xhtml"])
    sound(root, set(after))
    texts = [
        ["".join(block.text.split()) for block in book_blocks(Archive(packed(of), "b"))]
        for of in (files, after)
    ]
    assert texts[0] == texts[1]
    kept = {e.get("id") for e in root.iter()}
    assert {e.get("id") for e in ET.fromstring(body).iter()} <= kept


def book_from_elsewhere() -> dict[str, bytes]:
    """Return a book of whatever an EPUB may load from elsewhere, and of what it may not."""
    far = FAR[0]
    bodies = [re.sub(r"\bF\b", "<b>f</b>", text) for text in BODIES if "tref" not in text]
    body = "".join(bodies).replace("//www.w3", "WWW").replace("A", far).replace("WWW", "//www.w3")
    sheet = "@namespace x url(http://a.example/n); @import 'A'; p { src: url(A); color: red }"
    overlay = (
        '<smil xmlns="http://www.w3.org/ns/SMIL" version="3.0"><body><par id="p">'
        f'<text src="b.xhtml#n"/><audio src="{far}" clipBegin="0s" clipEnd="1s"/></par>'
        "</body></smil>"
    )
    files = book(
        body=document(f"<p id='n'>It was late.</p>{body}").replace(
            b"</head>", "".join(HEADS).replace("A", far).encode() + b"</head>"
        ),
        meta="".join(
            f'<meta {of}property="media:duration">0:00:01.000</meta>'
            for of in ("", 'refines="#o" ', 'refines="#far" ')
        )
        + '<link rel="record" media-type="application/xhtml+xml" href="b.xhtml#gone"/>',
        files={"EPUB/own.css": sheet.replace("A", far).encode(), "EPUB/own.smil": overlay.encode()},
    )
    items = (
        '<item id="css" href="own.css" media-type="text/css" properties="remote-resources"/>'
        '<item id="o" href="own.smil" media-type="application/smil+xml"/>'
        f'<item id="far" href="{far}" media-type="video/mp4"/>'
        '<item id="odd" href="own.xyz" media-type="x/y" fallback="odder"/>'
        '<item id="odder" href="https://a.example/h" media-type="x/y" fallback="m"/></manifest>'
    )
    package = files["EPUB/package.opf"].decode().replace("</manifest>", items)
    package = package.replace(
        '<item id="m"', '<item id="m" media-overlay="o" properties="scripted svg"'
    )
    return {**files, "EPUB/package.opf": package.encode(), "EPUB/own.xyz": b"x"}


def test_the_package_lists_nothing_from_elsewhere_and_nothing_refers_to_it() -> None:
    after, report = made(book_from_elsewhere())
    package = after["EPUB/package.opf"].decode()
    assert 'fallback="m"' in package
    assert "far" not in package
    assert "a.example" not in package
    assert "b.xhtml#gone" not in package
    sheet = after["EPUB/own.css"].decode()
    assert sheet == "@namespace x url(http://a.example/n); p { color: red }"
    assert b"<audio" not in after["EPUB/own.smil"]
    assert "https://a.example/b.mp4: listed, but not in the book" in report.removed


ATTRIBUTES = (
    "href src xlink:href data style srcset background onclick x:onload ping title xml:base data-x "
    "poster lang id-x class-x xmlns:x content p:content http-equiv srcdoc ONLOAD a:b:src fill"
).split()
VALUES = (
    *ADDRESSES, "&#104;ttp://a.example", "https&colon;//a.example", "h\nttp://a.example",
    "\\\\a.example", "url(&quot;//a.example&quot;)", "u\\72l(//a.example)", "a b > c", "",
    "x;url=//a.example", "&own;",
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(["a", "img", "p", "x:use", "meta", "SVG:image"]),
    st.dictionaries(
        st.sampled_from(ATTRIBUTES), st.tuples(st.sampled_from(VALUES), st.sampled_from("\"'"))
    ),
    st.sampled_from([" ", "\n", "\t "]),
)
def test_a_document_without_signs_of_what_acts_holds_nothing_that_does(
    name: str, attributes: dict[str, tuple[str, str]], blank: str
) -> None:
    given = "".join(f"{blank}{key} ={q}{value}{q}" for key, (value, q) in attributes.items())
    source = f"<p><!-- <b a=' --><{name}{given}/><i title='c'>d</i></p>"
    said: list[str] = []
    assert harmless(source, said.append) == _Disarmer(source, str, bool).out_of(source)
    assert bool(said) is (harmless(source, str) != source)
