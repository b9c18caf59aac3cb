// Elements by text alone: every name and every word that is shown may have come from anybody.

/** The element of an id that the page has. */
export function element(id) {
  return document.getElementById(id);
}

/** A new element with a text and, where given, a level that its style shows. */
export function made(tag, text = "", level = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  if (level) node.dataset.level = level;
  return node;
}

/** Sets a text where it has changed: a screen reader speaks of changes. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
