// Numbers beside the images: who drives, the plan of the day, disk, streams, last takes.

import { element, made } from "./dom.js";

const FEW_MINUTES = 10;
const rows = element("streams").tBodies[0];

/** Shows the facts of a state, as `real/page/view.py` makes it. */
export function showFacts(state) {
  element("summary").replaceChildren(...list(summary(state)));
  element("recording").replaceChildren(...list(state.recorder ? recording(state.recorder) : [["recorder", "not heard"]]));
  rows.replaceChildren(...state.streams.map(streamRow));
  element("verdicts").replaceChildren(...state.verdicts.map(text => made("li", text)));
  const ill = state.processes.map(each => made("li", `${each.name}: ${each.text}`, each.level));
  element("processes").replaceChildren(...(ill.length ? ill : [made("li", "all well")]));
}

function summary(state) {
  const lines = [["drives", state.driver], ["enable", state.enable], ["gate", state.gate]];
  const { plan, recorder } = state;
  if (plan) {
    lines.push(["done", plan.goal ? `${plan.done} of ${plan.goal}` : `${plan.done}`]);
    lines.push(["per hour", plan.per_hour === null ? "-" : plan.per_hour.toFixed(0)]);
  }
  if (recorder) {
    const minutes = recorder.disk_minutes;
    const level = minutes !== null && minutes < FEW_MINUTES ? "error" : "";
    lines.push(["disk", minutes === null ? "-" : `${Math.floor(minutes)} min left`, level]);
  }
  return lines;
}

function recording(recorder) {
  const names = ["label", "instruction", "task", "store", "seed", "rows", "discarded"];
  return names.filter(name => recorder[name] !== "").map(name => [name, `${recorder[name]}`]);
}

function list(lines) {
  return lines.flatMap(([name, text, level]) => [made("dt", name), made("dd", text, level)]);
}

function streamRow(stream) {
  const row = made("tr", "", stream.level === "ok" ? "" : stream.level);
  const cells = [stream.name, stream.rate_hz.toFixed(0), age(stream.age_s), stream.drops ?? "-"];
  row.append(...cells.map(text => made("td", `${text}`)));
  return row;
}

function age(seconds) {
  if (seconds === null) return "never";
  return seconds < 1 ? `${(seconds * 1000).toFixed(0)} ms` : `${seconds.toFixed(1)} s`;
}
