// The cameras of an episode: frames are fetched together for a row, kept for a while, and drawn as soon as they come.

import { askBytes } from "./api.js";
import { made, setText } from "./dom.js";
import { picture } from "./pixels.js";

const KEPT_BYTES = 96 << 20;
const AT_ONCE = 3;
const AHEAD = 8;

export class Cameras {
  /**
   * @param {HTMLElement} root that holds the pictures.
   * @param {object} of {store, generation, episode} for requests.
   * @param {{number: number, field: object}[]} fields that are cameras.
   * @param {number} rows of the episode.
   */
  constructor(root, of, fields, rows) {
    this.of = of;
    this.rows = rows;
    this.cameras = fields.map(each => new Camera(each.field));
    this.numbers = fields.map(each => each.number).join(",");
    this.kept = new Map();
    this.bytes = 0;
    this.coming = new Set();
    this.row = -1;
    this.drawn = 0;
    this.orders = 0;
    this.ended = new AbortController();
    root.replaceChildren(...this.cameras.map(each => each.figure));
    const { length } = this.cameras;
    root.style.gridTemplateColumns = `repeat(${length > 3 ? Math.ceil(Math.sqrt(length)) : length || 1}, minmax(0, 1fr))`;
    root.style.flexGrow = Math.min(length, 4) || 1;
  }

  /** Shows a row; while it is on its way rows before are shown as they come. */
  show(row, playing) {
    if (!this.cameras.length || row === this.row) return;
    this.row = row;
    this.playing = playing;
    const parts = this.kept.get(row);
    if (parts) this.draw(row, parts);
    this.fetchMore();
  }

  fetchMore() {
    const ahead = this.playing ? AHEAD : 0;
    for (let row = this.row; row <= Math.min(this.row + ahead, this.rows - 1); row += 1) {
      if (this.coming.size >= AT_ONCE) return;
      if (!this.kept.has(row) && !this.coming.has(row)) this.fetchRow(row);
    }
  }

  async fetchRow(row) {
    this.coming.add(row);
    try {
      const packed = await askBytes("/frames", { ...this.of, row, fields: this.numbers }, this.ended.signal);
      const parts = unpack(packed, this.cameras.length);
      this.keep(row, parts, packed.byteLength);
      // While a person scrubs, what comes is shown even if the cursor is a little further by now.
      if (row === this.row || !this.playing) await this.draw(row, parts);
    } catch (error) {
      if (error.name !== "AbortError") for (const camera of this.cameras) camera.say(error.message);
    } finally {
      this.coming.delete(row);
      if (!this.ended.signal.aborted && row !== this.row) this.fetchMore();
    }
  }

  keep(row, parts, bytes) {
    this.kept.set(row, parts);
    parts.bytes = bytes;
    this.bytes += bytes;
    for (const [old, each] of this.kept) {
      if (this.bytes <= KEPT_BYTES || old === row) break;
      this.kept.delete(old);
      this.bytes -= each.bytes;
    }
  }

  async draw(row, parts) {
    this.orders += 1;
    const order = this.orders;
    await Promise.all(this.cameras.map((camera, number) => camera.draw(parts[number], order)));
    if (this.ended.signal.aborted) return;
    document.dispatchEvent(new CustomEvent("frames", { detail: { row, cameras: this.cameras.length } }));
  }

  /** Leaves the episode. */
  end() {
    this.ended.abort();
    this.kept.clear();
  }
}

function unpack(packed, count) {
  const view = new DataView(packed);
  const parts = [];
  let place = 0;
  for (let number = 0; number < count; number += 1) {
    const [missing, length] = [view.getUint32(place, true), view.getUint32(place + 4, true)];
    const bytes = new Uint8Array(packed, place + 8, length);
    parts.push(missing ? { problem: new TextDecoder().decode(bytes) } : { bytes });
    place += 8 + length + (8 - length % 8) % 8;
  }
  return parts;
}

/** One picture with its name; also a thumbnail draws with it. */
export class Camera {
  constructor(field) {
    this.field = field;
    this.range = { near: Infinity, far: 0 };
    this.order = 0;
    this.figure = document.createElement("figure");
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d");
    this.caption = made("figcaption", field.name);
    this.figure.append(this.canvas, this.caption);
  }

  async draw(part, order = this.order + 1) {
    if (part.problem !== undefined) return this.say(part.problem);
    try {
      const image = await picture(part.bytes, this.field, this.range);
      if (order > this.order) this.put(image, order);
      image.close?.();
    } catch (error) {
      this.say(error.message || "this is no picture");
    }
    return undefined;
  }

  put(image, order) {
    this.order = order;
    const { width, height } = image;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    if (image instanceof ImageData) this.context.putImageData(image, 0, 0);
    else this.context.drawImage(image, 0, 0);
    const [high, wide] = this.field.shape;
    const other = width !== wide || height !== high ? `, ${width} x ${height} instead of ${wide} x ${high}` : "";
    const scale = this.field.kind === "depth" && this.range.far ? `, ${this.range.near} to ${this.range.far} ${this.field.unit}` : "";
    setText(this.caption, `${this.field.name}${scale}${other}`);
    this.figure.dataset.level = other ? "error" : "";
  }

  say(problem) {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    setText(this.caption, `${this.field.name}: ${problem}`);
    this.figure.dataset.level = "error";
  }
}

/** Draws a frame of one camera once, for a card of the list. */
export async function thumbnail(camera, of, number, row, signal) {
  const packed = await askBytes("/frames", { ...of, row, fields: number }, signal);
  await camera.draw(unpack(packed, 1)[0]);
}
