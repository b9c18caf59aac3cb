// Requests to the process of the page: numbers alone go out, JSON or binary comes back.

/** A request that was refused, or that did not get through (`status` 0). */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem);
    this.status = status;
  }
}

async function ask(path, query, options) {
  let response;
  try {
    response = await fetch(`${path}?${new URLSearchParams(query)}`, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "the page's process does not answer");
  }
  if (!response.ok) throw new Refused(response.status, (await response.text()).trim() || `status ${response.status}`);
  return response;
}

/** The JSON at a path. */
export async function askJson(path, query = {}, signal = undefined) {
  return (await ask(path, query, { signal })).json();
}

/** The bytes at a path; null where there are words instead. `words` is called with these, or with a note that comes along. */
export async function askBytes(path, query, signal = undefined, words = () => {}) {
  const response = await ask(path, query, { signal });
  const note = response.headers.get("X-Note");
  if (note) words({ note: decodeURIComponent(note) });
  if ((response.headers.get("Content-Type") || "").startsWith("application/json")) {
    words(await response.json());
    return null;
  }
  return response.arrayBuffer();
}

/** Sends JSON; returns the JSON that comes back. */
export async function send(path, query, body = null) {
  const headers = { "Content-Type": "application/json" };
  return (await ask(path, query, { method: "POST", headers, body: JSON.stringify(body), keepalive: true })).json();
}

/** Runs at most so many of the things that it is given at once; the newest that wait go first. */
export class Queue {
  constructor(most) {
    this.most = most;
    this.running = 0;
    this.waiting = [];
  }

  /** Runs `act` when there is room; one that is `gone()` by then is left out. */
  add(act, gone = () => false) {
    this.waiting.push({ act, gone });
    this.next();
  }

  next() {
    while (this.running < this.most && this.waiting.length) {
      const { act, gone } = this.waiting.pop();
      if (gone()) continue;
      this.running += 1;
      act().catch(error => console.warn(error.message)).finally(() => {
        this.running -= 1;
        this.next();
      });
    }
  }
}
