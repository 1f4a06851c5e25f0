"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const book = JSON.parse($("book").textContent);
  const blocks = book.blocks.map((b) => (typeof b === "string" ? { k: "text", t: b } : b));

  // ---- rules, without the page ------------------------------------------------------------
  const SHARE = 0.4; // the best viewing position lies between a word's start and its middle
  const WORD = /[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}\u200c\u200d]|['’.-](?=[\p{L}\p{N}]))*/gu;
  const UNEVEN = /[\u0300-\u036f\u0590-\u08ff\u0900-\u1dff\u2e80-\uffff]/; // needs columns, not characters
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
      else if (found.length && !open && /^[\s\p{P}\p{S}]+$/u.test(segment)) found[found.length - 1] += segment;
      else if (found.length && !open && !/[\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\u2014]$/u.test(found[found.length - 1])) found[found.length - 1] += segment;
      else { found.push(open + segment); open = ""; }
    }
    if (open) found.push(open);
    return found;
  }

  function linesOf(text, width, language) {
    if (!UNEVEN.test(text)) {
      const found = [], stops = stopsOf(language);
      for (let start = 0; start < text.length;) {
        let end = lineEnd(text, start, width, stops);
        while (text[end] === " ") end++;
        found.push([start, end]);
        start = end;
      }
      return found;
    }
    const found = [];
    let start = 0, at = 0, used = 0;
    for (const unit of units(text, language || book.language)) {
      const size = columns(unit.trimEnd());
      if (used && used + size > width) { found.push([start, at]); start = at; used = 0; }
      at += unit.length;
      used += columns(unit);
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
    theme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light", ...kept,
  };
  state.block = Math.min(Math.max(0, state.block | 0), blocks.length - 1);
  const before = new Float64Array(blocks.length + 1); // characters before each block
  blocks.forEach((b, i) => { before[i + 1] = before[i] + Math.max(1, b.t.length); });
  const total = before[blocks.length];
  let cache = new Map();
  let timer = 0, saved = 0;

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
    const guide = guided ? guideOf(text, block.r) : null;
    const ranges = (block.s || []).filter(([a, b]) => a < stop && b > start).map(([a, b, name, target]) => [Math.max(a, start) - start, Math.min(b, stop) - start, name, target]);
    if (guide) ranges.push([guide[0], guide[1], "guide"]);
    const cuts = [...new Set([0, text.length, ...ranges.flatMap(([a, b]) => [a, b])])].sort((a, b) => a - b);
    for (let i = 0; i + 1 < cuts.length; i++) {
      let node = document.createTextNode(text.slice(cuts[i], cuts[i + 1]));
      for (const [a, b, name, target] of ranges) if (a <= cuts[i] && b >= cuts[i + 1]) node = wrap(node, name, target);
      row.append(node);
    }
    return row;
  }
  function wrap(node, name, target) {
    const element = document.createElement(name === "guide" || (name === "a" && !target) ? "span" : name);
    if (name === "guide") element.className = "guide";
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
    if (block.m) whole.innerHTML = block.m; else whole.textContent = block.t; // sanitised when the page was made
    for (const image of whole.querySelectorAll("img[data-picture]")) image.src = picture(image.dataset.picture);
    return whole;
  }

  function resize(room) {
    const size = Math.max(9, Math.min(24, (room - 32) / (state.width * 0.62)));
    box.style.setProperty("--size", size + "px");
    box.style.setProperty("--half", (state.width * 0.31 + 1.2) + "em");
    return size * 1.6;
  }

  // Draws one screen around the place: the book itself is never laid out as a whole.
  function draw(moving = false) {
    // Measured before anything changes: the lines of before need not be laid out once more.
    const height = view.clientHeight, row = resize(view.clientWidth), above = height * 0.38;
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
    const top = now.offsetTop + (now.classList.contains("paragraph") ? now.offsetHeight - row : 0);
    box.style.transform = `translateY(${Math.round(above - top)}px)`;
    const done = before[state.block] + state.char;
    $("place").value = Math.round((1000 * done) / total);
    $("place-shown").textContent = Math.floor((100 * done) / total) + " %";
    save();
  }
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
  function step(count) {
    let index = state.block, number = lineAt(index, state.char);
    for (; count > 0; count--) {
      if (number + 1 < lines(index).length) number++;
      else if (index + 1 < blocks.length) { index++; number = 0; } else break;
    }
    for (; count < 0; count++) {
      if (number > 0) number--;
      else if (index > 0) { index--; number = lines(index).length - 1; } else break;
    }
    go(index, lines(index)[number][0], true);
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
  function lineTime() {
    const b = blocks[state.block];
    if (b.k !== "text") return 1000 * Math.min(20, Math.max(1, (countWords(b.t) * 60) / state.speed));
    const all = lines(state.block), number = lineAt(state.block, state.char);
    const text = b.t.slice(...all[number]);
    return (weight(text, number + 1 === all.length) * fair() * 60000) / state.speed;
  }
  function tick() {
    const last = state.block === blocks.length - 1 && lineAt(state.block, state.char) + 1 === lines(state.block).length;
    if (last) { play(false); return; }
    step(1);
    timer = setTimeout(tick, lineTime());
  }
  function play(on) {
    clearTimeout(timer);
    timer = on ? setTimeout(tick, lineTime()) : 0;
    $("play").textContent = on ? "Stop" : "Play";
    $("play").setAttribute("aria-pressed", String(on));
  }

  // ---- controls -----------------------------------------------------------------------------
  function show() {
    document.documentElement.dataset.theme = state.theme;
    $("width").value = state.width; $("width-shown").textContent = state.width;
    $("speed").value = state.speed; $("speed-shown").textContent = state.speed + (state.speed > 400 ? " skimming" : "");
    $("guide").value = state.guide; $("align").checked = state.align; $("dim").checked = state.dim;
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
    " ": () => play(!timer), ArrowDown: () => step(1), ArrowUp: () => step(-1), j: () => step(1), k: () => step(-1),
    ArrowRight: () => sentence(1), ArrowLeft: () => sentence(-1), PageDown: () => step(10), PageUp: () => step(-10),
    Home: () => go(0, 0), End: () => go(blocks.length - 1, Infinity),
    "+": () => setSpeed(state.speed + 10), "=": () => setSpeed(state.speed + 10), "-": () => setSpeed(state.speed - 10),
    "]": () => setWidth(state.width + 1), "[": () => setWidth(state.width - 1),
    g: () => set("guide", GUIDES[(GUIDES.indexOf(state.guide) + 1) % GUIDES.length]),
    a: () => set("align", !state.align), o: () => set("dim", !state.dim),
    d: () => set("theme", state.theme === "dark" ? "light" : "dark"), "?": () => $("keys").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (/^(INPUT|SELECT|BUTTON)$/.test(event.target.tagName) && (/^(Arrow|Page|Home|End)/.test(event.key) || event.key === " ")) return;
    const action = KEYS[event.key];
    if (action) { event.preventDefault(); action(); }
  });
  let wheel = 0;
  view.addEventListener("wheel", (event) => {
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
  $("play").onclick = () => play(!timer);
  $("speed").oninput = (event) => setSpeed(+event.target.value);
  $("width").oninput = (event) => setWidth(+event.target.value);
  $("guide").onchange = (event) => set("guide", event.target.value);
  $("align").onchange = (event) => set("align", event.target.checked);
  $("dim").onchange = (event) => set("dim", event.target.checked);
  $("dark").onclick = () => KEYS.d();
  $("help").onclick = () => $("keys").showModal();
  $("keys-close").onclick = () => $("keys").close();
  $("place").oninput = (event) => {
    const target = (+event.target.value / 1000) * total;
    let index = before.findIndex((sum) => sum > target) - 1;
    if (index < 0) index = blocks.length - 1;
    const text = blocks[index].t, at = Math.round(target - before[index]);
    go(index, at > 0 ? text.lastIndexOf(" ", at) + 1 : 0);
  };
  blocks.forEach((b, i) => { if (b.k === "heading") $("contents").append(new Option("\u2003".repeat(Math.max(0, (b.h || 1) - 1)) + b.t.slice(0, 70), i)); });
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
  Object.defineProperty(window, "penstock", { value: Object.freeze({ blocks, state, linesOf, guideOf, columns, interval, compare, plan, questions, setWidth, set, go, step, sentence, lineTime, weight, play, lines, lineAt }) });
})();
