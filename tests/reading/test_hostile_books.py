"""A book is data: the reader's page of it makes no request and stays where it is."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reading.chromium import Chromium
from tests.reading.oracle import members
from tests.reading.test_bad_input import packed, sound

from penstock.reading import Look, make_edition
from penstock.reading.harmless import harmless
from penstock.reading.names import Names, tree
from penstock.reading.sanitize import ATTRIBUTES, ELEMENTS, FORMULA, safe_markup
from penstock.reading.web_page import write_page
from penstock.reading.well_formed import check

# Public vectors of script injection and of mutation, as they are written for HTML and for XML; SITE
# is a server of ours that must hear nothing.
VECTORS = """
<script>location='SITE/a'</script>
<img src="x" onerror="location='SITE/b'"/>
<svg onload="location='SITE/c'"><script>fetch('SITE/c2')</script></svg>
<svg><foreignObject><img src="SITE/d"/></foreignObject></svg>
<svg><a xlink:href="javascript:location='SITE/e'"><text>x</text></a></svg>
<svg><use href="SITE/f#x"/><image href="SITE/f2" onload="location='SITE/f3'"/></svg>
<svg><animate attributeName="href" values="javascript:location='SITE/g'"/></svg>
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=location='SITE/h'&gt;"/></mglyph></table></mtext></math>
<math href="javascript:location='SITE/i'"><mi xlink:href="SITE/i2">x</mi></math>
<math><annotation-xml encoding="text/html"><p><img src="SITE/j"/></p></annotation-xml></math>
<meta http-equiv="refresh" content="0;url=SITE/k"/>
<base href="SITE/"/><link rel="stylesheet" href="SITE/l"/><style>@import url(SITE/l2); p { background: url(SITE/l3) }</style>
<iframe src="SITE/m"></iframe><embed src="SITE/m2"/><object data="SITE/m3"></object>
<video src="SITE/n" autoplay="autoplay" poster="SITE/n2"><source src="SITE/n3"/></video><audio src="SITE/n4" autoplay="autoplay"></audio>
<form action="SITE/o"><input type="image" src="SITE/o2"/><button formaction="SITE/o3">x</button></form>
<a href="javascript:location='SITE/p'" ping="SITE/p2">x</a><a href="data:text/html,&lt;script&gt;location='SITE/p3'&lt;/script&gt;">y</a>
<div style="background:url(SITE/q)">x</div><table background="SITE/q2"><tr><td background="SITE/q3">x</td></tr></table>
<noscript><p title="&lt;/noscript&gt;&lt;img src=x onerror=location='SITE/r'&gt;">x</p></noscript>
<template><script>location='SITE/s'</script></template><details open="open" ontoggle="location='SITE/s2'">x</details>
<?x <script> ?><![CDATA[ </script><meta http-equiv=refresh content="0;url=SITE/t"<> <img src=x< onerror=location='SITE/t2'> ]]>
<![CDATA[<img src="SITE/u"><script>location='SITE/u2'</script>]]>
<!-- <script> --><![CDATA[--><img src="SITE/v">]]><!-- </script> -->
<p title="&quot;&gt;&lt;img src=SITE/w&gt;" lang="&quot; onclick=&quot;location='SITE/w2'">x</p>
<ruby>a<rt><img src="SITE/x"/></rt></ruby><select><option><img src="SITE/x2"/></option></select>
<x:script xmlns:x="http://www.w3.org/1999/xhtml">location='SITE/y'</x:script><b xmlns="urn:x"><img src="SITE/y2"/></b>
<p>&lt;img src="SITE/z"&gt; &amp;lt;script&amp;gt;location='SITE/z2'&amp;lt;/script&amp;gt;</p>
""".strip().split("\n")  # noqa: E501 - a vector is one line
# Around each vector, so that it is met as running text and as something left whole.
AROUND = (
    "<p>one {} two</p>",
    "<table><tr><td>{}</td></tr></table>",
    "<h2>{}</h2>",
    "<pre>{}</pre>",
)


class _Site(BaseHTTPRequestHandler):
    heard: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.heard.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def document(body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml" '
        'xmlns:xlink="http://www.w3.org/1999/xlink"><head><title>x</title></head>'
        f"<body>{body}</body></html>"
    ).encode()


def listed(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return files with a package that lists them, the documents in the reading order."""
    kinds = {"css": "text/css", "svg": "image/svg+xml", "xhtml": "application/xhtml+xml"}
    items = refs = ""
    for number, name in enumerate(files):
        kind = kinds[name.rpartition(".")[2]]
        items += f'<item id="v{number}" href="{name[5:]}" media-type="{kind}"/>'
        refs += f'<itemref idref="v{number}"/>' * name.endswith("html")
    package = sound()["EPUB/package.opf"].decode()
    package = re.sub(r"<item [^>]*chapter-001[^>]*/>", "", package)
    package = re.sub(r"<itemref [^>]*/>", "", package)
    package = package.replace("</manifest>", f"{items}</manifest>")
    return {**files, "EPUB/package.opf": package.replace("</spine>", f"{refs}</spine>").encode()}


