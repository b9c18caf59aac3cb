// Marks of a store: shown at once, saved at once. What could not be saved stays, is said, and is tried again.

import { Refused, askJson, send } from "./api.js";

const AGAIN_MS = 3000;

export class Marks {
  /**
   * @param {object} of {store, generation} for requests.
   * @param {() => void} changed is called when marks or the state of saving are others.
   */
  constructor(of, changed) {
    this.of = of;
    this.changed = changed;
    this.saved = new Map();
    this.unsaved = new Map();
    this.version = -1;
    this.problem = "";
    this.busy = false;
  }

  /** Reads the marks again where the file has another version. */
  async follow(version) {
    if (version === this.version || this.busy) return;
    const read = await askJson("/marks", this.of);
    this.version = read.version;
    this.saved = new Map(Object.entries(read.marks).map(([episode, mark]) => [Number(episode), mark]));
    this.changed();
  }

  /** The mark of an episode, with what is not saved yet. */
  at(episode) {
    return { ...this.saved.get(episode), ...this.unsaved.get(episode) };
  }

  /** Whether anything is said of an episode. */
  has(episode) {
    const { rows, digest, ...rest } = this.at(episode);
    return Object.values(rest).some(each => each !== null && each !== undefined);
  }

  /** Changes keys of a mark; null takes one away. */
  change(episode, keys) {
    this.unsaved.set(episode, { ...this.unsaved.get(episode), ...keys });
    this.changed();
    this.save();
  }

  /** "saved", "saving" or "failed". */
  get state() {
    if (!this.unsaved.size) return "saved";
    return this.problem ? "failed" : "saving";
  }

  async save() {
    if (this.busy || !this.unsaved.size) return;
    this.busy = true;
    clearTimeout(this.again);
    const [episode, keys] = this.unsaved.entries().next().value;
    try {
      const { version, mark } = await send("/mark", { ...this.of, episode }, keys);
      if (mark) this.saved.set(episode, mark);
      else this.saved.delete(episode);
      if (version === this.version + 1) this.version = version;
      this.problem = "";
      this.forget(episode, keys);
    } catch (error) {
      this.problem = `episode ${episode}: ${error.message}`;
      // Of a request that did not get through it is not known that it would be refused again.
      if (!(error instanceof Refused) || error.status === 0) this.again = setTimeout(() => this.save(), AGAIN_MS);
    } finally {
      this.busy = false;
    }
    this.changed();
    if (!this.problem) this.save();
  }

  /** What was saved is no longer unsaved, unless it was changed once more meanwhile. */
  forget(episode, keys) {
    const now = this.unsaved.get(episode);
    const left = Object.entries(now).filter(([key, value]) => !(key in keys) || keys[key] !== value);
    if (left.length) this.unsaved.set(episode, Object.fromEntries(left));
    else this.unsaved.delete(episode);
  }

  /** Tries once more what could not be saved. */
  retry() {
    this.problem = "";
    this.save();
    this.changed();
  }

  /** Gives up the oldest change that could not be saved. */
  discard() {
    this.unsaved.delete(this.unsaved.keys().next().value);
    this.problem = "";
    this.changed();
    this.save();
  }
}
