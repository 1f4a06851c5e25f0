"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const book = JSON.parse($("book").textContent);
  const blocks = book.blocks.map((b) => (typeof b === "string" ? { k: "text", t: b } : b));

  // ---- rules, without the page ------------------------------------------------------------
  const SHARE = 0.4; // the best viewing position lies between a word's start and its middle
  const WORD = /[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}\u200c\u200d]|['’.-](?=[\p{L}\p{N}]))*/gu;
  const UNEVEN = /[\u00ad\u200b\u0300-\u036f\u0590-\u08ff\u0900-\u1dff\u2e80-\uffff]/; // needs columns, not characters
  const escaped = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const CLOSING = new Set(",;:.!?\u2026\u201d\u2019)]\u00bb"), OPENING = new Set("\u201c\u2018(\u00ab\u2014 ");
  const LETTER = /[\p{L}\p{N}_]/u;
  const stopSets = new Map();

  function stopsOf(language) {
    const name = (language || book.language || "").split("-")[0];
    if (!stopSets.has(name)) stopSets.set(name, new Set(book.stops[name] || []));
    return stopSets.get(name);
  }

  // Whether the word before a place belongs to what follows.
  function isStop(text, place, stops) {
    let begin = place;
    while (begin > 0 && !OPENING.has(text[begin - 1])) begin--;
    return begin > 0 && stops.has(text.slice(begin, place).toLowerCase());
  }
  const afterDash = (text, place) => text[place - 1] === "\u2014" && LETTER.test(text[place] || " ");

  // Where the line that begins at start ends, before its blanks: the longest that ends with
  // punctuation, else with a whole phrase, else with a word. No expression is compiled for a width.
  function lineEnd(text, start, width, stops) {
    if (text.length - start <= width) return text.length;
    const least = start + Math.round(width * 0.76), half = start + Math.round(width * 0.5);
    let phrase = 0, word = 0;
    for (let place = start + width; place > start; place--) {
      const blank = text[place] === " ";
      if (!blank && !afterDash(text, place)) continue;
      word ||= place;
      if (place >= least && blank && CLOSING.has(text[place - 1])) return place;
      if (!phrase && place >= half && !(blank && isStop(text, place, stops))) phrase = place;
      if (place < least && (phrase || place < half)) break;
    }
    if (word) return phrase || word;
    let place = start + width + 1; // a word that is longer than a line
    while (place < text.length && text[place] !== " " && !afterDash(text, place)) place++;
    return place;
  }

  const isWide = (c) => /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u.test(c);
  function columns(text) {
    let sum = 0;
    for (const c of text) sum += /\p{M}|\p{Cf}/u.test(c) ? 0 : isWide(c) ? 2 : 1;
    return sum;
  }

  // Words of a script without blanks come from the browser's own dictionary; punctuation stays
  // with the word before it, an opening bracket with the one after.
  function units(text, language) {
    const found = [];
    let open = "";
    for (const { segment } of new Intl.Segmenter(language || undefined, { granularity: "word" }).segment(text)) {
      if (/^[\p{Ps}\p{Pi}]+$/u.test(segment)) open += segment;
      else if (found.length && !open && /^[\s\p{P}\p{S}\p{Cf}]+$/u.test(segment)) found[found.length - 1] += segment;
      else if (found.length && !open && !/[ \t\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\u2014]$/u.test(found[found.length - 1])) found[found.length - 1] += segment;
      else { found.push(open + segment); open = ""; }
    }
    if (open) found.push(open);
    return found;
  }

  // UAX #14, LB13 to LB15, as Python has it: a blank before closing punctuation or behind an opening
  // quotation mark ends no line. It is made one that does not break, of the same length.
  const BEFORE_CLOSING = / (?=[!?;:)\]}]|\/(?!\S)|\.(?![\p{L}\p{N}_])|,(?!\d)|[\u00bb\u203a\u201d\u2019](?![\p{L}\p{N}_]))/gu;
  const AFTER_OPENING = /(?<=(?:^|[\s(\[{\u00ab\u2039\u201c\u2018\u201e\u2014-])[\u00ab\u2039\u201c\u2018\u201e\u201a]|[\u00a1\u00bf(\[{]) /gu;
  const glued = (text) => text.replace(BEFORE_CLOSING, "\u00a0").replace(AFTER_OPENING, "\u00a0");

  // The lines of a text: it begins one wherever the book does.
  function linesOf(text, width, language) {
    const found = [];
    let from = 0;
    for (const part of text.split("\n")) {
      const end = from + part.length;
      if (part.trim()) for (const [a, b] of partLines(glued(part), width, language)) found.push([from + a, from + b]);
      else if (found.length) found.push([from, end]);
      from = end + 1;
    }
    return found.length ? found : [[0, text.length]];
  }
  function partLines(text, width, language) {
    const found = [];
    if (!UNEVEN.test(text)) {
      const stops = stopsOf(language);
      for (let start = 0; start < text.length;) {
        let end = lineEnd(text, start, width, stops);
        while (text[end] === " ") end++;
        found.push([start, end]);
        start = end;
      }
      return found;
    }
    let start = 0, at = 0, used = 0;
    const take = (unit) => {
      if (used && used + columns(unit.trimEnd()) > width) { found.push([start, at]); start = at; used = 0; }
      at += unit.length;
      used += columns(unit);
    };
    for (const unit of units(text, language || book.language)) {
      // Longer than a line: broken at the book's own soft hyphens and zero-width blanks.
      if (columns(unit.trimEnd()) > width) unit.split(/(?<=[\u00ad\u200b])/).forEach(take);
      else take(unit);
    }
    found.push([start, text.length]);
    return found;
  }

  function guideOf(line, rtl) {
    const spans = [...line.matchAll(WORD)].map((m) => [m.index, m.index + m[0].length]);
    if (spans.length < 2) return null;
    const axis = line.trimEnd().length / 2, share = rtl ? 0.5 : SHARE;
    let best = null, least = Infinity;
    for (const [a, b] of spans) {
      const off = Math.abs(a + share * (b - a) - axis);
      if (off < least) { least = off; best = [a, b]; }
    }
    return best;
  }

  const countWords = (text) => (text.match(WORD) || []).length;
  // A line's share of time: its words, and rests at punctuation and at a paragraph's end.
  function weight(line, last) {
    const rests = 0.5 * (line.match(/[,;:\u2014]/g) || []).length + (line.match(/[.!?\u2026](?=[\s\u201d\u2019"')]|$)/g) || []).length;
    return countWords(line) + rests + (last ? 1 : 0);
  }

  // Student's t, 97.5 %, by degrees of freedom.
  const T = [0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131];
  // The mean of paired differences with its 95 % interval; the verdict knows only the interval.
  function interval(differences) {
    const n = differences.length;
    const mean = differences.reduce((a, b) => a + b, 0) / n;
    if (n < 2) return { mean, low: -Infinity, high: Infinity, verdict: "no effect shown" };
    const spread = Math.sqrt(differences.reduce((a, d) => a + (d - mean) ** 2, 0) / (n - 1) / n);
    const t = T[Math.min(n - 1, T.length - 1)];
    const low = mean - t * spread, high = mean + t * spread;
    const verdict = low > 0 ? "more with the guide" : high < 0 ? "less with the guide" : "no effect shown";
    return { mean, low, high, verdict };
  }

  // ---- state --------------------------------------------------------------------------------
  const key = "penstock-reading:" + book.id;
  const kept = (() => { try { return JSON.parse(localStorage.getItem(key)) || {}; } catch { return {}; } })();
  const state = {
    block: 0, char: 0, width: book.width, guide: book.guide, align: book.align, dim: false, speed: 250,
    mode: "lines", half: false, font: "serif", scale: 100, leading: 160, marks: [],
    theme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light", ...kept,
  };
  state.block = Math.min(Math.max(0, state.block | 0), blocks.length - 1);
  const before = new Float64Array(blocks.length + 1); // characters before each block
  blocks.forEach((b, i) => { before[i + 1] = before[i] + Math.max(1, b.t.length); });
  const total = before[blocks.length];
  let cache = new Map();
  let saved = 0;

  function save() {
    clearTimeout(saved);
    saved = setTimeout(() => { try { localStorage.setItem(key, JSON.stringify(state)); } catch { /* private mode */ } }, 200);
  }
  function lines(index) {
    if (!cache.has(index)) {
      const b = blocks[index];
      cache.set(index, b.k === "text" ? linesOf(b.t, state.width, b.l) : [[0, b.t.length]]);
    }
    return cache.get(index);
  }
  function lineAt(index, char) {
    const all = lines(index);
    let low = 0, high = all.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (all[middle][0] <= char) low = middle; else high = middle - 1;
    }
    return low;
  }

  // ---- drawing ------------------------------------------------------------------------------
  const view = $("view"), box = $("lines");
  let pictures = null;
  function picture(name) {
    pictures ??= JSON.parse($("pictures").textContent);
    return pictures[name] || "";
  }

  function drawLine(block, index, number, guided) {
    const [start, stop] = lines(index)[number];
    const text = block.t.slice(start, stop);
    const row = document.createElement("div");
    row.className = "line";
    row.dataset.block = index; row.dataset.char = start; row.dataset.line = number;
    if (block.r) row.dir = "rtl";
    if (block.n && number === 0) row.append(marker(block));
    const guide = guided ? guideOf(text, block.r) : null;
    const ranges = (block.s || []).filter(([a, b]) => a < stop && b > start).map(([a, b, name, target]) => [Math.max(a, start) - start, Math.min(b, stop) - start, name, target]);
    if (guide) ranges.push([guide[0], guide[1], "guide"]);
    if (state.half) for (const m of text.matchAll(WORD)) if (m[0].length > 1) ranges.push([m.index, m.index + Math.ceil(m[0].length / 2), "half"]);
    if (hit && hit.block === index && hit.start < stop && hit.stop > start) ranges.push([Math.max(hit.start, start) - start, Math.min(hit.stop, stop) - start, "mark"]);
    const cuts = [...new Set([0, text.length, ...ranges.flatMap(([a, b]) => [a, b])])].sort((a, b) => a - b);
    for (let i = 0; i + 1 < cuts.length; i++) {
      let node = document.createTextNode(text.slice(cuts[i], cuts[i + 1]));
      for (const [a, b, name, target] of ranges) if (a <= cuts[i] && b >= cuts[i + 1]) node = wrap(node, name, target);
      row.append(node);
    }
    if (/\u00ad\s*$/.test(text)) row.append("-");
    return row;
  }
  function marker(block) {
    const node = document.createElement("span");
    node.className = "marker";
    node.textContent = block.n + "\u00a0";
    return node;
  }
  function wrap(node, name, target) {
    if (name === "img") {
      const image = document.createElement("img");
      image.alt = node.textContent;
      if (!picture(target)) return node;
      image.src = picture(target);
      return image;
    }
    const element = document.createElement(name === "guide" || name === "half" || (name === "a" && !target) ? "span" : name);
    if (name === "guide" || name === "half") element.className = name;
    if (name === "a" && target) linkTo(element, target);
    element.append(node);
    return element;
  }
  function linkTo(element, target) {
    if (/^(https?:|mailto:)/.test(target)) { element.href = target; element.rel = "noreferrer"; return; }
    element.className = "link"; element.dataset.go = target; element.href = "#";
  }
  function drawWhole(block, index) {
    const whole = document.createElement("div");
    whole.className = "whole " + block.k;
    whole.dataset.block = index; whole.dataset.char = 0; whole.dataset.line = 0;
    if (block.r) whole.dir = "rtl";
    if (block.h) { whole.setAttribute("role", "heading"); whole.setAttribute("aria-level", Math.min(6, block.h + 1)); }
    if (block.m) whole.innerHTML = block.m; else whole.textContent = block.t; // built of allowed elements and escaped text by penstock.reading.sanitize
    for (const image of whole.querySelectorAll("img[data-picture]")) image.src = picture(image.dataset.picture);
    for (const link of whole.querySelectorAll("a[data-to]")) linkTo(link, link.dataset.to);
    if (block.n) whole.prepend(marker(block));
    if (hit && hit.block === index) whole.classList.add("found");
    return whole;
  }

  const FONTS = { serif: 'Georgia, "DejaVu Serif", serif', sans: 'system-ui, "DejaVu Sans", sans-serif', mono: 'ui-monospace, "DejaVu Sans Mono", monospace' };
  function resize(room) {
    const size = Math.max(9, Math.min(24, (room - 32) / (state.width * 0.62)) * state.scale / 100);
    box.style.setProperty("--size", size + "px");
    box.style.setProperty("--half", (state.width * 0.31 + 1.2) + "em");
    box.style.setProperty("--leading", String(state.leading / 100));
    box.style.fontFamily = FONTS[state.font] || FONTS.serif;
    return size * state.leading / 100;
  }

  // Draws one screen around the place: the book itself is never laid out as a whole.
  function draw(moving = false) {
    // Measured before anything changes: the lines of before need not be laid out once more.
    const height = view.clientHeight, row = resize(view.clientWidth), above = height * 0.38;
    const earlier = moving ? topOf(state.block, state.char) : null;
    box.className = [state.guide, state.dim ? "dim" : "", moving ? "moving" : ""].join(" ");
    const guided = state.guide !== "none";
    const fragment = document.createDocumentFragment();
    const here = blocks[state.block].k === "text" ? lineAt(state.block, state.char) : 0;
    const put = (index, number, first) => {
      const block = blocks[index];
      const node = block.k === "text" ? drawLine(block, index, number, guided) : drawWhole(block, index);
      if (number === 0 && block.k === "text") node.classList.add("paragraph");
      if (first) fragment.prepend(node); else fragment.append(node);
      return node;
    };
    const now = put(state.block, here, false);
    now.classList.add("now");
    now.setAttribute("aria-current", "true");
    let index = state.block, number = here;
    for (let used = 0; used < height - above + 2 * row; used += row) {
      if (++number >= lines(index).length) { if (++index >= blocks.length) break; number = 0; }
      put(index, number, false);
    }
    index = state.block; number = here;
    for (let used = 0; used < above + row; used += row) {
      if (--number < 0) { if (--index < 0) break; number = lines(index).length - 1; }
      put(index, number, true);
    }
    box.replaceChildren(fragment);
    if (state.align && guided) alignGuides();
    shift = above - textTop(now, row);
    // What the eye follows is the text: it moves from where the line was to where it is now.
    if (earlier !== null && !playing) {
      box.style.transition = "none";
      box.style.transform = `translateY(${shift + earlier - above}px)`;
      void box.offsetHeight;
      box.style.transition = "";
    }
    box.style.transform = `translateY(${shift}px)`;
    for (const line of box.querySelectorAll(".line")) line.classList.toggle("wide", line.scrollWidth > line.clientWidth + 1);
    progress();
    save();
  }
  let shift = 0;
  const textTop = (node, row) => node.offsetTop + (node.classList.contains("paragraph") ? node.offsetHeight - row : 0);
  // Where the line of a place is on the screen before it is drawn again, from the top of the view.
  function topOf(index, char) {
    const number = blocks[index].k === "text" ? lineAt(index, char) : 0;
    const node = box.querySelector(`[data-block="${index}"][data-line="${number}"]`);
    if (!node) return null;
    const padding = node.classList.contains("paragraph") ? parseFloat(getComputedStyle(node).paddingTop) : 0;
    return node.getBoundingClientRect().top - view.getBoundingClientRect().top + padding;
  }
  function progress() {
    const done = before[state.block] + state.char;
    $("place").value = Math.round((1000 * done) / total);
    const i = chapterAt(state.block), from = i < 0 ? 0 : before[chapters[i].block], to = before[chapters[i + 1]?.block ?? blocks.length];
    const chapter = to > from ? Math.floor((100 * (done - from)) / (to - from)) : 0;
    $("place-shown").textContent = Math.floor((100 * done) / total) + " %" + (chapters.length > 1 ? ` · chapter ${chapter} %` : "");
    if (document.activeElement !== $("contents")) $("contents").value = i < 0 ? "" : String(chapters[i].block);
  }
  // The book's own contents where it has some, else its headings.
  const chapters = (book.toc || []).map(([level, title, to]) => ({ level, title, block: book.targets[to] ?? book.targets[to.split("#")[0]] })).filter((c) => c.block !== undefined);
  if (!chapters.length) blocks.forEach((b, block) => { if (b.k === "heading") chapters.push({ level: b.h || 1, title: b.t.replace(/\n/g, " "), block }); });
  const sortedChapters = () => chapters.sort((a, b) => a.block - b.block);
  sortedChapters();
  const chapterAt = (block) => chapters.findLastIndex((c) => c.block <= block);
  function alignGuides() {
    const axis = box.clientWidth / 2, left = box.getBoundingClientRect().left;
    const shifts = [];
    for (const guide of box.querySelectorAll(".guide")) {
      const r = guide.getBoundingClientRect();
      const line = guide.closest(".line");
      const at = line.dir === "rtl" ? r.right - 0.5 * r.width : r.left + SHARE * r.width;
      if (!shifts.some(([l]) => l === line)) shifts.push([line, axis - (at - left)]);
    }
    for (const [line, by] of shifts) line.style.left = by + "px";
  }

  // ---- moving -------------------------------------------------------------------------------
  function go(index, char, moving = false) {
    state.block = Math.min(Math.max(0, index), blocks.length - 1);
    state.char = Math.min(Math.max(0, char), Math.max(0, blocks[state.block].t.length - 1));
    draw(moving);
  }
  function step(count) { const at = move(count); go(at[0], at[1], true); }
  function move(count) {
    let index = state.block, number = lineAt(index, state.char);
    for (; count > 0; count--) {
      if (number + 1 < lines(index).length) number++;
      else if (index + 1 < blocks.length) { index++; number = 0; } else break;
    }
    for (; count < 0; count++) {
      if (number > 0) number--;
      else if (index > 0) { index--; number = lines(index).length - 1; } else break;
    }
    state.block = index; state.char = lines(index)[number][0];
    return [index, state.char];
  }
  function sentences(index) {
    const b = blocks[index];
    if (b.k !== "text") return [0];
    return [...new Intl.Segmenter(b.l || book.language || undefined, { granularity: "sentence" }).segment(b.t)].map((s) => s.index);
  }
  function sentence(direction) {
    const here = sentences(state.block);
    const next = direction > 0 ? here.find((s) => s > state.char) : here.filter((s) => s < state.char).pop();
    if (next !== undefined) go(state.block, next, true);
    else if (direction > 0 && state.block + 1 < blocks.length) go(state.block + 1, 0, true);
    else if (direction < 0 && state.block > 0) go(state.block - 1, sentences(state.block - 1).pop(), true);
  }

  // ---- pacer --------------------------------------------------------------------------------
  // Rests are paid for by the words between them, so that the speed shown is the speed read at.
  let fairness = 0;
  function fair() {
    if (fairness) return fairness;
    let words = 0, weights = 0;
    for (let i = 0; i < blocks.length && words < 3000; i++) {
      if (blocks[i].k !== "text") continue;
      words += countWords(blocks[i].t);
      weights += weight(blocks[i].t, true);
    }
    fairness = weights ? words / weights : 1;
    return fairness;
  }
  function lineTime(index = state.block, char = state.char) {
    const b = blocks[index];
    if (b.k !== "text") return 1000 * Math.min(20, Math.max(1, (countWords(b.t) * 60) / state.speed));
    const all = lines(index), number = lineAt(index, char);
    const text = b.t.slice(...all[number]);
    return Math.max(80, weight(text, number + 1 === all.length) * fair() * 60000 / state.speed);
  }
  // The text moves at one speed, paragraph gaps and all, a little each frame: by the way and the time
  // of the lines to come. With less motion wished for it goes line by line, each in its own time.
  const AHEAD = 16;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let playing = false, elapsed = 0, last = 0, way = 0, duration = 0, pace = 0, lock = null;
  function measure() {
    const nodes = [...box.children], at = nodes.indexOf(box.querySelector(".now"));
    const row = parseFloat(getComputedStyle(box).getPropertyValue("--size")) * state.leading / 100;
    const coming = nodes.slice(at, at + AHEAD + 1).map((node) => [textTop(node, row), node.dataset]);
    way = 0;
    duration = lineTime();
    if (coming.length < 2 || still.matches || state.mode !== "lines") return;
    way = coming[1][0] - coming[0][0];
    const far = coming.at(-1)[0] - coming[0][0], time = coming.slice(0, -1).reduce((sum, [, d]) => sum + lineTime(+d.block, +d.char), 0);
    // From one line to the next the speed changes by little: a tall picture ahead is no jolt.
    pace = far > 0 ? Math.min(Math.max(far / time, 0.9 * (pace || far / time)), 1.1 * (pace || far / time)) : 0;
    if (pace) duration = way / pace;
  }
  const atEnd = () => state.block === blocks.length - 1 && lineAt(state.block, state.char) + 1 === lines(state.block).length;
  function frame(time) {
    if (!playing) return;
    elapsed += Math.min(250, last ? time - last : 0);
    last = time;
    while (elapsed >= duration) {
      elapsed -= duration;
      if (state.mode !== "lines" && nextPiece()) { duration = pieceTime(); continue; }
      if (atEnd()) { play(false); return; }
      move(1);
      draw();
      measure();
      if (state.mode !== "lines") { firstPiece(); duration = pieceTime(); }
    }
    if (state.mode === "lines") box.style.transform = `translateY(${shift - (way * Math.max(0, elapsed)) / duration}px)`;
    requestAnimationFrame(frame);
  }
  function play(on) {
    if (on === playing) return;
    playing = on;
    $("play").textContent = on ? "Stop" : "Play";
    $("play").setAttribute("aria-pressed", String(on));
    document.documentElement.classList.toggle("playing", on);
    awake(on);
    draw(!on);
    if (!on) return;
    // A slow start: the first line waits half a second longer.
    elapsed = -500; last = pace = 0;
    measure();
    if (state.mode !== "lines") { firstPiece(); duration = pieceTime(); }
    requestAnimationFrame(frame);
  }
  async function awake(on) {
    try {
      if (on) lock = await navigator.wakeLock?.request("screen");
      else { await lock?.release(); lock = null; }
    } catch { lock = null; }
  }

  // A screen that was off lets go of the lock.
  document.addEventListener("visibilitychange", () => { if (playing && document.visibilityState === "visible") awake(true); });

  // ---- one word or one phrase at a time -------------------------------------------------------
  let pieces = [], piece = 0;
  function piecesOf(index, number) {
    const b = blocks[index];
    if (b.k !== "text") return [b.t];
    const text = b.t.slice(...lines(index)[number]).replace(/\n/g, " ").trim();
    if (state.mode === "phrases") return [text];
    const words = text.split(/\s+/).filter(Boolean);
    return UNEVEN.test(text) && words.length < 2 ? units(text, b.l).map((u) => u.trim()).filter(Boolean) : words;
  }
  function firstPiece() { pieces = piecesOf(state.block, lineAt(state.block, state.char)); piece = 0; showPiece(); }
  function nextPiece() { if (piece + 1 >= pieces.length) return false; piece++; showPiece(); return true; }
  function pieceTime() {
    const end = piece + 1 >= pieces.length, all = lines(state.block), b = blocks[state.block];
    if (b.k !== "text") return lineTime();
    return Math.max(60, (Math.max(0.5, weight(pieces[piece] || "", end && lineAt(state.block, state.char) + 1 === all.length)) * fair() * 60000) / state.speed);
  }
  function showPiece() {
    const text = pieces[piece] || "", row = document.createElement("div");
    const spans = [...text.matchAll(WORD)], m = spans.length === 1 ? spans[0] : null;
    if (m && m[0].length > 1) {
      const at = m.index + Math.floor(SHARE * m[0].length), letter = document.createElement("span");
      letter.className = "guide"; letter.textContent = text[at];
      row.append(text.slice(0, at), letter, text.slice(at + 1));
    } else row.textContent = text;
    if (state.mode === "phrases") row.style.fontSize = box.style.getPropertyValue("--size"); // as wide as a line
    $("piece").replaceChildren(row);
    const letter = row.querySelector(".guide");
    if (letter) row.style.left = $("piece").clientWidth / 2 - (letter.getBoundingClientRect().left - row.getBoundingClientRect().left + letter.getBoundingClientRect().width / 2) - (row.getBoundingClientRect().left - $("piece").getBoundingClientRect().left) + "px";
  }

  // ---- search ---------------------------------------------------------------------------------
  let hit = null;
  const plain = (text) => text.normalize("NFKD").replace(/[\p{M}\u00ad\u200b-\u200d\u2060]/gu, "").replace(/[\u2018\u2019]/g, "'").replace(/[\u201c\u201d]/g, '"').replace(/\s+/g, " ").toLowerCase();
  // All places of a text, whatever its case, accents, line breaks and soft hyphens.
  function search(wanted, most = Infinity) {
    const needle = plain(wanted).trim(), found = [];
    if (!needle) return found;
    for (let block = 0; block < blocks.length && found.length < most; block++) {
      const text = blocks[block].t;
      let hay = plain(text);
      if (!hay.includes(needle)) continue;
      // Where each character of the plain text comes from.
      const from = [];
      hay = "";
      let at = 0;
      for (const { segment } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text)) {
        let letters = plain(segment);
        if (letters === " " && hay.endsWith(" ")) letters = "";
        for (let i = 0; i < letters.length; i++) from.push(at);
        hay += letters;
        at += segment.length;
      }
      from.push(text.length);
      for (let i = hay.indexOf(needle); i >= 0 && found.length < most; i = hay.indexOf(needle, i + needle.length)) found.push({ block, start: from[i], stop: from[i + needle.length] });
    }
    return found;
  }
  let hits = [];
  function find(wanted) {
    hits = search(wanted);
    $("found-shown").textContent = wanted.trim() ? `${hits.length} found` : "";
    $("found").replaceChildren(...hits.slice(0, 500).map((h) => {
      const item = document.createElement("li"), button = document.createElement("button"), text = blocks[h.block].t, mark = document.createElement("mark");
      button.type = "button";
      mark.textContent = text.slice(h.start, h.stop);
      // A few words around it, none of them cut.
      const from = h.start > 40 ? text.indexOf(" ", h.start - 40) + 1 : 0, to = text.indexOf(" ", h.stop + 40);
      button.append(text.slice(Math.min(from || h.start, h.start), h.start), mark, text.slice(h.stop, to < 0 ? undefined : to));
      button.onclick = () => { $("search").close(); showHit(h); };
      item.append(button);
      return item;
    }));
    return hits.length;
  }
  function showHit(h) { hit = h; play(false); go(h.block, h.start); view.focus(); }
  function nextHit(direction) {
    if (!hits.length) return;
    const later = (h) => h.block > state.block || (h.block === state.block && h.start > state.char);
    const earlier = (h) => h.block < state.block || (h.block === state.block && h.start < state.char);
    showHit(direction > 0 ? hits.find(later) || hits[0] : hits.findLast(earlier) || hits[hits.length - 1]);
  }
  const openSearch = () => { play(false); $("search").showModal(); $("wanted").select(); };

  // ---- bookmarks ------------------------------------------------------------------------------
  function toggleMark() {
    const at = state.marks.findIndex(([b, c]) => b === state.block && c === state.char);
    if (at >= 0) state.marks.splice(at, 1); else state.marks.push([state.block, state.char]);
    state.marks.sort((x, y) => x[0] - y[0] || x[1] - y[1]);
    show(); save();
  }
  function nextMark() {
    if (!state.marks.length) return;
    go(...(state.marks.find(([b, c]) => b > state.block || (b === state.block && c > state.char)) || state.marks[0]));
  }

  // ---- the whole text, for screen readers and for the browser's own search ------------------------
  function wholeText(on) {
    const whole = $("whole-text");
    play(false);
    if (on && !whole.childElementCount) blocks.forEach((b, index) => {
      const node = b.m ? drawWhole(b, index) : document.createElement(b.k === "heading" ? "h" + Math.min(6, (b.h || 1) + 1) : "p");
      if (!b.m) node.textContent = (b.n ? b.n + " " : "") + b.t.replace(/\u00ad/g, "");
      node.dataset.block = index; node.lang = b.l || "";
      if (b.r) node.dir = "rtl";
      whole.append(node);
    });
    whole.hidden = !on; view.hidden = on;
    $("whole").setAttribute("aria-pressed", String(on));
    if (on) whole.querySelector(`[data-block="${state.block}"]`)?.scrollIntoView();
    else draw();
  }

  // ---- controls -----------------------------------------------------------------------------
  function show() {
    document.documentElement.dataset.theme = state.theme;
    $("width").value = state.width; $("width-shown").textContent = state.width;
    $("speed").value = state.speed; $("speed-shown").textContent = state.speed + (state.speed > 400 ? " skimming" : "");
    $("guide").value = state.guide; $("align").checked = state.align; $("dim").checked = state.dim;
    $("mode").value = state.mode; $("half").checked = state.half; $("font").value = state.font;
    $("scale").value = state.scale; $("leading").value = state.leading;
    $("marks").replaceChildren(new Option(`${state.marks.length} kept`, ""), ...state.marks.map(([b, c], i) => new Option(blocks[b] ? blocks[b].t.slice(c, c + 50) : "", i)));
    document.documentElement.dataset.mode = state.mode;
    $("dark").textContent = state.theme === "dark" ? "Light" : "Dark";
  }
  function setWidth(width) {
    state.width = Math.min(60, Math.max(12, width));
    cache = new Map();
    draw(); show();
  }
  function set(name, value) { state[name] = value; show(); draw(); }
  const setSpeed = (speed) => set("speed", Math.min(1000, Math.max(50, speed)));
  const GUIDES = ["bold", "colour", "dot", "underline", "none"];
  const KEYS = {
    " ": () => play(!playing), ArrowDown: () => step(1), ArrowUp: () => step(-1), j: () => step(1), k: () => step(-1),
    ArrowRight: () => sentence(1), ArrowLeft: () => sentence(-1), PageDown: () => step(10), PageUp: () => step(-10),
    Home: () => go(0, 0), End: () => go(blocks.length - 1, Infinity),
    "+": () => setSpeed(state.speed + 10), "=": () => setSpeed(state.speed + 10), "-": () => setSpeed(state.speed - 10),
    "]": () => setWidth(state.width + 1), "[": () => setWidth(state.width - 1),
    g: () => set("guide", GUIDES[(GUIDES.indexOf(state.guide) + 1) % GUIDES.length]),
    a: () => set("align", !state.align), o: () => set("dim", !state.dim),
    "/": openSearch, n: () => nextHit(1), N: () => nextHit(-1), c: () => $("contents").showPicker?.(), m: toggleMark, "'": nextMark,
    v: () => setMode(MODES[(MODES.indexOf(state.mode) + 1) % MODES.length]), h: () => set("half", !state.half),
    d: () => set("theme", state.theme === "dark" ? "light" : "dark"), "?": () => $("keys").showModal(),
  };
  const MODES = ["lines", "phrases", "words"];
  function setMode(mode) { play(false); set("mode", mode); }
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "f" && $("whole-text").hidden) { event.preventDefault(); openSearch(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.type === "search" || event.target.type === "text") return;
    if (/^(INPUT|SELECT|BUTTON)$/.test(event.target.tagName) && (/^(Arrow|Page|Home|End)/.test(event.key) || event.key === " ")) return;
    const action = KEYS[event.key];
    if (action) { event.preventDefault(); action(); }
  });
  let wheel = 0;
  view.addEventListener("wheel", (event) => {
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) return; // wide content is scrolled to
    event.preventDefault();
    wheel += event.deltaY;
    const rows = Math.trunc(wheel / 40);
    if (rows) { wheel -= rows * 40; step(rows); }
  }, { passive: false });
  let touch = null;
  view.addEventListener("touchstart", (event) => { touch = event.touches[0].clientY; }, { passive: true });
  view.addEventListener("touchmove", (event) => {
    const rows = Math.trunc((touch - event.touches[0].clientY) / 30);
    if (rows) { touch -= rows * 30; step(rows); }
  }, { passive: true });
  view.addEventListener("click", (event) => {
    const link = event.target.closest("[data-go]");
    if (link) { event.preventDefault(); const to = book.targets[link.dataset.go]; if (to !== undefined) go(to, 0); return; }
    if (event.target.closest("a")) return;
    // On a screen that is touched, a tap starts and stops; a click with a pointer goes to the word.
    if (event.pointerType === "touch" || playing) { play(!playing); return; }
    const line = event.target.closest("[data-block]");
    if (line) go(+line.dataset.block, wordAt(line, event));
  });
  function wordAt(line, event) {
    const start = +line.dataset.char;
    const caret = document.caretPositionFromPoint?.(event.clientX, event.clientY);
    if (!caret || !line.contains(caret.offsetNode) || !line.classList.contains("line")) return start;
    const range = document.createRange();
    range.setStart(line, 0); range.setEnd(caret.offsetNode, caret.offset);
    const text = blocks[+line.dataset.block].t, at = start + range.toString().length;
    return Math.max(start, text.lastIndexOf(" ", at - 1) + 1);
  }
  $("play").onclick = () => play(!playing);
  $("speed").oninput = (event) => setSpeed(+event.target.value);
  $("width").oninput = (event) => setWidth(+event.target.value);
  $("guide").onchange = (event) => set("guide", event.target.value);
  $("align").onchange = (event) => set("align", event.target.checked);
  $("dim").onchange = (event) => set("dim", event.target.checked);
  $("dark").onclick = () => KEYS.d();
  $("mode").onchange = (event) => setMode(event.target.value);
  $("half").onchange = (event) => set("half", event.target.checked);
  $("font").onchange = (event) => set("font", event.target.value);
  $("scale").oninput = (event) => set("scale", +event.target.value);
  $("leading").oninput = (event) => set("leading", +event.target.value);
  $("mark").onclick = toggleMark;
  $("marks").onchange = (event) => { const at = state.marks[event.target.value]; if (event.target.value !== "" && at) { go(...at); view.focus(); } };
  $("find").onclick = openSearch;
  $("wanted").oninput = (event) => find(event.target.value);
  $("search-close").onclick = () => $("search").close();
  $("whole").onclick = () => wholeText($("whole-text").hidden);
  $("more").onclick = () => { const on = document.documentElement.classList.toggle("plain"); $("more").setAttribute("aria-expanded", String(!on)); draw(); };
  $("help").onclick = () => $("keys").showModal();
  $("keys-close").onclick = () => $("keys").close();
  $("place").oninput = (event) => {
    const target = (+event.target.value / 1000) * total;
    let index = before.findIndex((sum) => sum > target) - 1;
    if (index < 0) index = blocks.length - 1;
    const text = blocks[index].t, at = Math.round(target - before[index]);
    go(index, at > 0 ? text.lastIndexOf(" ", at) + 1 : 0);
  };
  for (const c of chapters) $("contents").append(new Option("\u2003".repeat(c.level - 1) + c.title.slice(0, 70), c.block));
  $("contents").onchange = (event) => { if (event.target.value) { go(+event.target.value, 0); view.focus(); } };
  addEventListener("resize", () => draw());

  // ---- self-test ----------------------------------------------------------------------------
  // Pairs of passages of like length, one plain and one guided in an order drawn by lot and not
  // told; time by the reader's own key; three missing words to choose for each; one interval.
  const PAIRS = 6, LENGTH = 80, CHOICES = 4;
  const shuffled = (list) => {
    const out = [...list];
    for (let i = out.length - 1; i > 0; i--) { const j = Math.floor(Math.random() * (i + 1)); [out[i], out[j]] = [out[j], out[i]]; }
    return out;
  };
  function passages(count) {
    const found = [];
    let text = "";
    for (const b of shuffled(blocks.map((_, i) => i)).flatMap((i) => [blocks[i]])) {
      if (b.k !== "text" || UNEVEN.test(b.t)) continue;
      const words = countWords(b.t);
      if (words >= LENGTH * 0.6 && words <= LENGTH * 1.6) found.push(b.t);
      else if (words < LENGTH * 0.6) {
        text = text ? text + " " + b.t : b.t;
        if (countWords(text) >= LENGTH * 0.6) { found.push(text); text = ""; }
      }
      if (found.length >= count) break;
    }
    return found;
  }
  function questions(text) {
    const words = [...new Set([...text.matchAll(WORD)].map((m) => m[0]).filter((w) => w.length > 4 && w === w.toLowerCase()))];
    const pool = [...new Set(blocks.slice(0, 4000).flatMap((b) => (b.k === "text" ? b.t.slice(0, 200).match(WORD) || [] : [])))].filter((w) => w.length > 4 && w === w.toLowerCase() && !words.includes(w));
    return shuffled(words).slice(0, 3).map((answer) => {
      const near = shuffled(pool).sort((a, b) => Math.abs(a.length - answer.length) - Math.abs(b.length - answer.length)).slice(0, CHOICES - 1);
      const at = text.search(new RegExp(`(?<![\\p{L}])${escaped(answer)}(?![\\p{L}])`, "u"));
      const cut = (s) => s.trim().split(" ");
      const lead = cut(text.slice(0, at)).slice(-7).join(" "), tail = cut(text.slice(at + answer.length)).slice(0, 5).join(" ");
      return { answer, choices: shuffled([answer, ...near]), lead, tail };
    });
  }
  function plan() {
    const texts = passages(2 * PAIRS).sort((a, b) => a.length - b.length);
    const trials = [];
    for (let pair = 0; 2 * pair + 1 < texts.length; pair++) {
      const guided = Math.random() < 0.5;
      trials.push({ pair, guided, text: texts[2 * pair] }, { pair, guided: !guided, text: texts[2 * pair + 1] });
    }
    return shuffled(trials);
  }
  function compare(trials) {
    const by = new Map();
    for (const t of trials) { const p = by.get(t.pair) || {}; p[t.guided ? "guided" : "plain"] = t; by.set(t.pair, p); }
    const pairs = [...by.values()].filter((p) => p.guided && p.plain);
    return {
      speed: interval(pairs.map((p) => p.guided.wpm - p.plain.wpm)),
      understood: interval(pairs.map((p) => p.guided.correct - p.plain.correct)),
      pairs: pairs.length,
    };
  }
  const body = $("trial-body"), buttons = $("trial-buttons");
  const say = (...nodes) => body.replaceChildren(...nodes.map((n) => { if (typeof n !== "string") return n; const p = document.createElement("p"); p.textContent = n; return p; }));
  function offer(...choices) {
    return new Promise((resolve) => {
      buttons.replaceChildren(...choices.map((text, i) => {
        const b = document.createElement("button");
        b.type = "button"; b.textContent = text; b.onclick = () => resolve(i);
        return b;
      }));
      buttons.firstChild.focus();
    });
  }
  function passageNode(trial) {
    const node = document.createElement("div");
    node.className = "passage " + (state.guide === "none" ? "bold" : state.guide);
    cache.set(-1, linesOf(trial.text, state.width));
    const block = { k: "text", t: trial.text };
    lines(-1).forEach((_, number) => node.append(drawLine(block, -1, number, trial.guided)));
    cache.delete(-1);
    return node;
  }
  async function selfTest() {
    play(false);
    $("trial").showModal();
    const trials = plan();
    if (trials.length < 4) { say("This text is too short for a test: it needs four passages of " + LENGTH + " words."); await offer("Close"); $("trial").close(); return; }
    say(`${trials.length} passages, about ${Math.ceil((trials.length * LENGTH) / 200)} minutes. Read each as you always do, press Done, then choose three missing words. How the passages are set is drawn by lot and told at the end.`);
    if (await offer("Begin", "Not now")) { $("trial").close(); return; }
    for (const [i, trial] of trials.entries()) {
      say(`Passage ${i + 1} of ${trials.length}`, passageNode(trial));
      const begun = performance.now();
      if (await offer("Done", "Stop the test")) { $("trial").close(); return; }
      trial.wpm = (countWords(trial.text) * 60000) / Math.max(1, performance.now() - begun);
      const asked = questions(trial.text);
      let right = 0;
      for (const q of asked) {
        say(`Which word was here? … ${q.lead} ______ ${q.tail} …`);
        if (q.choices[await offer(...q.choices)] === q.answer) right++;
      }
      trial.correct = asked.length ? right / asked.length : 0;
    }
    report(trials);
    await offer("Close");
    $("trial").close();
  }
  function report(trials) {
    const { speed, understood, pairs } = compare(trials);
    const mean = (guided, name) => { const t = trials.filter((x) => x.guided === guided); return t.reduce((a, x) => a + x[name], 0) / t.length; };
    const signed = (x, digits = 0) => (x > 0 ? "+" : "") + x.toFixed(digits);
    say(
      `Plain: ${mean(false, "wpm").toFixed(0)} words a minute, ${(100 * mean(false, "correct")).toFixed(0)} % of words right.`,
      `Guided: ${mean(true, "wpm").toFixed(0)} words a minute, ${(100 * mean(true, "correct")).toFixed(0)} % of words right.`,
      `Difference in words a minute: ${signed(speed.mean)} (95 % interval ${signed(speed.low)} to ${signed(speed.high)}): ${speed.verdict}.`,
      `Difference in words right: ${signed(100 * understood.mean)} points (95 % interval ${signed(100 * understood.low)} to ${signed(100 * understood.high)}): ${understood.verdict}.`,
      `${pairs} pairs, one reader, one sitting: it says something about you and these passages, nothing about readers in general. Chance alone is right for ${(100 / CHOICES).toFixed(0)} % of the words.`,
    );
  }
  $("test").onclick = selfTest;

  show();
  draw();
  view.focus();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
  // For tests and for the curious: the rules and the state, nothing that the page does not do.
  Object.defineProperty(window, "penstock", { value: Object.freeze({ blocks, state, linesOf, guideOf, columns, interval, compare, plan, questions, setWidth, set, go, step, sentence, lineTime, weight, play, lines, lineAt, search, find, nextHit, toggleMark, nextMark, setMode, wholeText, chapters }) });
})();
