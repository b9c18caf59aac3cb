// Drawing of one lane: lines of numbers, strips of flags and of choices.

import { askBytes } from "./api.js";

export const COLOURS = ["#3b82f6", "#e5484d", "#2b9a5b", "#d98e04", "#8b5cf6", "#0c98b4", "#d6409f", "#7d8590"];
const HEAD = 32;
const LINE = 1.4;

/** Fetches the series of a field: {seconds, low, high, entries, first, stop, partly, odd}; low and high per component. */
export async function fetchSeries(of, field, points, span, signal) {
  const query = { ...of, field, points };
  if (span) Object.assign(query, { from: span[0].toFixed(6), to: span[1].toFixed(6) });
  const packed = await askBytes("/series", query, signal);
  const view = new DataView(packed);
  const [count, components, entries, first, stop, bits, odd] = [0, 1, 2, 3, 4, 5, 6].map(at => view.getUint32(4 * at, true));
  const rows = new Float32Array(packed, HEAD);
  const at = number => rows.subarray(number * count, (number + 1) * count);
  const low = Array.from({ length: components }, (_, number) => at(1 + number));
  const high = bits & 1 ? low : Array.from({ length: components }, (_, number) => at(1 + components + number));
  return { seconds: at(0), low, high, entries, first, stop, single: Boolean(bits & 1), partly: Boolean(bits & 2), odd };
}

/** A canvas of its size on the screen, cleared; null where it is not on it. */
export function cleared(canvas) {
  const scale = Math.min(window.devicePixelRatio || 1, 2);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width || !height) return null;
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height, style: getComputedStyle(canvas) };
}

/**
 * Draws the lines of a lane.
 * @param {HTMLCanvasElement} canvas of it.
 * @param {{series: object, component: number, colour: string, dashed: boolean}[]} lines that are shown.
 * @param {number[]} span of time, s.
 * @param {boolean} labelled whether numbers stand at the side.
 */
export function drawLines(canvas, lines, span, labelled = true) {
  const drawing = cleared(canvas);
  if (!drawing) return;
  const { context, width, height } = drawing;
  const [least, most] = bounds(lines, span);
  const x = second => (second - span[0]) / (span[1] - span[0]) * width;
  const y = value => height - 4 - (value - least) / (most - least) * (height - 8);
  if (labelled) grid(drawing, least, most, y);
  context.lineWidth = LINE;
  context.lineJoin = "round";
  for (const { series, component, colour, dashed } of lines) {
    const [low, high] = [series.low[component], series.high[component]];
    if (!low) continue;
    context.strokeStyle = colour;
    context.setLineDash(dashed ? [5, 4] : []);
    context.beginPath();
    let pen = false;
    for (let at = 0; at < low.length; at += 1) {
      const [bottom, top] = [low[at], high[at]];
      if (!Number.isFinite(bottom) || !Number.isFinite(top)) {
        pen = false;
        continue;
      }
      const place = x(series.seconds[at]);
      if (pen) context.lineTo(place, y(bottom));
      else context.moveTo(place, y(bottom));
      if (top !== bottom) context.lineTo(place, y(top));
      else if (low.length === 1) context.lineTo(place + 2, y(bottom));
      pen = true;
    }
    context.stroke();
  }
  context.setLineDash([]);
}

/** Lines at round numbers, with these beside them. */
function grid({ context, width, height, style }, least, most, y) {
  const step = nice((most - least) / (height < 60 ? 2 : 4));
  const digits = Math.min(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), 20);
  context.font = "10px system-ui, sans-serif";
  context.textBaseline = "bottom";
  context.strokeStyle = style.borderTopColor;
  context.fillStyle = style.color;
  context.lineWidth = 1;
  context.beginPath();
  for (let number = Math.ceil(least / step), left = 12; number * step <= most && left; number += 1, left -= 1) {
    const place = Math.round(y(number * step)) + 0.5;
    context.moveTo(0, place);
    context.lineTo(width, place);
    const value = number * step;
    const word = Math.abs(value) >= 1e6 || (step < 1e-4 && value) ? value.toExponential(1) : value.toFixed(digits);
    if (place > 11) context.fillText(word, 3, place - 1);
  }
  context.stroke();
}

/** The least and the most of lines within a span, with some room; what is not finite does not count. */
function bounds(lines, span) {
  let [least, most] = [Infinity, -Infinity];
  for (const { series, component } of lines) {
    const [low, high] = [series.low[component] || [], series.high[component] || []];
    for (let at = 0; at < low.length; at += 1) {
      if (series.seconds[at + 1] < span[0] || series.seconds[at - 1] > span[1]) continue;
      if (low[at] < least && Number.isFinite(low[at])) least = low[at];
      if (high[at] > most && Number.isFinite(high[at])) most = high[at];
    }
  }
  if (!(least <= most)) return [-1, 1];
  const room = (most - least) * 0.06 || Math.abs(least) * 0.05 || 0.5;
  return [least - room, most + room];
}

/** Draws flags where they are set, and choices by their colour and word. */
export function drawStrip(canvas, series, field, span) {
  const drawing = cleared(canvas);
  if (!drawing) return;
  const { context, width, height, style } = drawing;
  const x = second => (second - span[0]) / (span[1] - span[0]) * width;
  const values = series.high[0] || [];
  const last = series.seconds.length > 1 ? series.seconds[series.seconds.length - 1] - series.seconds[series.seconds.length - 2] : span[1];
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (let at = 0; at < values.length;) {
    let end = at + 1;
    while (end < values.length && values[end] === values[at]) end += 1;
    const from = x(series.seconds[at]);
    const to = x(end < values.length ? series.seconds[end] : series.seconds[end - 1] + last);
    const shown = field.kind === "flag" || field.kind === "bits" ? values[at] > 0 : Number.isFinite(values[at]);
    if (shown) {
      const word = wordOf(field, values[at]);
      context.fillStyle = field.kind === "flag" ? style.getPropertyValue("--flag") : COLOURS[Math.abs(values[at]) % COLOURS.length];
      context.fillRect(from, 3, Math.max(to - from, 1.5), height - 6);
      if (word && to - from > 5 + context.measureText(word).width) {
        context.fillStyle = "#ffffff";
        context.fillText(word, from + 4, height / 2 + 0.5);
      }
    }
    at = end;
  }
}

/** The word of a choice, or those of the bits that are set. */
export function wordOf(field, value) {
  if (field.kind === "flag") return "";
  if (field.kind === "choice") return field.choices[value] ?? String(value);
  return Object.entries(field.choices).filter(([bit]) => bit > 0 && value & bit).map(([, word]) => word).join(" + ");
}

/** A number in few characters. */
export function brief(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

/** A round step of about this size. */
export function nice(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].map(each => each * power).find(each => each >= size) || power;
}
