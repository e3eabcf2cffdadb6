// The page around the worker: what is typed is asked, what is answered is shown. Of several questions the newest counts.
const PATIENCE = 20000, SLOW = 2000, PAUSE = 150; // ms: until an answer is given up, a spare worker starts; after the last key
const MOST_TEXT = 200000; // characters of a model in a link

const $ = (id) => document.getElementById(id);
const text = $("text"), results = $("shown"), said = $("said");

// -- the worker: one question at a time. While one takes long a spare worker starts, for the next question.
let worker, spare = null, timer, busy, slow, count = 0, asked = null;

function python() { // a worker in which Python starts
  // a worker from a blob has the content security policy of this page; by its own address it would have none
  const code = `import ${JSON.stringify(new URL("./worker.js", import.meta.url).href)};`;
  const one = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
  one.isReady = one.isWarm = false;
  one.onmessage = ({ data }) => {
    if (data.ready) { one.isReady = true; begun(one); }
    if (data.failed) { failed(one, `Python could not be started: ${data.failed}`); }
    if (asked && data.id === asked.id) { answered(data); }
  };
  one.onerror = () => failed(one, "The worker could not be started; reload the page to try again.");
  return one;
}

function failed(one, words) { if (one === worker) { state(words); } else { spare = null; } }

function begun(one) { // Python is there
  if (one !== worker) { warmed(one); pump(); return; }
  state("");
  if (asked) { sent(); } else { warmed(one); pump(); }
}

function warmed(one) { // what the first derivation and module take longer than others is spent before they are asked for
  if (one.isWarm) { return; }
  one.isWarm = true;
  for (const job of ["derivation", "module"]) { one.postMessage({ id: 0, job, text: text.defaultValue, options: {} }); }
}

function ask(question) {
  asked = { ...question, id: ++count };
  if (worker.isReady) { sent(); } // else when Python is there: what is sent to a worker that is being loaded may be lost
}

function sent() {
  const { id, job, text, options } = asked;
  worker.postMessage({ id, job, text, options });
  busy = setTimeout(state, 400, "Deriving …");
  slow = setTimeout(() => { asked.isSlow = true; spare ??= python(); pump(); }, SLOW);
  timer = setTimeout(given, PATIENCE, asked);
}

function ended() { // the question, answered or not
  for (const one of [busy, slow, timer]) { clearTimeout(one); }
  asked = null;
}

function replaced() { // the worker, by the spare one
  worker.terminate();
  worker = spare ?? python();
  spare = null;
  state(worker.isReady ? "" : "Python starts …");
}

function given(question) { // up
  replaced();
  const what = `This takes longer than ${PATIENCE / 1000} s. Make it smaller, or install symbackprop and derive it there.`;
  answered({ id: question.id, ok: false, error: { kind: "too large", message: what, line: 0, column: 0, end: 0, shown: [],
    others: [] } });
}

function answered(data) {
  const question = asked;
  ended();
  if (data.broken) { replaced(); } else if (worker.isReady) { state(""); }
  question.take(data);
  pump();
  if (!asked && worker.isReady) { warmed(worker); }
}

// -- what is wanted, and what is there
const orders = []; // copies, asked for by buttons
const there = { graph: {} }; // by tab: the key of the last question, and what was wrong with it
let last = ""; // the text of the last good derivation

function tab() {
  const named = document.body.dataset.tab;
  return named === "model" ? "derivation" : named;
}

function wanted() {
  const detail = document.querySelector("[name=detail]:checked").value;
  const jobs = {
    derivation: { job: "derivation", options: { detail } },
    graph: { job: "graph", options: { values: point, numbers } },
    code: { job: "module", options: { target: $("target").value, level: $("level").value, define: defined } },
  };
  const question = { ...jobs[tab()], tab: tab(), text: text.value };
  return { ...question, key: JSON.stringify([question.job, question.options, question.text]) };
}

function pump() {
  if (asked?.isSlow && asked.text !== text.value && spare?.isReady) { ended(); replaced(); } // nobody waits for it any more
  if (asked) { return; }
  if (orders.length) { ask(orders.shift()); return; }
  const question = wanted();
  const known = there[question.tab];
  if (known.key === question.key) {
    if (!known.error) { headed(question.text, known.about); }
    report(question, known.error);
    return;
  }
  ask({ ...question, take: (data) => take(question, data) });
}

