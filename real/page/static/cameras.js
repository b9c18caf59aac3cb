// A frame per camera, by number: the newest image, and since when there is none.

import { made, setText } from "./dom.js";

const OLD_MS = 1000;
const OVERTAKEN = 10;

export class Cameras {
  /** @param {HTMLElement} root that holds the frames. */
  constructor(root) {
    this.root = root;
    this.frames = [];
    this.names = [];
  }

  /** Names of the cameras by number; the frames are made anew where there are others. */
  setNames(names) {
    if (names.length === this.names.length && names.every((name, number) => name === this.names[number])) return;
    this.names = names;
    this.frames = names.map(name => new Frame(name));
    this.root.replaceChildren(...this.frames.map(frame => frame.figure));
  }

  /** Draws an image; resolves when it is drawn. */
  async show(number, sequence, body) {
    const image = await createImageBitmap(new Blob([body], { type: "image/jpeg" }));
    const frame = this.frames[number];
    if (frame) frame.draw(image, sequence);
    else image.close();
  }

  /** Says of each camera since when no image has come. */
  watch() {
    for (const frame of this.frames) frame.watch();
  }
}

class Frame {
  constructor(name) {
    this.name = name;
    this.came = performance.now();
    this.sequence = 0;
    this.figure = document.createElement("figure");
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("bitmaprenderer");
    this.caption = made("figcaption", name);
    this.figure.append(this.canvas, this.caption);
  }

  draw(image, sequence) {
    // Two images may be decoded at once; one that is overtaken is not shown after the other.
    if (sequence < this.sequence && this.sequence - sequence < OVERTAKEN) return image.close();
    if (this.canvas.width !== image.width) this.canvas.width = image.width;
    if (this.canvas.height !== image.height) this.canvas.height = image.height;
    this.context.transferFromImageBitmap(image);
    this.came = performance.now();
    this.sequence = sequence;
    return undefined;
  }

  watch() {
    const age = performance.now() - this.came;
    const old = age > OLD_MS || this.sequence === 0;
    this.figure.dataset.old = old ? "yes" : "no";
    const since = this.sequence ? `${(age / 1000).toFixed(0)} s old` : "no image yet";
    setText(this.caption, old ? `${this.name}: ${since}` : this.name);
  }
}
