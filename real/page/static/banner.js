// The one state of the whole, large.

import { element, setText } from "./dom.js";

const banner = element("banner");
const text = element("banner-text");
const detail = element("banner-detail");

/** Shows a state by its colour, its words and a detail. */
export function showBanner(state, words, more) {
  banner.dataset.state = state;
  setText(text, words);
  setText(detail, more);
}
