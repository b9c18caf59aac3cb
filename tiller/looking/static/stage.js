// The robot and other bodies at a row: scenes once per store, poses of some hundred rows at once.

import { askBytes } from "./api.js";
import { setText } from "./dom.js";
import { SceneView } from "./scene.js";

const BLOCK = 60;
const MOST_BLOCKS = 100;
const HEAD = 16;
const POSE = 12;
const SLOW_MS = 34;
const SHARE = 4;
const ABSENT = "the robot is not drawn";

export class Stage {
  /** @param {object} parts of the page: figure, canvas, note, caption. */
  constructor(parts) {
    this.parts = parts;
    this.store = "";
    this.blocks = new Map();
    this.rows = 0;
    this.free = 0;
  }

  /** Shows an episode. */
  async open(of, rows) {
    this.end();
    this.of = of;
    this.rows = rows;
    this.gone = new AbortController();
    const { signal } = this.gone;
    const store = `${of.store} ${of.generation}`;
    try {
      if (store !== this.store) await this.load(of, store, signal);
    } catch (error) {
      if (error.name !== "AbortError") setText(this.parts.caption, error.message);
      return;
    }
    if (!signal.aborted && this.row !== undefined) this.show(this.row);
  }

  async load(of, store, signal) {
    let note = "";
    const query = { store: of.store, generation: of.generation };
    const robot = await askBytes("/scene", { ...query, world: 0 }, signal, words => { note = words.note; });
    const world = await askBytes("/scene", { ...query, world: 1 }, signal);
    const bodies = JSON.parse(new TextDecoder().decode(new Uint8Array(world, 8, new DataView(world).getUint32(0, true)))).bodies;
    this.parts.figure.hidden = !robot && bodies.length < 2;
    this.store = store;
    if (this.parts.figure.hidden) return;
    this.view ??= new SceneView(this.parts.canvas, this.parts.note, ABSENT);
    if (robot) this.view.setScene(0, new Uint8Array(robot));
    this.view.setScene(1, new Uint8Array(world));
    if (!robot) this.view.setPoses(0, new Uint8Array(0));
    setText(this.parts.caption, robot ? note : `without the robot: ${note}`);
  }

  /** Shows a row, as soon as its poses are here. */
  show(row) {
    this.row = row;
    if (!this.view || this.parts.figure.hidden || !this.of || !this.rows) return;
    const number = Math.floor(row / BLOCK);
    const block = this.blocks.get(number);
    if (block === undefined) this.fetchBlock(number);
    else if (block) this.draw(block, row - number * BLOCK);
    const next = number + 1;
    if (row % BLOCK > BLOCK / 2 && next * BLOCK < this.rows && !this.blocks.has(next)) this.fetchBlock(next);
  }

  async fetchBlock(number) {
    const { of, blocks } = this;
    blocks.set(number, null);
    try {
      const packed = await askBytes("/poses", { ...of, row: number * BLOCK }, this.gone.signal);
      const view = new DataView(packed);
      const [rows, robot, others] = [0, 4, 8].map(at => view.getUint32(at, true));
      blocks.set(number, { packed, rows, robot, others });
      if (blocks.size > MOST_BLOCKS) blocks.delete(blocks.keys().next().value);
      if (blocks === this.blocks) this.show(this.row);
    } catch (error) {
      if (error.name !== "AbortError") setText(this.parts.caption, error.message);
    }
  }

  /** Draws; where that is slow, as without a graphics card, seldom enough for cameras to have the time. */
  draw({ packed, rows, robot, others }, row) {
    if (row >= rows) return;
    const wait = this.free - performance.now();
    if (wait > 0) {
      if (wait === Infinity) return; // it is being drawn, and looks for a newer row afterwards
      this.later ??= setTimeout(() => {
        this.later = undefined;
        this.show(this.row);
      }, wait);
      return;
    }
    this.free = Infinity;
    requestAnimationFrame(before => requestAnimationFrame(after => {
      const took = after - before;
      this.free = took > SLOW_MS ? after + SHARE * took : 0;
      if (this.drawnRow !== this.row) this.show(this.row);
    }));
    this.drawnRow = this.row;
    const size = POSE * 4;
    this.view.setPoses(0, new Uint8Array(packed, HEAD + row * robot * size, robot * size));
    this.view.setPoses(1, new Uint8Array(packed, HEAD + (rows * robot + row * others) * size, others * size));
  }

  /** Leaves the episode. */
  end() {
    this.gone?.abort();
    this.blocks = new Map();
    this.of = null;
  }
}