function take(question, data) {
  if (question.text !== text.value) { return; } // there is a newer one
  there[question.tab] = { key: question.key, error: data.ok ? null : data.error, about: data.result };
  if (data.ok) { show(question, data.result); }
  report(question, there[question.tab].error);
}

function report(question, error) { // a text may have a derivation, and no module
  const isOfCode = question.tab === "code" && last === question.text;
  problem($("code-problem"), isOfCode ? error : null);
  problem($("problem"), isOfCode ? null : error);
  marks(isOfCode ? null : error);
  results.classList.toggle("is-stale", error !== null);
}

function headed(source, about) { // above every tab
  if (source === last) { return; }
  last = source;
  for (const part of ["name", "summary", "source"]) { $(part).textContent = about[part]; }
  $("text-on-paper").textContent = source;
  document.title = `${about.name}: backpropagation step by step`;
  remember(source);
}

function show({ tab, text: source }, result) {
  headed(source, result);
  if (tab === "derivation") {
    $("derivation").innerHTML = result.html; // written by symbackprop, which escapes what the text says
  } else if (tab === "graph") {
    graph(source, result);
  } else {
    $("code").textContent = result.text;
    $("file").textContent = result.file;
    abstract(result.functions);
  }
}

// -- what abstract functions are, for the module
let defined = {}; // by name

function abstract(functions) {
  const names = Object.keys(functions);
  $("functions").hidden = !names.length;
  if (names.join() === [...$("functions").querySelectorAll("input")].map((field) => field.name).join()) { return; }
  $("functions").replaceChildren(...names.map((name) => {
    const label = document.createElement("label"), field = document.createElement("input");
    Object.assign(field, { name, type: "text", value: functions[name], placeholder: "tanh", spellcheck: false });
    field.addEventListener("input", () => { defined = { ...defined, [name]: field.value }; paused(); });
    label.append(`${name} = `, field);
    return label;
  }), " is wanted for the module: tanh, say, or x*sigmoid(x)");
}

// -- numbers that move: fields and sliders for the leaves, the sweep one number after the other
let point = {}, drawnOf = null, stops = []; // the entries that were set, by name; whose graph is there; its sweep
let numbers; // whether there are to be numbers, where somebody said so

function graph(source, { html, leaves, sizes, sweep }) {
  const place = $("graph"), { scrollLeft, scrollTop } = place;
  const isNew = drawnOf !== `${source} ${Boolean(sweep.length)}`;
  place.innerHTML = html; // written by symbackprop, as above
  const picture = place.querySelector(".graph"), fits = sweep.length && place.clientWidth > 0.6 * picture.width.baseVal.value;
  const whole = isNew ? Boolean(fits) : $("fit").getAttribute("aria-pressed") === "true";
  picture.classList.toggle("whole", whole);
  $("fit").setAttribute("aria-pressed", String(whole));
  place.scrollTop = isNew ? 0 : scrollTop;
  place.scrollLeft = !isNew ? scrollLeft : sweep.length ? 0 : (place.scrollWidth - place.clientWidth) / 2;
  $("numbers").hidden = !sweep.length;
  $("with-numbers").setAttribute("aria-pressed", String(Boolean(sweep.length)));
  $("no-numbers").hidden = !numbers || Boolean(sweep.length);
  $("sizes").textContent = Object.entries(sizes).map(([name, size]) => `${name} = ${size}`).join(", ");
  const made = JSON.stringify(Object.entries(leaves).map(([name, { shape, below }]) => [name, shape, below]));
  if ($("leaves").dataset.made !== made) { fields(leaves); $("leaves").dataset.made = made; }
  for (const [name, { entries }] of Object.entries(leaves)) {
    for (const field of fieldsOf(name)) { shownIn(field, entries[field.dataset.place]); }
  }
  const isAtEnd = isNew || $("sweep").value === $("sweep").max;
  stops = sweep;
  $("sweep").max = stops.length;
  if (isAtEnd) { $("sweep").value = stops.length; }
  drawnOf = `${source} ${Boolean(sweep.length)}`;
  swept();
}

function input(type, name, below) { // a field or a slider for an entry of a leaf
  const field = Object.assign(document.createElement("input"), { type, step: type === "number" ? "any" : "0.05" });
  if (below !== null) { Object.assign(field, { step: 1, min: 0, max: below - 1 }); }
  field.dataset.leaf = name;
  field.dataset.place = 0;
  field.addEventListener("input", () => moved(field));
  return field;
}

