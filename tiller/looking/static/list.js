// All episodes as cards: only those in sight exist as elements, and only they ask for their picture.

import { Queue } from "./api.js";
import { element, made, setText } from "./dom.js";
import { Camera, thumbnail } from "./frames.js";
import { COLOURS, drawLines, fetchSeries } from "./plot.js";

const CARD_HEIGHT = 92;
const CARD_WIDTH = 330;
const SPARE_ROWS = 3;
const MOST_KEPT = 600;
const SPARK_POINTS = 120;

export class List {
  /** @param {(episode: number) => void} open is called with the episode that is chosen. */
  constructor(open) {
    this.open = open;
    this.root = element("cards");
    this.space = element("cards-space");
    this.cards = new Map();
    this.shown = [];
    this.current = -1;
    this.queue = new Queue(4);
    this.root.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.root);
  }

  /** Shows the episodes of a store. */
  setStore(store) {
    this.store = store;
    for (const card of this.cards.values()) card.root.remove();
    this.cards.clear();
    this.root.scrollTop = 0;
  }

  /** Shows these episodes, in this order. */
  show(episodes) {
    this.shown = episodes;
    this.places = new Map(episodes.map((episode, place) => [episode, place]));
    this.draw();
  }

  get columns() {
    return Math.max(Math.floor(this.root.clientWidth / CARD_WIDTH), 1);
  }

  draw() {
    const { columns } = this;
    const lines = Math.ceil(this.shown.length / columns);
    this.space.style.height = `${lines * CARD_HEIGHT}px`;
    const first = Math.max(Math.floor(this.root.scrollTop / CARD_HEIGHT) - SPARE_ROWS, 0);
    const last = Math.ceil((this.root.scrollTop + this.root.clientHeight) / CARD_HEIGHT) + SPARE_ROWS;
    const near = new Set(this.shown.slice(first * columns, last * columns));
    for (const [episode, card] of this.cards) {
      if (near.has(episode)) continue;
      card.root.remove();
      if (this.cards.size > MOST_KEPT) this.cards.delete(episode);
    }
    const width = this.root.clientWidth / columns;
    for (const episode of near) {
      const card = this.cards.get(episode) ?? this.add(episode);
      const place = this.places.get(episode);
      card.root.style.transform = `translate(${(place % columns) * width}px, ${Math.floor(place / columns) * CARD_HEIGHT}px)`;
      card.root.style.width = `${width}px`;
      if (!card.root.isConnected) this.space.append(card.root);
      card.root.setAttribute("aria-selected", episode === this.current);
      this.fill(card, episode);
      this.ask(card, episode);
    }
  }

  add(episode) {
    const root = document.createElement("article");
    root.setAttribute("role", "option");
    root.dataset.episode = episode;
    const picture = document.createElement("div");
    picture.className = "picture";
    const text = document.createElement("div");
    const head = made("b", `#${episode}`);
    const chips = document.createElement("span");
    chips.className = "chips";
    const words = made("p");
    text.append(head, chips, words);
    root.append(picture, text);
    root.addEventListener("click", () => this.open(episode));
    const card = { root, picture, head, chips, words, sent: false };
    this.cards.set(episode, card);
    return card;
  }

  /** Writes what is known of an episode now. */
  fill(card, episode) {
    const { store } = this;
    const seconds = store.seconds(episode);
    setText(card.head, `#${episode}  ${seconds.toFixed(1)} s`);
    const text = store.text(episode, "instruction") || store.text(episode, "verdict") || store.text(episode, "source");
    setText(card.words, store.marks.at(episode).instruction ?? text);
    card.words.title = text;
    const chips = store.chips(episode);
    const key = JSON.stringify(chips);
    if (card.key === key) return;
    card.key = key;
    card.chips.replaceChildren(...chips.map(({ text: word, level }) => made("span", word, level)));
  }

  ask(card, episode) {
    if (card.sent || !this.store.ready) return;
    card.sent = true;
    const { store } = this;
    const gone = () => {
      if (card.root.isConnected && this.store === store) return false;
      card.sent = false;
      return true;
    };
    this.queue.add(() => this.picture(card, episode, store), gone);
  }

  async picture(card, episode, store) {
    const rows = store.episodes.rows[episode];
    const of = { ...store.of, episode };
    if (!rows) return card.picture.replaceChildren(made("small", "no rows"));
    const [camera] = store.cameras;
    if (camera) {
      const drawn = new Camera(camera.field);
      await thumbnail(drawn, of, camera.number, Math.floor(rows / 2));
      if (drawn.figure.dataset.level === "error" && !drawn.canvas.width) return card.picture.replaceChildren(made("small", "no picture"));
      card.picture.replaceChildren(drawn.canvas);
      return document.dispatchEvent(new CustomEvent("thumbnail"));
    }
    if (store.line === undefined) return undefined;
    const canvas = document.createElement("canvas");
    canvas.className = "spark";
    card.picture.replaceChildren(canvas);
    const series = await fetchSeries(of, store.line, SPARK_POINTS, null);
    const last = series.seconds[series.seconds.length - 1] || 1;
    const lines = series.low.slice(0, COLOURS.length).map((_, component) => ({ series, component, colour: COLOURS[component], dashed: false }));
    drawLines(canvas, lines, [0, last], false);
    return undefined;
  }

  /** Marks an episode as the one that is open, and has it in sight. */
  select(episode) {
    this.current = episode;
    const place = this.places?.get(episode);
    if (place !== undefined) {
      const top = Math.floor(place / this.columns) * CARD_HEIGHT;
      const { scrollTop, clientHeight } = this.root;
      if (top < scrollTop || top + CARD_HEIGHT > scrollTop + clientHeight) this.root.scrollTop = top - clientHeight / 3;
    }
    this.draw();
  }

  /** The episode so many places after one; undefined beyond the ends. */
  beside(episode, step) {
    const place = this.places?.get(episode);
    return place === undefined ? this.shown[0] : this.shown[place + step];
  }
}