def test_no_vector_makes_a_request_or_leads_away(
    chromium: Chromium, site: str, tmp_path: Path
) -> None:
    body = "".join(around.format(v.replace("SITE", site)) for v in VECTORS for around in AROUND)
    out = io.BytesIO()
    write_page(packed({**sound(), "EPUB/chapter-001.xhtml": document(body)}), out, Look())
    path = tmp_path / "hostile.html"
    path.write_bytes(out.getvalue())
    _Site.heard.clear()
    chromium.open(path)
    count = chromium.run("penstock.blocks.length")
    assert isinstance(count, int)
    assert count >= 2 * len(VECTORS)
    chromium.run(
        """(() => { for (let i = 0; i < penstock.blocks.length; i += 3) { penstock.go(i, 0);
        document.querySelectorAll('main *').forEach((e) => { if (!/^https?:/.test(e.href || ''))
          e.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true})); }); }
        penstock.wholeText(true); })()"""
    )
    chromium.run("new Promise((done) => setTimeout(done, 300))")
    assert chromium.run("location.protocol") == "file:"
    assert chromium.run("performance.getEntriesByType('resource').length") == 0
    assert _Site.heard == []
    # Shown as text, all the same.
    assert "<img src=" in str(chromium.run("document.getElementById('whole-text').textContent"))


SHEET = """@import "SITE/1"; @import url(SITE/2); @import url('//SITEHOST/3') screen;
@im\\port/**/"SITE/4"; p { background: url( "SITE/5" ) } a { cursor: u\\72l(SITE/6), auto }
@font-face { font-family: x; src: url(SITE/7) } i { content: image-set("SITE/8" 1x) }"""
DRAWING = """<?xml-stylesheet href="SITE/9" type="text/css"?><svg xmlns="http://www.w3.org/2000/svg"
xmlns:x="http://www.w3.org/1999/xlink" onload="location='SITE/10'" xml:base="SITE/">
<style>p { fill: url(&#104;ttp://SITEHOST/11) }</style><image x:href="SITE/12"/>
<script x:href="SITE/13"/><rect fill="url(SITE/14)"/><desc title="a: b">a</desc></svg>"""


def test_an_edition_makes_no_request_and_stays_where_it_is(
    chromium: Chromium, site: str, tmp_path: Path
) -> None:
    body = "".join(around.format(v) for v in VECTORS for around in AROUND)
    heads = [f"<style>{SHEET}</style>", '<link rel="stylesheet" href="own.css"/>']
    files = {
        "EPUB/chapter-001.xhtml": document(body).decode(),
        "EPUB/own.css": SHEET,
        "EPUB/own.svg": DRAWING,
        **{
            f"EPUB/{n}.xhtml": document("<p>one two</p>")
            .decode()
            .replace("</head>", f"{head}</head>")
            for n, head in enumerate(heads)
        },
    }
    host = site.partition("//")[2]
    given = {
        name: text.replace("SITEHOST", host).replace("SITE", site).encode()
        for name, text in files.items()
    }
    out = io.BytesIO()
    report = make_edition(packed({**sound(), **listed(given)}), out, Look())
    after = members(out.getvalue())
    for name, data in after.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    _Site.heard.clear()
    chromium.call("Network.enable")
    for name in given:
        if name.endswith(("html", "svg")):
            chromium.open(tmp_path / name)
            chromium.run("new Promise((done) => setTimeout(done, 100))")
            assert str(chromium.run("location.href")).endswith(name)
            assert chromium.events.count("Page.frameNavigated") == 1
    chromium.call("Network.disable")
    assert _Site.heard == []
    assert len(report.removed) > len(VECTORS)


