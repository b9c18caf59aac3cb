// All lanes over one time axis: cursor, zoom, the part that is cut off, and an overview of the whole.

import { Queue } from "./api.js";
import { made } from "./dom.js";
import { Lane, lanesOf } from "./lanes.js";
import { cleared, fetchSeries, nice } from "./plot.js";

const POINTS = 1200;
const FIRST_LANES = 24;
const MOST_LANES = 64;
const MOST_LISTED = 200;
const LEGEND = 248;
const FINER_MS = 250;
const LEAST_SPAN = 0.02;

export class Timeline {
  /** @param {object} parts of the page: timeline, lanes, cursor, before, after, overview, list, text. */
  constructor(parts, seek) {
    this.parts = parts;
    this.seek = seek;
    this.lanes = [];
    this.marks = { cut: null, findings: [] };
    this.second = 0;
    this.queue = new Queue(3);
    this.chosen = null;
    parts.text.addEventListener("input", () => this.list());
    new ResizeObserver(() => this.draw()).observe(parts.timeline);
    this.drag(parts.lanes, event => this.secondAt(event, parts.lanes, LEGEND, this.span));
    this.drag(parts.overview, event => this.secondAt(event, parts.overview, 0, this.whole));
    parts.timeline.addEventListener("wheel", event => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoom(Math.exp(event.deltaY * 0.002), this.secondAt(event, parts.lanes, LEGEND, this.span));
    }, { passive: false });
  }

  drag(element, second) {
    element.addEventListener("pointerdown", event => {
      if (event.button || event.target.closest("button, .legend") || !this.span) return;
      element.setPointerCapture(event.pointerId);
      this.seek(second(event));
      event.preventDefault();
    });
    element.addEventListener("pointermove", event => {
      if (event.buttons & 1 && element.hasPointerCapture(event.pointerId)) this.seek(second(event));
    });
  }

  secondAt(event, element, left, span) {
    const box = element.getBoundingClientRect();
    const share = (event.clientX - box.left - left) / Math.max(box.width - left, 1);
    return span[0] + Math.min(Math.max(share, 0), 1) * (span[1] - span[0]);
  }

  /** Which lanes the fields of a store have. */
  setFields(fields) {
    this.all = lanesOf(fields);
    this.chosen = new Set(this.all.slice(0, FIRST_LANES));
    this.list();
  }

  /** Lists fields that can be chosen, those whose name has the text. */
  list() {
    const text = this.parts.text.value.toLowerCase();
    const near = (this.all || []).filter(lane => lane.title.toLowerCase().includes(text));
    const items = near.slice(0, MOST_LISTED).map(lane => {
      const item = document.createElement("li");
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = this.chosen.has(lane);
      box.addEventListener("change", () => this.choose(lane, box));
      label.append(box, made("span", lane.unit && lane.unit !== "1" ? `${lane.title} [${lane.unit}]` : lane.title));
      item.append(label);
      return item;
    });
    if (near.length > MOST_LISTED) items.push(made("li", `and ${near.length - MOST_LISTED} more: type a part of the name`));
    this.parts.list.replaceChildren(...items);
  }

  choose(lane, box) {
    if (!box.checked) this.chosen.delete(lane);
    else if (this.chosen.size >= MOST_LANES) box.checked = false;
    else this.chosen.add(lane);
    if (this.of) this.open(this.of, this.whole[1]);
  }

  /** Shows an episode of so many seconds; resolves when its lanes are drawn. */
  open(of, last) {
    this.end();
    this.of = of;
    this.gone = new AbortController();
    this.whole = [0, Math.max(last, 1e-3)];
    this.span = [...this.whole];
    this.lanes = (this.all || []).filter(lane => this.chosen.has(lane)).map(lane => new Lane(lane));
    this.parts.lanes.replaceChildren(...this.lanes.map(each => each.root), axis());
    this.draw();
    return this.load(null);
  }

  /** Leaves the episode. */
  end() {
    this.gone?.abort();
    this.lanes = [];
  }

  /** Numbers of the fields that are drawn. */
  get numbers() {
    return [...new Set(this.lanes.flatMap(lane => lane.lane.traces.map(trace => trace.number)))];
  }

  /** Fetches the series of all lanes, within a span where one is given. */
  load(span) {
    const { signal } = this.gone;
    const { of } = this;
    this.loaded = span;
    const gone = () => signal.aborted || this.loaded !== span;
    return Promise.all([...this.numbers].reverse().map(number => new Promise(resolve => {
      this.queue.add(async () => {
        const users = this.lanes.filter(lane => lane.lane.traces.some(trace => trace.number === number));
        try {
          const series = await fetchSeries(of, number, POINTS, span, signal);
          for (const lane of users) {
            lane.take(number, series);
            lane.draw(this.span);
          }
        } catch (error) {
          if (error.name !== "AbortError") for (const lane of users) lane.fail(error.message);
        }
        resolve();
      }, gone);
    })));
  }

  /** Zooms by a factor about a time. */
  zoom(factor, about = this.second) {
    if (!this.span) return;
    const [from, to] = this.span;
    const least = Math.min(LEAST_SPAN, this.whole[1]);
    const size = Math.min(Math.max((to - from) * factor, least), this.whole[1]);
    const start = about - (about - from) / (to - from) * size;
    this.setSpan(start, size);
  }

  /** Shows all of the episode. */
  fit() {
    if (this.whole) this.setSpan(0, this.whole[1]);
  }

  setSpan(start, size) {
    const from = Math.min(Math.max(start, 0), this.whole[1] - size);
    this.span = [from, from + size];
    this.draw();
    clearTimeout(this.finer);
    const coarse = this.lanes.some(lane => [...lane.series.values()].some(each => !each.single || this.loaded));
    if (coarse) this.finer = setTimeout(() => this.load(size < this.whole[1] ? [...this.span] : null), FINER_MS);
  }

  /** Moves the cursor; the view follows where it is zoomed in. */
  move(second) {
    this.second = second;
    if (!this.span) return;
    const [from, to] = this.span;
    if (second < from || second > to) this.setSpan(second - (to - from) * 0.1, to - from);
    this.place();
    this.drawSoon();
  }

  /** Draws the overview with the next picture of the screen, however often the cursor moves before. */
  drawSoon() {
    if (this.soon) return;
    this.soon = requestAnimationFrame(() => {
      this.soon = 0;
      this.drawOverview();
    });
  }

  /** Shows what is cut off ([first, last] s, or null) and findings [{second, severity}]. */
  setMarks(cut, findings) {
    this.marks = { cut, findings };
    this.place();
    this.drawSoon();
  }

  place() {
    if (!this.span) return;
    const { cursor, before, after } = this.parts;
    const { width } = this;
    const x = second => Math.min(Math.max((second - this.span[0]) / (this.span[1] - this.span[0]), 0), 1) * width;
    cursor.style.transform = `translateX(${LEGEND + x(this.second)}px)`;
    const [first, last] = this.marks.cut || [this.span[0], this.span[1]];
    before.style.transform = `translateX(${LEGEND}px)`;
    before.style.width = `${x(first)}px`;
    after.style.transform = `translateX(${LEGEND + x(last)}px)`;
    after.style.width = `${width - x(last)}px`;
  }

  draw() {
    if (!this.span) return;
    // Read once and not while the cursor moves: each time the whole page would be laid out.
    const { lanes, cursor, before, after } = this.parts;
    this.width = Math.max(lanes.clientWidth - LEGEND, 1);
    const height = `${lanes.scrollHeight}px`;
    for (const each of [cursor, before, after]) each.style.height = height;
    for (const lane of this.lanes) lane.draw(this.span);
    const last = this.parts.lanes.lastElementChild;
    if (last?.classList.contains("axis")) drawAxis(last.lastElementChild, this.span);
    this.place();
    this.drawSoon();
  }

  drawOverview() {
    const drawing = this.whole && cleared(this.parts.overview);
    if (!drawing) return;
    const { context, width, height, style } = drawing;
    const x = second => second / this.whole[1] * width;
    context.fillStyle = style.getPropertyValue("--track");
    context.fillRect(0, height / 2 - 4, width, 8);
    context.fillStyle = style.getPropertyValue("--accent");
    const [first, last] = this.marks.cut || this.whole;
    context.fillRect(x(first), height / 2 - 4, Math.max(x(last) - x(first), 1), 8);
    for (const { second, severity } of this.marks.findings) {
      context.fillStyle = style.getPropertyValue(severity === "error" ? "--bad" : "--poor");
      context.fillRect(x(second) - 1, 1, 3, 6);
    }
    context.strokeStyle = style.color;
    context.lineWidth = 1;
    context.strokeRect(x(this.span[0]) + 0.5, 1.5, Math.max(x(this.span[1]) - x(this.span[0]) - 1, 1), height - 3);
    context.fillStyle = style.color;
    context.fillRect(x(this.second) - 1, 0, 2, height);
  }
}

function axis() {
  const root = document.createElement("div");
  root.className = "lane axis";
  root.append(made("div", ""), document.createElement("canvas"));
  root.firstChild.className = "legend";
  return root;
}

function drawAxis(canvas, span) {
  const drawing = cleared(canvas);
  if (!drawing) return;
  const { context, width, style } = drawing;
  const step = nice((span[1] - span[0]) / Math.max(width / 90, 1));
  context.fillStyle = style.color;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "top";
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  for (let number = Math.ceil(span[0] / step), left = 100; number * step <= span[1] && left; number += 1, left -= 1) {
    const x = (number * step - span[0]) / (span[1] - span[0]) * width;
    context.fillRect(x, 0, 1, 4);
    context.fillText(`${(number * step).toFixed(digits)} s`, x + 3, 3);
  }
}
