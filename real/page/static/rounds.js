// A round from its bytes; the layout is in `real/page/serving/rounds.py`.

export const KINDS = { state: 0, camera: 1, scene: 2, poses: 3 };

const HEAD = 8;
const PART = 24;

/** The number of a round and its parts; bodies are views on the bytes. */
export function unpackRound(buffer) {
  const view = new DataView(buffer);
  const number = view.getUint32(0, true);
  const parts = [];
  let place = HEAD;
  for (let count = view.getUint32(4, true); count > 0; count -= 1) {
    const length = view.getUint32(place + 16, true);
    parts.push({
      kind: view.getUint8(place),
      number: view.getUint8(place + 1),
      sequence: view.getUint32(place + 4, true),
      stamp: view.getFloat64(place + 8, true),
      body: new Uint8Array(buffer, place + PART, length),
    });
    place += PART + length + (8 - length % 8) % 8;
  }
  return { number, parts };
}
