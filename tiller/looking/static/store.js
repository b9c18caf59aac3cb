// One store as the page knows it: its fields, its episodes, its marks, what validation found, and filters over them.

import { askJson } from "./api.js";
import { Marks } from "./marks.js";

export class Store {
  /** @param {number} number of it. @param {object} record of `/stores`. @param {() => void} changed */
  constructor(number, record, changed) {
    this.record = record;
    this.of = { store: number, generation: record.generation };
    this.marks = new Marks(this.of, changed);
    this.fields = [];
    this.cameras = [];
    this.episodes = { rows: [], success: null, texts: {} };
    this.findings = new Map();
    this.examined = { state: "not examined" };
    this.ready = false;
  }

  async load() {
    const [fields, episodes] = await Promise.all([askJson("/fields", this.of), askJson("/episodes", this.of)]);
    Object.assign(this, { fields, episodes });
    const numbered = fields.map((field, number) => ({ field, number }));
    this.cameras = numbered.filter(({ field }) => field.kind === "camera" || field.kind === "depth");
    this.line = (numbered.find(({ field }) => field.role === "action" && field.kind === "numbers")
      ?? numbered.find(({ field }) => field.kind === "numbers"))?.number;
    this.ready = true;
    await this.marks.follow(this.record.marks);
  }

  /** Takes a newer record: more episodes, other marks. */
  async follow(record) {
    const grown = record.episodes !== this.record.episodes;
    this.record = record;
    if (grown) this.episodes = await askJson("/episodes", this.of);
    await this.marks.follow(record.marks);
    return grown;
  }

  get period() {
    return this.record.period_s ?? 0.1;
  }

  seconds(episode) {
    return this.episodes.rows[episode] * this.period;
  }

  text(episode, name) {
    const column = this.episodes.texts[name];
    return column ? column.words[column.ids[episode]] : "";
  }

  /** The labels that the store itself gives to an episode. */
  storedLabels(episode) {
    const column = this.episodes.labels;
    return column ? column.lists[column.ids[episode]] : [];
  }

  /** The labels of an episode, as it is marked, else as it is stored. */
  labelsOf(episode) {
    return this.marks.at(episode).labels ?? this.storedLabels(episode);
  }

  /** Whether an episode succeeded, as it is marked, else as it is stored; null where nothing says it. */
  success(episode) {
    return this.marks.at(episode).success ?? this.episodes.success?.[episode] ?? null;
  }

  /** Takes what validation found: [severity, episode, second, rule, message] each. */
  setFindings(examined) {
    this.examined = examined;
    this.findings = new Map();
    for (const [severity, episode, second, rule, message] of examined.findings ?? []) {
      if (episode === null) continue;
      if (!this.findings.has(episode)) this.findings.set(episode, []);
      this.findings.get(episode).push({ severity, second, rule, message });
    }
  }

  /** Whether a mark is of another episode than the one that has its number now. */
  stale(episode) {
    const mark = this.marks.saved.get(episode);
    return mark !== undefined && mark.rows !== this.episodes.rows[episode];
  }

  /** Words on the card of an episode, each with a level. */
  chips(episode) {
    const mark = this.marks.at(episode);
    const chips = [];
    const success = this.success(episode);
    const relabelled = mark.success !== undefined && mark.success !== null;
    if (success !== null) chips.push({ text: `${success ? "success" : "failure"}${relabelled ? " *" : ""}`, level: success ? "good" : "poor" });
    if (!this.episodes.rows[episode]) chips.push({ text: "empty", level: "bad" });
    if (mark.keep === false) chips.push({ text: "dropped", level: "bad" });
    if (mark.keep === true) chips.push({ text: "kept", level: "good" });
    if (mark.cut) chips.push({ text: `cut to ${mark.cut[1] - mark.cut[0]} rows`, level: "mark" });
    if (mark.instruction) chips.push({ text: "instruction *", level: "mark" });
    if (mark.note) chips.push({ text: "note", level: "mark" });
    for (const label of this.labelsOf(episode)) chips.push({ text: label, level: "label" });
    const findings = this.findings.get(episode);
    if (findings) chips.push({ text: `${findings.length} found`, level: findings.some(each => each.severity === "error") ? "bad" : "poor" });
    if (this.stale(episode)) chips.push({ text: "marked as another episode", level: "bad" });
    if (this.marks.unsaved.has(episode) && this.marks.state === "failed") chips.push({ text: "not saved", level: "bad" });
    return chips;
  }

  /** All labels that are given to episodes. */
  get labels() {
    const labels = new Set(this.episodes.labels?.lists.flat());
    for (const episode of new Set([...this.marks.saved.keys(), ...this.marks.unsaved.keys()])) {
      for (const label of this.marks.at(episode).labels ?? []) labels.add(label);
    }
    return [...labels].sort();
  }

  /** Numbers of the episodes that pass filters {text, success, marked, label, problems, from, to}. */
  filtered(filters) {
    const shown = [];
    for (let episode = 0; episode < this.episodes.rows.length; episode += 1) {
      if (this.passes(episode, filters)) shown.push(episode);
    }
    return shown;
  }

  passes(episode, { text, success, marked, label, problems, from, to }) {
    const mark = this.marks.at(episode);
    const seconds = this.seconds(episode);
    if (!(seconds >= from && seconds <= to)) return false;
    if (success && success !== { true: "yes", false: "no", null: "unknown" }[this.success(episode)]) return false;
    if (label && !this.labelsOf(episode).includes(label)) return false;
    if (problems && this.findings.has(episode) !== (problems === "some")) return false;
    const given = { undefined: false, null: false };
    const is = {
      marked: () => this.marks.has(episode),
      unmarked: () => !this.marks.has(episode),
      kept: () => mark.keep === true,
      dropped: () => mark.keep === false,
      cut: () => Boolean(mark.cut),
      relabelled: () => given[mark.success] ?? true,
      stale: () => this.stale(episode),
    };
    if (marked && !is[marked]()) return false;
    return !text || this.words(episode, mark).includes(text);
  }

  /** All words that are known of an episode, in lower case, for a search. */
  words(episode, mark) {
    const names = Object.keys(this.episodes.texts);
    const own = [mark.instruction, mark.note, ...this.labelsOf(episode), `#${episode}`];
    return [...names.map(name => this.text(episode, name)), ...own].filter(Boolean).join("\n").toLowerCase();
  }
}
