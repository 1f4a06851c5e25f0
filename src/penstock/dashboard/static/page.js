// What the server knows, drawn. Everything from a store goes through textContent, so it shows as text.
"use strict";
const byId = (id) => document.getElementById(id);
const token = document.querySelector("meta[name=penstock-token]").content;
const whole = new Intl.NumberFormat("en");
const sections = [];
const count = (n) => (n === null || n === undefined ? "–" : whole.format(n));

function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} days`;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function say(text) {
  byId("said").textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { byId("said").textContent = ""; }, 8000);
}

// Return what the server answers, or null where it said what is wrong, or nothing at all.
async function ask(what, options) {
  try {
    const answer = await fetch(what, { ...options, headers: { "X-Penstock-Token": token } });
    if (answer.status === 403) throw new Error(await answer.text());
    const said = await answer.json();
    if (said.text) say(said.text);
    return answer.ok ? said : null;
  } catch (error) {
    say(error instanceof TypeError ? "the dashboard does not answer" : error.message);
    return null;
  }
}

const act = (what, body) => ask(what, { method: "POST", body: JSON.stringify(body) });

// Asked for at each drawing, so that the colours follow a change from light to dark.
const colour = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(name);
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function plot(box) {
  const grid = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--soft"), grid, ticks: { show: false }, font: "11px system-ui" };
  const times = (u, splits) => splits.map((at) => clock.format(at * 1000));
  const shown = {
    width: box.clientWidth || 300, height: 130, legend: { show: false }, cursor: { show: false },
    scales: { y: { range: (u, low, high) => [0, Math.max(high || 0, 1) * 1.05] } },
    axes: [{ ...axis, space: 90, size: 30, values: times }, { ...axis, size: 56 }],
    series: [{}, { stroke: colour("--water"), width: 2, points: { show: false } },
      { stroke: colour("--bad"), width: 1, dash: [4, 4], points: { show: false } }],
  };
  return new uPlot(shown, [[], [], []], box);
}

function section(index) {
  if (sections[index]) return sections[index];
  const root = byId("run").content.cloneNode(true).querySelector("section");
  byId("runs").append(root);
  const at = (query) => root.querySelector(query);
  const figures = {};
  for (const dd of root.querySelectorAll("[data-n]")) figures[dd.dataset.n] = dd;
  at("h2").id = `name-${index}`;
  root.setAttribute("aria-labelledby", `name-${index}`);
  at(".bar").setAttribute("aria-labelledby", `name-${index}`);
  const one = { root, at, figures, plots: {}, points: [], kinds: new Map(), records: "", near: false };
  sections[index] = one;
  near.observe(root);
  return one;
}

// Charts and records are drawn where they are looked at: a page may have hundreds of runs.
const near = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    const index = sections.findIndex((one) => one && one.root === target);
    sections[index].near = isIntersecting;
    if (isIntersecting) drawRun(index);
  }
}, { rootMargin: "400px" });

function kindRow(index, kind) {
  const row = element("li"), line = element("div", undefined, "kind");
  const name = kind.status === null ? kind.error : `${kind.error} ${kind.status}`;
  const said = element("span", name, "what"), number = element("span", "", "count");
  const examples = element("ul", undefined, "examples");
  const button = (text, action) => {
    const made = element("button", text);
    made.type = "button";
    made.setAttribute("aria-label", `${text}: ${name}`);
    made.addEventListener("click", action);
    return made;
  };
  const which = { store: index, error: kind.error, status: kind.status };
  const show = button("Examples", async () => {
    const open = show.getAttribute("aria-expanded") === "true";
    show.setAttribute("aria-expanded", String(!open));
    examples.replaceChildren();
    if (open) return;
    const query = new URLSearchParams({ store: index, error: kind.error, status: kind.status ?? "" });
    for (const one of await ask(`examples?${query}`) || []) {
      const item = element("li");
      item.append(element("b", String(one.key)), ` ${one.message}`);
      examples.append(item);
    }
  });
  show.setAttribute("aria-expanded", "false");
  line.append(said, number, show,
    button("Put back", () => act("put-back", which)), button("Acknowledge", () => act("acknowledge", which)));
  row.append(line, examples);
  return { row, number };
}

function drawFailures(one, index, failures) {
  const list = one.at(".failures ul"), seen = new Set();
  one.at(".failures .none").hidden = failures.length > 0;
  for (const kind of failures) {
    const id = JSON.stringify([kind.error, kind.status]);
    seen.add(id);
    if (!one.kinds.has(id)) {
      one.kinds.set(id, kindRow(index, kind));
      list.append(one.kinds.get(id).row);
    }
    const more = kind.acknowledged ? ` (${count(kind.acknowledged)} acknowledged)` : "";
    put(one.kinds.get(id).number, count(kind.count) + more);
  }
  for (const [id, made] of one.kinds) if (!seen.has(id)) { made.row.remove(); one.kinds.delete(id); }
}

function drawRecords(one, records) {
  const text = JSON.stringify(records);
  if (text === one.records) return;
  one.records = text;
  one.at("tbody").replaceChildren(...records.map((record) => {
    const row = element("tr");
    row.append(element("td", String(record.key)), element("td", record.body));
    return row;
  }));
}

function list(box, lines) {
  box.hidden = lines.length === 0;
  const items = box.querySelector("ul");
  while (items.children.length > lines.length) items.lastChild.remove();
  lines.forEach(([name, text, isBad], at) => {
    if (!items.children[at]) {
      const item = element("li");
      item.append(element("b"), element("span"));
      items.append(item);
    }
    const item = items.children[at];
    item.className = isBad ? "is-bad" : "";
    put(item.firstChild, name);
    put(item.lastChild, text);
  });
}

function drawWorkers(one, workers) {
  list(one.at(".workers"), workers.map((worker) => {
    const block = worker.block === null ? "no block" : `block ${count(worker.block)}, taken ${times(worker.takes)}`;
    const how = worker.lost ? "lost" : `${count(Math.round(worker.rate))}/s`;
    const counts = `${count(worker.landed)} landed, ${count(worker.failed)} failed, ${count(worker.permits)} permits`;
    return [`${worker.host} ${worker.pid}`, `${how}, ${block}, ${counts}, seen ${ago(worker.age)}`, worker.lost];
  }));
}

function drawLocks(one, locks, trouble) {
  const lines = locks.map((lock) => {
    const who = lock.holders.map((holder) => `${holder.owner} (lease ${span(holder.lease_left)})`);
    const waiting = lock.waiters.map((waiter) => waiter.owner);
    const more = waiting.length > 5 ? ` and ${count(waiting.length - 5)} more` : "";
    const queue = waiting.length ? `; ${waiting.slice(0, 5).join(", ")}${more} wait` : "";
    return [lock.name, `${who.length ? `held by ${who.join(", ")}` : "free"}${queue}`, false];
  });
  list(one.at(".locks"), trouble ? [...lines, ["not known", trouble, true]] : lines);
}

function drawFigures(one, run) {
  const beat = run.beat || {}, known = run.expected !== null;
  const texts = {
    landed: count(run.landed), expected: known ? count(run.expected) : "not known",
    rate: count(Math.round(run.rate)), eta: span(run.eta), failed: count(run.failed),
    budget: beat.limit ? `${count(beat.remaining)} / ${count(beat.limit)}` : count(beat.remaining),
    refused: count(beat.refused),
  };
  for (const [name, text] of Object.entries(texts)) put(one.figures[name], text);
  one.figures.failed.className = run.failed > run.acknowledged ? "bad" : "";
  const done = run.landed + run.failed + run.absent;
  const part = known ? (run.expected ? Math.min(1, done / run.expected) : 1) : 0;
  const bar = one.at(".bar");
  bar.firstElementChild.style.transform = `scaleX(${part})`;
  if (known) bar.setAttribute("aria-valuenow", String(Math.floor(part * 100)));
  else bar.removeAttribute("aria-valuenow");
  put(one.at(".budget"), budgetLine(beat));
}

function budgetLine(beat) {
  if (beat.remaining === null || beat.remaining === undefined) return "No limit is known.";
  const parts = [];
  if (beat.limit) parts.push(`${count(Math.max(0, beat.limit - beat.remaining))} spent`);
  parts.push(beat.reserve ? `reserve ${count(beat.reserve)}` : "no reserve");
  if (beat.reset !== null) parts.push(`renewed in ${span(Math.max(0, beat.reset))}`);
  if (beat.permits) parts.push(`${count(beat.permits)} permits held`);
  return parts.join(", ");
}

// A time in the future: the clock of the run or that of the dashboard is wrong.
function drawAge(one, run) {
  if (run.landed === undefined) return;
  const age = now() - run.updated;
  put(one.figures.updated, age < -60 ? "clocks differ" : `${span(Math.max(0, age))} ago`);
}

function drawGaps(one, run) {
  const lag = run.beat && run.beat.lag;
  const late = lag === null || lag === undefined ? "" : `The stream is ${span(Math.max(0, lag))} behind. `;
  put(one.at(".gaps p"), late + (run.gaps ? `${count(run.gaps)} gaps, at least ${count(run.missed)} messages missed.` : "No gaps."));
}

function drawCharts(one, run) {
  // Of a store at rest there is nothing to draw but axes.
  one.at(".charts").hidden = !run.beat && one.points.every((point) => !point[1] && point[2] === null);
  if (one.at(".charts").hidden) return;
  for (const box of one.root.querySelectorAll("[data-plot]")) {
    if (!one.plots[box.dataset.plot]) one.plots[box.dataset.plot] = plot(box);
  }
  fit(one);
  const at = one.points.map((point) => point[0]);
  const reserve = run.beat && run.beat.reserve ? run.beat.reserve : null;
  one.plots.rate.setData([at, one.points.map((point) => point[1]), at.map(() => null)]);
  one.plots.budget.setData([at, one.points.map((point) => point[2]), at.map(() => reserve)]);
}

function fit(one) {
  for (const made of Object.values(one.plots)) {
    const width = made.root.parentElement.clientWidth;
    if (width && width !== made.width) made.setSize({ width, height: 130 });
  }
}

function words(run) {
  if (run.state === "lost") return `lost, last seen ${ago(run.beat.age)}`;
  return run.reason ? `${run.state}: ${run.reason}` : run.state;
}

function drawRun(index) {
  const one = section(index), run = runs[index];
  one.drawn = true;
  put(one.at("h2"), run.name);
  one.root.className = `run is-${run.state}`;
  put(one.at(".word"), words(run));
  const trouble = one.at(".trouble");
  trouble.hidden = !run.problem;
  put(trouble, run.problem || "");
  one.root.hidden = !isWanted(run);
  if (run.landed === undefined) return;
  drawFigures(one, run);
  drawAge(one, run);
  drawFailures(one, index, run.failures);
  drawWorkers(one, run.workers);
  drawLocks(one, run.locks, run.unlocked);
  drawGaps(one, run);
  if (!one.near || one.root.hidden) return;
  drawRecords(one, run.latest);
  drawCharts(one, run);
}

function isWanted(run) {
  const state = byId("states").value;
  if (state === "failed" ? !(run.failed > run.acknowledged) : state && state !== run.state) return false;
  const errors = (run.failures || []).map((kind) => `${kind.error} ${kind.status}`);
  const text = [run.name, run.state, run.reason, run.problem, ...errors].join(" ").toLowerCase();
  return byId("words").value.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function filter() {
  runs.forEach((run, index) => { sections[index].root.hidden = !isWanted(run); });
  const shown = sections.filter((one) => one && !one.root.hidden).length;
  put(byId("found"), shown === sections.length ? "" : `${count(shown)} of ${count(sections.length)}`);
}

function keep(index, piece) {
  const run = runs[index] = { ...piece };
  const one = section(index), last = one.points.at(-1);
  if (piece.points) one.points = piece.points;
  else if (piece.point && last && piece.point[0] < last[0]) one.points = [piece.point]; // a clock was set back
  else if (piece.point && !(last && piece.point[0] === last[0])) one.points.push(piece.point);
  if (one.points.length > 600) one.points.shift();
  delete run.points;
}

function hear(news) {
  heard = performance.now();
  wall = news.now;
  const changed = [];
  for (let index = 0; index < news.count; index += 1) {
    if (!runs[index]) keep(index, { name: `store ${index + 1}`, state: "idle", reason: "looking", problem: "" });
    if (news.runs[index]) keep(index, news.runs[index]);
    if (news.runs[index] || !sections[index].drawn) changed.push(index);
  }
  byId("filter").hidden = news.count < 2;
  if (document.hidden) stale = true;
  else draw(changed);
}

function draw(changed) {
  for (const index of changed) {
    try {
      drawRun(index);
    } catch (error) { // a stranger's store: the others are drawn all the same
      put(sections[index].at(".trouble"), `this store cannot be shown: ${error}`);
      sections[index].at(".trouble").hidden = false;
    }
  }
  runs.forEach((run, index) => drawAge(sections[index], run));
  filter();
  live();
}

// Old figures are never shown as new ones.
function live() {
  const silent = (performance.now() - heard) / 1000;
  document.body.classList.toggle("is-stale", silent > 5);
  put(byId("link"), refused ? "begun again: open the address that it printed" : silent > 5 ? `not connected: as of ${span(silent)} ago` : "live");
}

let heard = -Infinity, wall = 0, stale = false, refused = false;
const runs = [];
const now = () => wall + (performance.now() - heard) / 1000;
const ago = (seconds) => `${span(Math.max(0, seconds))} ago`;
const times = (n) => (n === 1 ? "once" : `${count(n)} times`);

function heardText(text) {
  refused = text === null;
  if (refused) return live();
  const news = JSON.parse(text);
  hear(news);
  if (Object.keys(news.runs).length) document.body.dataset.seen = String(Number(document.body.dataset.seen || 0) + 1);
}

function connect() {
  const query = `?token=${token}`, root = new URL(".", location.href).href;
  const alone = () => follow(root, query, heardText);
  if (!window.SharedWorker) return alone();
  const worker = new SharedWorker(`static/events.js${query}`);
  worker.port.addEventListener("message", (event) => heardText(event.data));
  worker.addEventListener("error", alone);
  worker.port.start();
}

setInterval(() => { if (heard > 0 || refused) live(); }, 1000);
addEventListener("resize", () => sections.forEach(fit));
document.addEventListener("visibilitychange", () => {
  if (document.hidden || !stale) return;
  stale = false;
  draw([...runs.keys()]);
});
byId("filter").addEventListener("submit", (event) => event.preventDefault());
byId("filter").addEventListener("input", () => draw([...runs.keys()]));
addEventListener("keydown", (event) => {
  if (event.key !== "/" || byId("filter").hidden || event.target.matches("input, select")) return;
  event.preventDefault();
  byId("words").focus();
});
connect();
