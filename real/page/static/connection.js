// The socket: rounds come, each is answered when it is on the screen. The server sends no more before.

import { unpackRound } from "./rounds.js";

const AGAIN_MS = 1000;
const FULL = 4001;

/**
 * Keeps a socket open for as long as the page is.
 * @param {(parts: object[]) => Promise<void>} show shows the parts of a round.
 * @param {(reason: string) => void} lost is called with the reason when the socket is closed.
 */
export function connect(show, lost) {
  const socket = new WebSocket(`ws://${location.host}/socket`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = async event => {
    const { number, parts } = unpackRound(event.data);
    try {
      await show(parts);
    } catch (error) {
      console.error(error);
    }
    if (socket.readyState === WebSocket.OPEN) socket.send(new Uint32Array([number]));
  };
  socket.onclose = event => {
    lost(event.reason || "the connection has ended; trying again");
    setTimeout(() => connect(show, lost), event.code === FULL ? 5 * AGAIN_MS : AGAIN_MS);
  };
}
