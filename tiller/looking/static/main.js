// Starts the page: a session for the token, the stores, the list, and the episode that is open; then follows changes.

import { askJson, send } from "./api.js";
import { element, made, setText } from "./dom.js";
import { EpisodeView } from "./episode.js";
import { List } from "./list.js";
import { enter } from "./session.js";
import { Store } from "./store.js";

const FOLLOW_MS = 2500;
const EXAMINE_AFTER_MS = 2500;
const KEYS = [
  ["space", "play, pause"], ["\u2190 \u2192", "a row back, on; with shift ten"], ["home end", "first, last row"],
  [", .", "slower, faster"], ["n p", "next episode, episode before"], ["esc", "back to the list"], ["/", "search"],
  ["x", "drop the episode, or not"], ["k", "keep it, or not"], ["s", "success: relabel"],
  ["[ ]", "cut: this row is the first, the last that stays"], ["\\", "no cut"],
  ["i l o", "instruction, labels, note"], ["+ - 0", "zoom of the time line; also ctrl and the wheel"], ["f", "facts"], ["?", "these keys"],
];

const stores = [];
let store = null;
let filters = {};
const view = new EpisodeView();
const list = new List(episode => open(episode));

function say(problem) {
  element("notice").hidden = !problem;
  setText(element("notice"), problem);
}

/** Shows the list as it is filtered, the state of saving, and the marks of the open episode. */
function changed() {
  if (!store?.ready) return;
  list.show(store.filtered(filters));
  setText(element("count"), `${list.shown.length} of ${store.episodes.rows.length} episodes`);
  const { name, episodes, rows, period_s: period, unlisted } = store.record;
  const marked = [...store.marks.saved.keys()].filter(each => store.marks.has(each)).length;
  const more = unlisted ? ` (${unlisted} more are not listed)` : "";
  setText(element("summary"), `${name}: ${episodes} episodes${more}, ${rows} rows${period ? `, ${+(1 / period).toFixed(2)} Hz` : ""}, ${marked} marked`);
  showSaving();
  showLabels();
  view.refresh();
}

function showSaving() {
  const waiting = stores.filter(each => each.marks.unsaved.size);
  const failed = waiting.find(each => each.marks.state === "failed");
  const text = failed ? `not saved: ${failed.marks.problem}` : waiting.length ? "saving" : store.record.unmarked ? `no marks: ${store.record.unmarked}` : "all marks saved";
  setText(element("saving"), text);
  element("saving").title = store.record.unmarked || `beside the store, in ${store.record.name}.marks.json`;
  element("saving").dataset.level = failed ? "bad" : "";
  for (const id of ["retry", "discard"]) element(id).hidden = !failed;
}

function showLabels() {
  const { labels } = store;
  const select = element("filter-label");
  const options = [["", "any label"], ...labels.map(label => [label, label])];
  if (JSON.stringify(options.map(([value]) => value)) === JSON.stringify([...select.options].map(each => each.value))) return;
  const before = select.value;
  select.replaceChildren(...options.map(([value, text]) => Object.assign(made("option", text), { value })));
  select.value = before;
  element("known-labels").replaceChildren(...labels.map(label => Object.assign(document.createElement("option"), { value: label })));
}

function readFilters() {
  const value = id => element(`filter-${id}`).value;
  filters = {
    text: value("text").toLowerCase(), success: value("success"), marked: value("marked"), label: value("label"),
    problems: value("problems"), from: value("from") === "" ? -Infinity : Number(value("from")),
    to: value("to") === "" ? Infinity : Number(value("to")),
  };
  changed();
}

/** Keeps the address of what is open, so that it is open again when the page is loaded anew. */
function remember(episode) {
  const place = new URLSearchParams({ store: store.of.store, ...(episode >= 0 ? { episode } : {}) });
  history.replaceState(null, "", `${location.pathname}?${place}`);
}

async function open(episode) {
  if (!store?.ready || !(episode >= 0 && episode < store.episodes.rows.length)) return;
  document.body.dataset.view = "episode";
  element("episode").hidden = false;
  list.select(episode);
  remember(episode);
  try {
    await view.open(store, episode);
  } catch (error) {
    if (error.name !== "AbortError") say(error.message);
  }
}

function close() {
  view.close();
  document.body.dataset.view = "list";
  element("episode").hidden = true;
  list.select(-1);
  remember(-1);
}

async function choose(number, episode = -1) {
  if (view.number >= 0) close();
  store = stores[number];
  element("store").value = String(number);
  list.setStore(store);
  if (!store.ready) await store.load();
  changed();
  say(store.record.problem);
  if (episode >= 0) await open(episode);
  setTimeout(() => examine(store, false), EXAMINE_AFTER_MS);
}

