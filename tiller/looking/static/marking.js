// The row of buttons and fields with which an episode is marked.

import { element, setText } from "./dom.js";

const TYPED_MS = 700;
const MOST_LABELS = 32;
const LONGEST_LABEL = 100;

export class Marking {
  /** @param {() => number} row gives the row at the cursor. */
  constructor(row) {
    this.row = row;
    this.marks = null;
    this.waiting = new Map();
    const clicks = {
      drop: () => this.toggleKeep(false),
      keep: () => this.toggleKeep(true),
      success: () => this.turnSuccess(),
      "cut-first": () => this.cutFirst(),
      "cut-last": () => this.cutLast(),
      "cut-clear": () => this.set({ cut: null }),
    };
    for (const [id, act] of Object.entries(clicks)) element(id).addEventListener("click", act);
    for (const name of ["instruction", "labels", "note"]) {
      const input = element(name);
      input.addEventListener("input", () => this.type(name));
      input.addEventListener("change", () => this.flush(name));
    }
  }

  /** Marks this episode of a store; `stored` is {rows, success, instruction, labels, note} of it, `allowed` empty or why not. */
  open(marks, episode, stored, allowed) {
    this.flush();
    Object.assign(this, { marks, episode, stored, allowed });
    for (const each of element("marks").querySelectorAll("button, input")) each.disabled = Boolean(allowed) || !stored.rows;
    element("marks").title = allowed;
    this.show(true);
  }

  get mark() {
    return this.marks.at(this.episode);
  }

  set(keys) {
    if (this.marks && !this.allowed && this.stored.rows) this.marks.change(this.episode, keys);
  }

  /** Shows the mark; the fields that are typed in keep what is in them, unless it is another episode. */
  show(anew = false) {
    if (!this.marks) return;
    const mark = this.mark;
    element("drop").setAttribute("aria-pressed", mark.keep === false);
    element("keep").setAttribute("aria-pressed", mark.keep === true);
    this.showSuccess(mark);
    const { cut } = mark;
    setText(element("cut"), cut ? `rows ${cut[0]} to ${cut[1] - 1} of ${this.stored.rows}` : "");
    element("cut-clear").hidden = !cut;
    const texts = { instruction: mark.instruction ?? "", labels: (mark.labels ?? this.stored.labels).join(", "), note: mark.note ?? "" };
    for (const [name, text] of Object.entries(texts)) {
      const input = element(name);
      if (anew || (document.activeElement !== input && !this.waiting.has(name))) input.value = text;
    }
    element("instruction").placeholder = this.stored.instruction;
    element("note").placeholder = this.stored.note;
  }

  showSuccess(mark) {
    const button = element("success");
    const value = mark.success ?? this.stored.success;
    const said = value === null || value === undefined ? "success unknown" : value ? "success" : "failure";
    button.dataset.value = String(value);
    button.setAttribute("aria-pressed", mark.success !== undefined && mark.success !== null);
    const key = document.createElement("kbd");
    key.textContent = "s";
    const relabelled = mark.success !== undefined && mark.success !== null ? " (relabelled)" : "";
    button.replaceChildren(`${said}${relabelled} `, key);
  }

  toggleKeep(keep) {
    this.set({ keep: this.mark.keep === keep ? null : keep });
  }

  /** Another success than the stored one, then the stored one again; where none is stored yes, no, none. */
  turnSuccess() {
    const now = this.mark.success ?? null;
    const stored = this.stored.success ?? null;
    if (stored !== null) this.set({ success: now === null ? !stored : null });
    else this.set({ success: now === null ? true : now ? false : null });
  }

  cutFirst() {
    const row = this.row();
    const stop = this.mark.cut?.[1] ?? this.stored.rows;
    this.setCut(row, stop > row ? stop : this.stored.rows);
  }

  cutLast() {
    const stop = this.row() + 1;
    const first = this.mark.cut?.[0] ?? 0;
    this.setCut(first < stop ? first : 0, stop);
  }

  setCut(first, stop) {
    this.set({ cut: first === 0 && stop === this.stored.rows ? null : [first, stop] });
  }

  type(name) {
    clearTimeout(this.waiting.get(name));
    this.waiting.set(name, setTimeout(() => this.flush(name), TYPED_MS));
  }

  /** Saves what was typed; without a name all of it. */
  flush(name = undefined) {
    for (const each of name ? [name] : [...this.waiting.keys()]) {
      if (!this.waiting.has(each)) continue;
      clearTimeout(this.waiting.get(each));
      this.waiting.delete(each);
      this.saveText(each);
    }
  }

  saveText(name) {
    const text = element(name).value;
    if (name === "labels") {
      const labels = [...new Set(text.split(",").map(each => each.trim().slice(0, LONGEST_LABEL)).filter(Boolean))];
      const same = JSON.stringify(labels) === JSON.stringify(this.stored.labels);
      this.set({ labels: same ? null : labels.slice(0, MOST_LABELS) });
    } else this.set({ [name]: text.trim() ? text : null });
  }
}
