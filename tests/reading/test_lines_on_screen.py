"""Lines as a browser sets them: the promised width holds in four fonts, guides on the axis."""

from __future__ import annotations

import html
import io
import json
import zipfile
from pathlib import Path
from typing import cast

import pytest
from tests.reading.chromium import Chromium
from tests.reading.oracle import documents
from tests.reading.test_reader_page import prose
from tests.reading.third_party import book
from tests.ready import FAMILIES, ready

from penstock.reading import Look, make_edition
from penstock.reading.blocks import TextBlock
from penstock.reading.compose import Chapter, Manuscript, compose
from penstock.reading.lines import Count
from penstock.reading.texts import block_lines

ROWS = """(() => { const out = []; for (const block of document.querySelectorAll('.psl, .psx')) {
  let line = document.createRange(); line.setStart(block, 0);
  const ends = [...block.querySelectorAll('br'), null];
  for (const end of ends) {
    if (end) line.setEndBefore(end); else line.setEnd(block, block.childNodes.length);
    const boxes = [...line.getClientRects()].filter((b) => b.width > 0);
    const text = line.toString();
    let rows = 0, floor = -Infinity;
    for (const b of boxes.sort((x, y) => x.top - y.top))
      if (b.top + b.height / 2 > floor) { rows++; floor = b.bottom; }
    const guide = line.cloneContents().querySelector('b') ? 1 : 0;
    if (text.trim()) out.push([text, rows, guide]);
    line = document.createRange(); if (end) line.setStartAfter(end); }
  } return JSON.stringify(out); })()"""

AXES = """(() => { const em = parseFloat(getComputedStyle(document.body).fontSize);
  return JSON.stringify([...document.querySelectorAll('.psl b, .psg')].map((g) => {
  const r = g.getBoundingClientRect(), p = g.closest('.psl, .psx').getBoundingClientRect();
  return (r.left + 0.4 * r.width - p.left - p.width / 2) / em; })); })()"""


def unpacked(folder: Path, data: bytes, look: Look, style: str) -> list[Path]:
    """Write the edition's documents as pages with a style of the test's own."""
    out = io.BytesIO()
    make_edition(data, out, look)
    with zipfile.ZipFile(out) as archive:
        sheet = archive.read(next(n for n in archive.namelist() if n.endswith("psl.css")))
    pages = []
    for name, document in documents(out.getvalue()).items():
        if b'class="psl"' not in document:
            continue
        page = folder / name.replace("/", "-")
        styled = f"<style>{sheet.decode()}\n{style}</style></head>".encode()
        page.write_bytes(document.replace(b"</head>", styled))
        pages.append(page)
    return pages


@pytest.mark.parametrize("font", FAMILIES)
def test_no_line_is_split_at_the_promised_em(chromium: Chromium, tmp_path: Path, font: str) -> None:
    ready("fonts")
    look = Look(width=17, em=True)
    style = f"body {{ font: 20px '{font}'; margin: 0 }} .psl, .psx {{ width: 17em }}"
    style += "* { max-width: none }"
    data = book("developers-reference/developers-reference.epub").read_bytes()
    lines = 0
    for page in unpacked(tmp_path, data, look, style)[:3]:
        chromium.open(page)
        for text, rows, _ in cast("list[list[object]]", json.loads(str(chromium.run(ROWS)))):
            lines += 1
            unbreakable = len(str(text).split()) == 1
            assert rows == 1 or unbreakable, (font, text)
    assert lines > 500


def test_aligned_guides_sit_on_the_axis(chromium: Chromium, tmp_path: Path) -> None:
    ready("fonts")
    data = compose(Manuscript(title="A", chapters=[Chapter(title="A", body=prose(80))]))
    style = "body { font: 20px 'Liberation Serif'; margin: 0 } "
    (page,) = unpacked(tmp_path, data, Look(align=True), style)
    chromium.open(page)
    offsets = [abs(x) for x in cast("list[float]", json.loads(str(chromium.run(AXES))))]
    assert len(offsets) > 300
    assert max(offsets) <= 0.05


def test_without_align_the_guide_is_within_three_and_a_half_characters() -> None:
    offsets = []
    for paragraph in prose(200).split("\n"):
        block = TextBlock("text", html.unescape(paragraph)[3:-4], language="en")
        for line in block_lines(block, Look(), Count()):
            if line.guide:
                first, last = line.guide
                offsets.append(abs(first + 0.4 * (last - first) - line.columns / 2))
    offsets.sort()
    assert offsets[int(len(offsets) * 0.95)] <= 3.5
