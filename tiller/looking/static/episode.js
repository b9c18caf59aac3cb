// One episode: its cameras, its lanes, the robot, its marks, all at one cursor.

import { askJson } from "./api.js";
import { element, made, setText } from "./dom.js";
import { Cameras } from "./frames.js";
import { Marking } from "./marking.js";
import { Player } from "./player.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

const VALUES_MS = 70;
const VALUES_PLAYING_MS = 250;

export class EpisodeView {
  constructor() {
    this.player = new Player(() => this.moved());
    this.marking = new Marking(() => this.player.row);
    this.stage = new Stage({
      figure: element("scene"), canvas: element("scene-canvas"), note: element("scene-note"), caption: element("scene-caption"),
    });
    this.timeline = new Timeline({
      timeline: element("timeline"), lanes: element("lanes"), cursor: element("cursor"), before: element("before-cut"),
      after: element("after-cut"), overview: element("overview"), list: element("chooser-list"), text: element("chooser-text"),
    }, second => this.player.seek(second));
    this.number = -1;
    this.buttons();
  }

  buttons() {
    const { player, timeline } = this;
    const clicks = {
      play: () => player.toggle(),
      "back-row": () => player.by(-1),
      "next-row": () => player.by(1),
      "zoom-in": () => timeline.zoom(0.6),
      "zoom-out": () => timeline.zoom(1 / 0.6),
      "zoom-fit": () => timeline.fit(),
      choose: () => { element("chooser").hidden = !element("chooser").hidden; },
      "facts-button": () => { element("facts").hidden = !element("facts").hidden; },
    };
    for (const [id, act] of Object.entries(clicks)) element(id).addEventListener("click", act);
    element("speed").addEventListener("change", event => {
      player.speed = Number(event.target.value);
      event.target.blur();
    });
  }

  /** Shows an episode of a store. */
  async open(store, number) {
    const anew = this.store !== store;
    this.close();
    Object.assign(this, { store, number });
    if (anew) this.timeline.setFields(store.fields);
    const gone = new AbortController();
    this.gone = gone;
    const of = { ...store.of, episode: number };
    const record = await askJson("/episode", of, gone.signal);
    if (gone.signal.aborted) return;
    this.record = record;
    this.of = of;
    this.cameras = new Cameras(element("cameras"), of, store.cameras, record.rows);
    this.player.open(record);
    // The robot comes last: its scene takes the process seconds when it is read for the first time.
    this.timeline.open(of, record.last + record.period_s).then(() => {
      if (!gone.signal.aborted) this.stage.open(of, record.rows);
    });
    this.showFacts();
    const word = name => (typeof record.facts[name] === "string" ? record.facts[name] : "");
    const { success } = record.facts;
    const stored = {
      rows: record.rows, instruction: word("instruction"), note: word("note"), labels: store.storedLabels(number),
      success: typeof success === "boolean" ? success : null,
    };
    this.marking.open(store.marks, number, stored, store.record.unmarked);
    this.refresh();
  }

  /** Leaves the episode. */
  close() {
    this.marking.flush();
    this.gone?.abort();
    this.cameras?.end();
    this.cameras = null;
    this.timeline.end();
    this.stage.end();
    this.player.playing = false;
    this.number = -1;
  }

  showFacts() {
    const { facts, rows, first_row: first, last } = this.record;
    const lines = [["rows", `${rows}, from row ${first} of the store`], ["length", `${last.toFixed(3)} s`], ...Object.entries(facts)];
    element("facts").replaceChildren(...lines.flatMap(([name, value]) => [made("dt", name), made("dd", value === null ? "-" : String(value))]));
  }

  /** Shows marks and findings anew. */
  refresh() {
    if (this.number < 0 || !this.record) return;
    const { store, number, player, record } = this;
    const mark = store.marks.at(number);
    const findings = store.findings.get(number) ?? [];
    const words = mark.instruction ?? record.facts.instruction ?? "";
    setText(element("title"), `#${number} of ${store.record.episodes}${words ? ` · ${words}` : ""}`);
    const cut = mark.cut ? [player.at(mark.cut[0]), mark.cut[1] < record.rows ? player.at(mark.cut[1]) : record.last + record.period_s] : null;
    this.timeline.setMarks(cut, findings.filter(each => each.second !== null));
    this.marking.show();
    const said = findings.map(each => made("dd", `${each.rule}${each.second === null ? "" : ` at ${each.second.toFixed(2)} s`}: ${each.message}`, each.severity === "error" ? "bad" : "poor"));
    element("facts").querySelectorAll("[data-level]").forEach(each => each.remove());
    element("facts").append(...said);
    setText(element("facts-button"), findings.length ? `facts, ${findings.length} found` : "facts");
  }

  /** The cursor has moved: shown with the next picture of the screen, however often it moves before. */
  moved() {
    this.moving ??= requestAnimationFrame(() => {
      this.moving = undefined;
      this.showCursor();
    });
  }

  showCursor() {
    const { player } = this;
    if (!this.cameras) return;
    this.cameras.show(player.row, player.playing);
    this.timeline.move(player.second);
    this.stage.show(player.row);
    const rows = player.rows ? `row ${player.row} of ${player.rows}` : "no rows";
    setText(element("clock"), `${player.second.toFixed(2)} / ${this.record.last.toFixed(2)} s · ${rows}`);
    setText(element("play"), player.playing ? "\u275a\u275a" : "\u25b6");
    if (element("speed").value !== String(player.speed)) element("speed").value = String(player.speed);
    this.askValues();
  }

  /** Asks for the exact numbers at the cursor, when it rests or now and then while it moves. */
  askValues() {
    if (this.due || !this.record?.rows) return;
    this.due = setTimeout(async () => {
      const { row } = this.player;
      const numbers = this.timeline.numbers.slice(0, 64);
      try {
        if (numbers.length && this.number >= 0) {
          const values = await askJson("/values", { ...this.of, row, fields: numbers.join(",") }, this.gone.signal);
          const byNumber = new Map(numbers.map((number, place) => [number, values[place]]));
          for (const lane of this.timeline.lanes) lane.showValues(byNumber);
        }
      } catch (error) {
        if (error.name !== "AbortError") console.warn(error.message);
      }
      this.due = undefined;
      if (row !== this.player.row) this.askValues();
    }, this.player.playing ? VALUES_PLAYING_MS : VALUES_MS);
  }
}