function entryName(name, place, shape) { // W[2,1], counted from 1
  const at = shape.map((_, k) => Math.floor(place / shape.slice(k + 1).reduce((a, b) => a * b, 1)) % shape[k] + 1);
  return shape.length ? `${name}[${at.join(",")}]` : name;
}

function fields(leaves) { // a number has a field and a slider; arrays have fields in rows, and all of them one slider
  const of = (isArray) => Object.entries(leaves).filter(([, { shape }]) => isArray === shape.length > 0);
  const lines = of(false).map(([name, { below }]) => {
    const line = document.createElement("p"), label = document.createElement("label");
    const number = input("number", name, below), slider = input("range", name, below);
    label.textContent = name;
    label.htmlFor = number.id = `leaf-${name}`;
    slider.setAttribute("aria-label", `${name}, slider`);
    line.append(label, number, slider);
    return line;
  });
  const grids = of(true).map(([name, leaf]) => grid(name, leaf));
  const [begin, ...rest] = $("leaves").children;
  for (const old of rest) { old.remove(); }
  begin.after(...grids, ...lines);
  if (grids.length) { slides(grids[0].querySelector("input")); }
}

function grid(name, { shape, entries, below }) { // an array: its rows along the last axis
  const whole = document.createElement("div"), title = document.createElement("span"), cells = document.createElement("div");
  cells.append(...entries.map((_, place) => {
    const cell = input("number", name, below);
    cell.dataset.place = place;
    cell.id = `leaf-${name}-${place}`;
    cell.setAttribute("aria-label", entryName(name, place, shape));
    cell.addEventListener("focus", () => slides(cell));
    return cell;
  }));
  cells.className = "cells";
  cells.style.setProperty("--columns", shape.at(-1));
  title.textContent = name;
  whole.className = "array";
  whole.setAttribute("role", "group");
  whole.setAttribute("aria-label", name);
  whole.append(title, cells);
  return whole;
}

function slides(cell) { // the slider moves the entry that was used last
  const line = document.createElement("p"), called = document.createElement("span"), { leaf, place } = cell.dataset;
  const slider = input("range", leaf, cell.max === "" ? null : Number(cell.max) + 1);
  slider.dataset.place = place;
  called.textContent = cell.getAttribute("aria-label");
  slider.setAttribute("aria-label", `${called.textContent}, slider`);
  line.className = "slides";
  line.append(called, slider);
  for (const other of document.querySelectorAll("#leaves .cells input")) { other.classList.toggle("is-used", other === cell); }
  document.querySelector("#leaves .slides")?.remove();
  $("leaves").append(line);
  if (cell.value) { shownIn(slider, cell.valueAsNumber); }
}

const fieldsOf = (name) => document.querySelectorAll(`#leaves [data-leaf="${CSS.escape(name)}"]`);

function shownIn(field, value) {
  if (field.type === "range" && field.step !== "1") {
    const most = Math.max(3, Math.ceil(Math.abs(value)));
    if (!(field.max >= most)) { field.min = -most; field.max = most; }
  }
  if (field !== document.activeElement || field.valueAsNumber !== value) { field.value = value; }
}

function moved(field) {
  if (Number.isNaN(field.valueAsNumber) || !field.validity.valid) { return; } // it is still being typed
  const { leaf, place } = field.dataset, own = [...fieldsOf(leaf)].filter((one) => one.type === "number");
  const entries = own.map((one) => (one.dataset.place === place ? field.valueAsNumber : one.valueAsNumber));
  if (entries.some(Number.isNaN)) { return; }
  point = { ...point, [leaf]: entries };
  pump();
}