/** Shows what validation found; starts it where it is cheap, or where `start` says so. */
async function examine(of, start) {
  const query = { store: of.of.store };
  let state = start ? await send("/examine", query) : await askJson("/findings", query);
  if (state.state === "not examined" && state.cheap) state = await send("/examine", query);
  of.setFindings(state);
  if (of === store) {
    const said = state.state === "examined" ? state.summary : state.state === "failed" ? state.problem : state.state;
    setText(element("examined-text"), said);
    element("examine").hidden = state.state === "examining" || state.state === "examined";
    changed();
  }
  if (state.state === "examining") setTimeout(() => examine(of, false), 1000);
}

/** Looks for new episodes, marks of other windows, and stores that are gone. */
async function follow() {
  try {
    const records = await askJson("/stores");
    for (const [number, record] of records.entries()) {
      if (record.generation !== stores[number].of.generation) {
        if (stores[number].marks.unsaved.size) throw new Error("another store has taken the place of this one: its marks are not saved");
        await replace(number, record);
      } else if (stores[number].ready) await stores[number].follow(record);
    }
    changed();
    say(store.record.problem);
  } catch (error) {
    say(error.message);
  }
  setTimeout(follow, FOLLOW_MS);
}

async function replace(number, record) {
  const current = stores[number] === store;
  stores[number] = new Store(number, record, changed);
  if (current) await choose(number);
}

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest?.("input, select, textarea, dialog");
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    else if (view.number >= 0) close();
    return;
  }
  if (typing && event.target.type !== "checkbox") return;
  const act = { ...always, ...(view.number >= 0 ? inEpisode : inList) }[event.key];
  if (!act) return;
  event.preventDefault();
  act(event.shiftKey ? 10 : 1);
}

const { player, marking, timeline } = view;
const always = {
  "/": () => element("filter-text").focus(),
  "?": () => element("help").showModal(),
  n: () => open(list.beside(view.number, 1)),
  p: () => open(list.beside(view.number, -1)),
};
const inList = { Enter: () => open(list.shown[0]) };
const inEpisode = {
  " ": () => player.toggle(),
  ArrowLeft: count => player.by(-count),
  ArrowRight: count => player.by(count),
  Home: () => player.by(-Infinity),
  End: () => player.by(Infinity),
  ",": () => player.faster(-1),
  ".": () => player.faster(1),
  x: () => marking.toggleKeep(false),
  k: () => marking.toggleKeep(true),
  s: () => marking.turnSuccess(),
  "[": () => marking.cutFirst(),
  "]": () => marking.cutLast(),
  "\\": () => marking.set({ cut: null }),
  i: () => element("instruction").focus(),
  l: () => element("labels").focus(),
  o: () => element("note").focus(),
  "+": () => timeline.zoom(0.6),
  "-": () => timeline.zoom(1 / 0.6),
  0: () => timeline.fit(),
  f: () => element("facts-button").click(),
};

function listen() {
  document.addEventListener("keydown", onKey);
  // A button that was clicked keeps the space bar for itself otherwise.
  document.addEventListener("click", event => event.target.closest("#episode button")?.blur());
  element("filters").addEventListener("input", readFilters);
  element("filters").addEventListener("reset", () => setTimeout(readFilters));
  element("filters").addEventListener("submit", event => event.preventDefault());
  element("store").addEventListener("change", event => choose(Number(event.target.value)).catch(error => say(error.message)));
  element("back").addEventListener("click", close);
  element("before").addEventListener("click", always.p);
  element("after").addEventListener("click", always.n);
  element("keys").addEventListener("click", always["?"]);
  element("examine").addEventListener("click", () => examine(store, true).catch(error => say(error.message)));
  element("retry").addEventListener("click", () => stores.forEach(each => each.marks.retry()));
  element("discard").addEventListener("click", () => stores.find(each => each.marks.state === "failed")?.marks.discard());
  window.addEventListener("pagehide", () => marking.flush());
  window.addEventListener("beforeunload", event => {
    marking.flush();
    if (stores.some(each => each.marks.unsaved.size)) event.preventDefault();
  });
  element("help-list").replaceChildren(...KEYS.flatMap(([key, text]) => [made("dt", key), made("dd", text)]));
}

async function start() {
  setText(element("summary"), "opening");
  const problem = await enter();
  if (problem) {
    setText(element("summary"), "");
    say(problem);
    return;
  }
  const place = new URLSearchParams(location.search);
  const records = await askJson("/stores");
  stores.push(...records.map((record, number) => new Store(number, record, changed)));
  element("store").replaceChildren(...records.map((record, number) => Object.assign(made("option", record.path), { value: number })));
  element("store").hidden = records.length < 2;
  listen();
  readFilters();
  const number = Number(place.get("store") ?? 0);
  await choose(number in stores ? number : 0, Number(place.get("episode") ?? -1));
  setTimeout(follow, FOLLOW_MS);
}

start().catch(error => say(error.message));
