// Which fields are drawn together, and one lane each: its name, its legend with the numbers at the cursor, its plot.

import { made } from "./dom.js";
import { COLOURS, brief, drawLines, drawStrip, wordOf } from "./plot.js";

const MOST_DRAWN = 64;
const MOST_SHOWN = 12;
const LEAST_HEIGHT = 86;
const LINE_HEIGHT = 16;
const FORCES = /N/;

/**
 * The lanes of a store's fields: flags first, then what is commanded beside what is measured, then the rest.
 * @param {object[]} fields of the store.
 * @returns {object[]} {title, unit, rank, strip, traces: [{number, field, first, size, dashed, names}]}
 */
export function lanesOf(fields) {
  const lanes = [];
  const paired = new Set();
  const observed = new Map();
  fields.forEach((field, number) => {
    if (field.role === "observation" && field.kind === "numbers") observed.set(field.name, number);
  });
  fields.forEach((field, number) => {
    if (field.role !== "action" || field.kind !== "numbers") return;
    let first = 0;
    const parts = field.parts.length ? field.parts : [[field.name, sizeOf(field), field.unit]];
    for (const [name, size, unit] of parts) {
      const traces = [{ number, field, first, size, dashed: true, names: componentNames(size, unit) }];
      const measured = observed.get(name);
      if (measured !== undefined && sizeOf(fields[measured]) === size) {
        traces.unshift({ number: measured, field: fields[measured], first: 0, size, dashed: false, names: componentNames(size, unit) });
        paired.add(measured);
      }
      lanes.push(...byUnit(name, unit, traces, 1));
      first += size;
    }
  });
  fields.forEach((field, number) => {
    if (["flag", "choice", "bits"].includes(field.kind)) {
      const known = ["intervention", "actor", "quality", "subtask"].includes(field.name);
      lanes.push({ title: field.name, unit: "", rank: known ? 0 : 4, strip: true, traces: [{ number, field, first: 0, size: 1, dashed: false, names: [""] }] });
    } else if (field.kind === "numbers" && field.role !== "action" && !paired.has(number)) {
      const names = componentNames(sizeOf(field), field.unit);
      const rank = FORCES.test(field.unit) ? 2 : { observation: 3, column: 4 }[field.role] ?? 5;
      const title = field.role === "stream" ? `${field.name} (stream)` : field.name;
      lanes.push(...byUnit(title, field.unit, [{ number, field, first: 0, size: sizeOf(field), dashed: false, names }], rank));
    }
  });
  return lanes.map((lane, order) => ({ ...lane, order })).sort((a, b) => a.rank - b.rank || a.order - b.order);
}

function sizeOf(field) {
  return field.shape.reduce((product, each) => product * each, 1);
}

/** A lane for each unit: newtons and newton metres have no common scale. */
function byUnit(title, units, traces, rank) {
  const listed = units.split(" ");
  const { size } = traces[0];
  if (listed.length !== size || new Set(listed).size === 1) {
    return [{ title, unit: listed.length === size || listed.length === 1 ? listed[0] : "", rank, strip: false, traces }];
  }
  const lanes = [];
  for (let from = 0; from < size;) {
    let to = from + 1;
    while (to < size && listed[to] === listed[from]) to += 1;
    const part = traces.map(each => ({ ...each, first: each.first + from, size: to - from, names: each.names.slice(from, to) }));
    lanes.push({ title, unit: listed[from], rank, strip: false, traces: part });
    from = to;
  }
  return lanes;
}

function componentNames(size, unit) {
  if (size === 1) return [""];
  const units = new Set(unit.split(" "));
  if (size === 3 && (units.has("m") || units.has("N") || units.has("m/s"))) return ["x", "y", "z"];
  if (size === 6 && units.has("N") && units.size === 2) return ["x", "y", "z", "x", "y", "z"];
  return Array.from({ length: size }, (_, number) => String(number));
}