function swept() { // shown up to here: forward, then backward
  const done = Number($("sweep").value), now = stops[done - 1];
  const found = (back) => new Set(stops.filter((one, k) => one.back === back && k >= done).map((one) => one.key));
  const values = found(false), gradients = found(true);
  for (const one of document.querySelectorAll("#graph [data-key]")) {
    const { key } = one.dataset, isBox = one.classList.contains("g-node");
    one.classList.toggle("no-value", isBox && values.has(key));
    one.classList.toggle("no-gradient", gradients.has(key));
    one.classList.toggle("is-now", now?.key === key && (isBox || now.back));
  }
  const words = now ? `${now.back ? "backward" : "forward"}: ${now.words}` : "the numbers that are given";
  $("told").textContent = words;
  $("sweep").setAttribute("aria-valuetext", `${done} of ${stops.length}, ${words}`);
}
$("sweep").addEventListener("input", swept);
$("with-numbers").addEventListener("click", () => {
  numbers = $("with-numbers").getAttribute("aria-pressed") !== "true";
  pump();
});

function state(words) { $("state").textContent = words; }

// -- what is wrong, at its line
function problem(place, error) {
  place.textContent = "";
  for (const one of error ? [error, ...error.others] : []) {
    const line = place.appendChild(document.createElement("p"));
    line.appendChild(document.createElement("strong")).textContent = `${one.line ? `Line ${one.line}: ` : ""}${one.kind}`;
    line.append(`: ${one.message}`);
    if (one.shown.length) { place.appendChild(document.createElement("pre")).textContent = one.shown.join("\n"); }
  }
}

let wrong = [];
function marks(error) {
  wrong = error ? [error, ...error.others] : [];
  text.setAttribute("aria-invalid", String(wrong.length > 0));
  drawn();
}

function drawn() { // line numbers, and a wave below what is wrong
  const lines = text.value.split("\n"), byLine = new Map();
  for (const one of wrong) { if (one.line && !byLine.has(one.line)) { byLine.set(one.line, one); } }
  $("gutter").replaceChildren(...lines.map((_, k) => {
    const number = document.createElement(byLine.has(k + 1) ? "b" : "span");
    number.textContent = k + 1;
    return number;
  }));
  const shown = lines.flatMap((line, k) => {
    const one = byLine.get(k + 1), rest = k < lines.length - 1 ? "\n" : "";
    if (!one) { return [line + rest]; }
    const letters = [...line], from = one.column ? one.column - 1 : 0, to = one.column ? one.end - 1 : letters.length;
    const mark = document.createElement("mark");
    mark.textContent = letters.slice(from, Math.max(to, from + 1)).join("") || " ";
    return [letters.slice(0, from).join(""), mark, letters.slice(Math.max(to, from + 1)).join("") + rest];
  });
  $("backdrop").replaceChildren(...shown);
  scrolled();
}

function scrolled() {
  $("gutter").scrollTop = $("backdrop").scrollTop = text.scrollTop;
  $("backdrop").scrollLeft = text.scrollLeft;
}

// -- typing
let pause;
function typed() {
  wrong = [];
  drawn();
  $("examples").value = named(text.value);
  toExercise();
  paused();
}

function toExercise() { // on the site: of an example its own exercise, else all of them
  const link = $("exercise"), name = $("examples").value;
  if (link) { link.href = name ? `${link.dataset.all}${name}.html` : link.dataset.all; }
}

function paused() {
  clearTimeout(pause);
  pause = setTimeout(pump, PAUSE);
}

let models = new Map();
const named = (source) => [...models].find(([, model]) => model.text === source)?.[0] || "";

function put(source) {
  point = {};
  numbers = undefined;
  defined = {};
  text.value = source;
  text.scrollTop = text.scrollLeft = 0;
  typed();
}

let leaving = false; // Escape lets Tab leave the field; else it indents
text.addEventListener("input", typed);
text.addEventListener("scroll", scrolled, { passive: true });
text.addEventListener("keydown", (event) => {
  if (event.key === "Tab" && !event.shiftKey && !leaving) {
    event.preventDefault();
    document.execCommand("insertText", false, "    "); // can be undone
  }
  leaving = event.key === "Escape";
});

// -- tabs
const tabs = [...document.querySelectorAll("[role=tab]")];
function select(name) {
  document.body.dataset.tab = name;
  for (const one of tabs) {
    const is = one.dataset.tab === name;
    one.setAttribute("aria-selected", String(is));
    one.tabIndex = is ? 0 : -1;
  }
  pump();
}
const wide = matchMedia("(min-width: 60rem)");
wide.addEventListener("change", () => { if (wide.matches && document.body.dataset.tab === "model") { select("derivation"); } });
for (const one of tabs) {
  one.addEventListener("click", () => select(one.dataset.tab));
  one.addEventListener("keydown", (event) => {
    const seen = tabs.filter((other) => other.checkVisibility()), k = seen.indexOf(one);
    const to = { ArrowRight: k + 1, ArrowLeft: k - 1, Home: 0, End: seen.length - 1 }[event.key];
    if (to === undefined) { return; }
    event.preventDefault();
    const next = seen.at(to % seen.length);
    select(next.dataset.tab);
    next.focus();
  });
}
for (const id of ["target", "level"]) { $(id).addEventListener("change", pump); }
for (const one of document.querySelectorAll("[name=detail]")) { one.addEventListener("change", pump); }