def test_a_document_type_gives_no_attributes_however_it_is_written() -> None:
    given = """<!DOCTYPE html [ <?x ]?> <!ATTLIST p a CDATA '>' onclick CDATA "x()"> ]><p>a</p>"""
    assert check(given.encode()) == ""
    assert "onclick" not in (made := harmless(given, str))
    assert check(made.encode()) == ""


@pytest.mark.parametrize(
    "value", ["http://a.example/", "&#104;ttp://a.example/'", "url(//a.example)"]
)
def test_an_entity_of_the_document_s_own_hides_no_address(value: str) -> None:
    given = (
        f'<!DOCTYPE html [ <!ENTITY           h "{value}">]><p><img src="&h;"/><a href="&h;">a</a>'
        '<style>p { background: url(&h;) } i { background: &h; }</style><i style="color: &h;"/></p>'
    )
    assert check(given.encode()) == ""
    made = harmless(given, str)
    assert "&h;" not in made
    assert "a.example" not in made.partition("]>")[2]


def test_what_a_book_needs_of_what_may_act_is_kept() -> None:
    kept = (
        '<p style="color: red" title="Note: this" epub:type="z3998:poem" data-x="a:b">one two '
        '<a href="https://a.example/">b</a> <a href="mailto:a@b.example">c</a></p>'
        '<p><img alt="d: e" src="data:image/png;base64,AAAA"/><span aria-label="f: g">h</span></p>'
    )
    source = (
        document(kept)
        .decode()
        .replace("xmlns:xlink", "xmlns:epub='http://www.idpf.org/2007/ops' xmlns:xlink")
    )
    assert harmless(source, print) == source


SCRAPS = st.lists(
    st.sampled_from(
        "< > </ /> <script> </script> <![CDATA[ ]]> <!-- --> <? ?> <svg> </svg> <math> </math> <p "
        '<img src=x onerror=alert(1)> onclick="x()" &lt; &#60; &amp;lt; " \' <td <a '
        "href='javascript:x' <style> </style> text <x:p xmlns:x='u'> </x:p> <br/> \x00".split(" ")
    ),
    max_size=30,
)


@settings(deadline=None)  # a busy machine is no failure
@given(SCRAPS)
def test_what_was_taken_out_of_a_document_is_gone_and_it_is_still_one(scraps: list[str]) -> None:
    source = f"<html xmlns='http://www.w3.org/1999/xhtml'>{' '.join(scraps)}</html>"
    if check(source.encode()) == "":
        found: list[str] = []
        made = harmless(source, found.append)
        assert check(made.encode()) == ""
        assert bool(found) is (made != source)
        assert harmless(made, found.append) == made
        assert "<script" not in re.sub(
            r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>", "", made, flags=re.DOTALL
        )


@settings(deadline=None)  # a busy machine is no failure
@given(SCRAPS)
def test_only_allowed_elements_and_escaped_text_come_out(scraps: list[str]) -> None:
    from html.parser import HTMLParser

    made = safe_markup(tree(" ".join(scraps), Names()), lambda _: "", lambda _: "")
    seen: list[str] = []

    class _Watcher(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.append(tag)
            assert {name for name, _ in attrs} <= {*ATTRIBUTES, "data-picture", "data-to", "alt"}

        def handle_comment(self, data: str) -> None:
            raise AssertionError(data)

        def handle_decl(self, decl: str) -> None:
            raise AssertionError(decl)

        def handle_pi(self, data: str) -> None:
            raise AssertionError(data)

    watcher = _Watcher()
    watcher.feed(made)
    watcher.close()
    assert set(seen) <= ELEMENTS | FORMULA | {"img", "a", "span"}
