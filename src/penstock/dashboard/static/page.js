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

async function act(what, body) {
  const answer = await fetch(`/${what}`, {
    method: "POST", body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-Penstock-Token": token },
  });
  say((await answer.json()).text);
}

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
    axes: [{ ...axis, space: 90, values: times }, { ...axis, size: 56 }],
    series: [{}, { stroke: colour("--water"), width: 2, points: { show: false } }],
  };
  return new uPlot(shown, [[], []], box);
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
  const plots = {};
  for (const box of root.querySelectorAll("[data-plot]")) plots[box.dataset.plot] = plot(box);
  const one = { root, at, figures, plots, points: [], kinds: new Map(), records: "" };
  sections[index] = one;
  return one;
}

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
    for (const one of await (await fetch(`/examples?${query}`, { headers: { "X-Penstock-Token": token } })).json()) {
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

function drawWorkers(one, workers) {
  one.at(".workers").hidden = workers.length === 0;
  one.at(".workers ul").replaceChildren(...workers.map((worker) => {
    const at = worker.block === null ? "" : `, block ${count(worker.block)}`;
    const how = worker.lost ? "lost" : `${count(Math.round(worker.rate))}/s${at}`;
    return element("li", `${worker.host} ${worker.pid}: ${how}, ${count(worker.landed)} landed, ${count(worker.permits)} permits`);
  }));
}

function drawFigures(one, run) {
  const beat = run.beat || {}, known = run.expected !== null;
  const texts = {
    landed: count(run.landed), expected: known ? count(run.expected) : "not known",
    rate: count(Math.round(run.rate)), eta: span(run.eta), failed: count(run.failed),
    budget: beat.limit ? `${count(beat.remaining)} / ${count(beat.limit)}` : count(beat.remaining),
    refused: count(beat.refused), updated: span(run.age),
  };
  for (const [name, text] of Object.entries(texts)) put(one.figures[name], text);
  one.figures.failed.className = run.failed > run.acknowledged ? "bad" : "";
  const part = known && run.expected ? Math.min(1, (run.landed + run.failed) / run.expected) : 0;
  const bar = one.at(".bar");
  bar.firstElementChild.style.transform = `scaleX(${part})`;
  if (known) bar.setAttribute("aria-valuenow", String(Math.floor(part * 100)));
}

function fit(one) {
  for (const made of Object.values(one.plots)) {
    const width = made.root.parentElement.clientWidth;
    if (width && width !== made.width) made.setSize({ width, height: 130 });
  }
}

function drawRun(run, index) {
  const one = section(index);
  put(one.at("h2"), run.name);
  one.root.className = `run is-${run.state}`;
  put(one.at(".word"), run.reason ? `${run.state}: ${run.reason}` : run.state);
  const trouble = one.at(".trouble");
  trouble.hidden = !run.problem;
  put(trouble, run.problem || "");
  if (run.landed === undefined) return;
  fit(one);
  drawFigures(one, run);
  drawFailures(one, index, run.failures);
  drawWorkers(one, run.workers);
  drawRecords(one, run.latest);
  put(one.at(".gaps p"), run.gaps ? `${count(run.gaps)} gaps, at least ${count(run.missed)} messages missed` : "None.");
  const times = run.points.map((point) => point[0]);
  one.plots.rate.setData([times, run.points.map((point) => point[1])]);
  one.plots.budget.setData([times, run.points.map((point) => point[2])]);
}

const source = new EventSource(`/events?token=${token}`);
source.addEventListener("open", () => put(byId("link"), "live"));
source.addEventListener("error", () => put(byId("link"), "not connected; trying again"));
source.addEventListener("message", (event) => {
  JSON.parse(event.data).forEach(drawRun);
  document.body.dataset.seen = String(Number(document.body.dataset.seen || 0) + 1);
});
addEventListener("resize", () => sections.forEach(fit));