// Links within what is shown lead to their line; the address stays that of the model.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("#derivation a[href^='#'], #graph a[href^='#'], a.skip");
  if (!link) { return; }
  event.preventDefault();
  const target = $(link.getAttribute("href").slice(1));
  if (!target) { return; }
  target.closest("details")?.setAttribute("open", "");
  if (!target.hasAttribute("tabindex")) { target.tabIndex = -1; }
  target.scrollIntoView({ block: "start" });
  target.focus({ preventScroll: true });
});

// -- copying and saving
function tell(words) {
  said.textContent = words;
  setTimeout(() => { said.textContent = ""; }, 1600);
}

async function copied(content, button, what) {
  try {
    await navigator.clipboard.writeText(content);
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1600);
    tell(`${what} copied`);
  } catch {
    tell("The browser does not allow copying here");
  }
}

for (const button of document.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", () => {
    const options = { form: button.dataset.copies, detail: wanted().options.detail || "full" };
    const take = (data) => { if (data.ok) { copied(data.result.text, button, "The derivation is"); } };
    orders.push({ job: "printed", text: last || text.value, options, take });
    pump();
  });
}
$("copy-code").addEventListener("click", (event) => copied($("code").textContent, event.target, "The code is"));
$("print").addEventListener("click", () => print());
$("download").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([$("code").textContent], { type: "text/x-python" }));
  link.download = $("file").textContent;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});

// -- a link carries the model: #m= and the text, deflated, in the alphabet of addresses
async function through(stream, bytes, most = Infinity) {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader(), parts = [];
  let size = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    size += next.value.length;
    if (size > most) { reader.cancel(); throw new Error("too long"); }
    parts.push(next.value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function written(source) {
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(source));
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return `#m=${btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

async function readLink(address) {
  const found = new URL(address).hash.match(/^#m=([\w-]+)$/);
  if (!found) { return null; }
  try {
    const letters = atob(found[1].replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
    const source = new TextDecoder().decode(await through(new DecompressionStream("deflate-raw"), bytes, MOST_TEXT));
    if (source.trim()) { return source; }
  } catch { /* no link of ours */ }
  tell("The link has no model that can be read");
  return null;
}

async function remember(source) {
  const hash = await written(source);
  if (source === text.value) { history.replaceState(null, "", hash); }
}
$("link").addEventListener("click", async (event) => {
  await remember(text.value);
  copied(location.href, event.target, "The link is");
});
async function follow(address) { // what is typed meanwhile is newer than the link
  const before = text.value, source = await readLink(address);
  if (source !== null && source !== text.value && before === text.value) { put(source); }
}
addEventListener("hashchange", (event) => follow(event.newURL)); // by now the address may be that of another text

// -- examples
async function listed() {
  const groups = await (await fetch(new URL("./examples.json", import.meta.url))).json();
  models = new Map(groups.flatMap((group) => group.models.map((model) => [model.name, model])));
  $("examples").value = named(text.value);
  toExercise();
}
$("examples").addEventListener("change", (event) => {
  const model = models.get(event.target.value);
  if (model) { put(model.text); }
});

// -- first of all the page as it came is shown; then Python starts
text.value = text.defaultValue; // not what the browser kept of an earlier visit
last = text.value;
const about = Object.fromEntries(["name", "summary", "source"].map((part) => [part, $(part).textContent]));
for (const name of ["derivation", "code"]) { // the graph has numbers as soon as it is looked at
  document.body.dataset.tab = name;
  there[name] = { key: wanted().key, error: null, about };
}
document.body.dataset.tab = "derivation";
state("Python starts …");
drawn();
worker = python();
follow(location.href);
listed();
addEventListener("load", () => navigator.serviceWorker?.register("./sw.js"));
