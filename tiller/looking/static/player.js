// The cursor of an episode: a row and its time, moved by a person or by the clock.

export const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4, 8];

export class Player {
  /** @param {() => void} moved is called when the row, or what plays, is another one. */
  constructor(moved) {
    this.moved = moved;
    this.rows = 0;
    this.row = 0;
    this.second = 0;
    this.speed = 1;
    this.playing = false;
  }

  /** Takes an episode: its rows, and the time of every `step`-th of them. */
  open({ rows, seconds, step, last, period_s: period }) {
    Object.assign(this, { rows, seconds, step, last, period });
    this.playing = false;
    this.go(0);
  }

  /** The time of a row; between those that are known it is interpolated. */
  at(row) {
    const place = Math.floor(row / this.step);
    const from = this.seconds[place];
    if (from === undefined) return row * this.period;
    const next = this.seconds[place + 1] ?? this.last;
    const count = Math.min(this.step, this.rows - 1 - place * this.step) || 1;
    return this.step === 1 ? from : from + (next - from) * (row - place * this.step) / count;
  }

  /** The newest row at a time. */
  rowAt(second) {
    let [low, high] = [0, this.rows - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.at(middle) <= second + 1e-9) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  go(row) {
    this.row = Math.min(Math.max(row, 0), Math.max(this.rows - 1, 0));
    this.second = this.rows ? this.at(this.row) : 0;
    this.moved();
  }

  /** Goes to the row nearest to a time. */
  seek(second) {
    const row = this.rowAt(second);
    const next = Math.min(row + 1, this.rows - 1);
    this.go(this.at(next) - second < second - this.at(row) ? next : row);
  }

  by(rows) {
    this.playing = false;
    this.go(this.row + rows);
  }

  toggle() {
    if (!this.rows) return;
    this.playing = !this.playing;
    if (this.playing) {
      if (this.row >= this.rows - 1) this.go(0);
      this.clock = performance.now();
      requestAnimationFrame(now => this.tick(now));
    }
    this.moved();
  }

  tick(now) {
    if (!this.playing) return;
    this.second += Math.max(now - this.clock, 0) / 1000 * this.speed;
    this.clock = now;
    const row = this.rowAt(this.second);
    if (row >= this.rows - 1) this.playing = false;
    if (row !== this.row || !this.playing) {
      this.row = row;
      this.moved();
    }
    requestAnimationFrame(next => this.tick(next));
  }

  /** Another speed, so many places further in the list of them. */
  faster(places) {
    const at = SPEEDS.indexOf(this.speed) + places;
    this.speed = SPEEDS[Math.min(Math.max(at, 0), SPEEDS.length - 1)];
    this.moved();
  }
}