/** One lane on the screen. */
export class Lane {
  /** @param {object} lane of `lanesOf`. */
  constructor(lane) {
    this.lane = lane;
    this.series = new Map();
    this.hidden = new Set();
    this.root = document.createElement("div");
    this.root.className = lane.strip ? "lane strip" : "lane";
    this.legend = document.createElement("div");
    this.legend.className = "legend";
    this.canvas = document.createElement("canvas");
    const name = made("b", lane.title);
    name.title = lane.title;
    this.legend.append(name);
    if (lane.unit && lane.unit !== "1") this.legend.append(made("i", `[${lane.unit}]`));
    this.odd = made("em");
    this.legend.append(this.odd);
    this.cells = this.addCells();
    const lines = lane.traces.reduce((sum, each) => sum + Math.ceil(Math.min(each.size, MOST_SHOWN) / 3), 0);
    if (!lane.strip) this.root.style.height = `${Math.max(LEAST_HEIGHT, 40 + LINE_HEIGHT * lines)}px`;
    this.root.append(this.legend, this.canvas);
  }

  /** A cell for each component that is shown, with the number at the cursor. */
  addCells() {
    const cells = [];
    for (const trace of this.lane.traces) {
      const table = document.createElement("span");
      table.className = "cells";
      this.legend.append(table);
      for (let component = 0; component < Math.min(trace.size, MOST_DRAWN - trace.first); component += 1) {
        const key = `${trace.number}.${trace.first + component}`;
        const colour = COLOURS[component % COLOURS.length];
        const cell = document.createElement("button");
        cell.type = "button";
        const swatch = made("span");
        swatch.className = trace.dashed ? "swatch dashed" : "swatch";
        swatch.style.borderTopColor = colour;
        const number = made("span", "");
        if (!this.lane.strip) cell.append(swatch, made("span", trace.names[component] || ""), number);
        else cell.append(number);
        cell.title = `${trace.dashed ? "action" : trace.field.name}: click to hide or show`;
        cell.addEventListener("click", () => this.toggle(key, cell));
        if (component < MOST_SHOWN) table.append(cell);
        cells.push({ key, trace, component: trace.first + component, colour, number });
      }
    }
    const size = Math.max(...this.lane.traces.map(each => each.size));
    if (size > MOST_SHOWN) this.legend.append(made("small", `${size} numbers${size > MOST_DRAWN ? `, ${MOST_DRAWN} drawn` : ""}`));
    if (this.lane.traces.some(each => each.dashed) && this.lane.traces.length > 1) this.legend.append(made("small", "dashed: action"));
    return cells;
  }

  toggle(key, cell) {
    if (this.hidden.delete(key)) cell.classList.remove("off");
    else {
      this.hidden.add(key);
      cell.classList.add("off");
    }
    this.draw(this.span);
  }

  /** Takes the series of a field of it. */
  take(number, series) {
    this.series.set(number, series);
    const odd = [...this.series.values()].reduce((sum, each) => sum + each.odd, 0);
    this.odd.textContent = odd ? `${odd} not finite` : "";
    if (series.partly) this.odd.textContent += " thinned out";
  }

  fail(problem) {
    this.odd.textContent = problem;
    this.odd.title = problem;
  }

  draw(span) {
    this.span = span;
    if (!span) return;
    if (this.lane.strip) {
      const [trace] = this.lane.traces;
      const series = this.series.get(trace.number);
      if (series) drawStrip(this.canvas, series, trace.field, span);
      return;
    }
    const lines = this.cells
      .filter(each => !this.hidden.has(each.key) && this.series.has(each.trace.number))
      .map(({ trace, component, colour }) => ({ series: this.series.get(trace.number), component, colour, dashed: trace.dashed }));
    drawLines(this.canvas, lines, span);
  }

  /** Shows exact numbers, by number of the field; words come from the process, so that none is rounded. */
  showValues(values) {
    for (const { trace, component, number } of this.cells) {
      const word = values.get(trace.number)?.[component];
      if (word === undefined) {
        number.textContent = "";
        continue;
      }
      const { kind } = trace.field;
      if (kind === "flag") number.textContent = word === "True" ? "yes" : "no";
      else if (this.lane.strip) number.textContent = wordOf(trace.field, Number(word)) || word;
      else number.textContent = brief(Number(word.replace("inf", "Infinity")));
      number.title = word;
    }
  }
}
