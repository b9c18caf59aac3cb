// Starts the page: a session for the token, a socket, and each kind of message to what shows it.

import { showBanner } from "./banner.js";
import { Cameras } from "./cameras.js";
import { connect } from "./connection.js";
import { element } from "./dom.js";
import { showFacts } from "./facts.js";
import { KINDS } from "./rounds.js";
import { SceneView } from "./scene.js";
import { enter } from "./session.js";

const SILENT_MS = 2000;

const cameras = new Cameras(element("cameras"));
const scene = new SceneView(element("scene-canvas"), element("scene-note"));
let heard = -Infinity;
let problem = "connecting";

/** Shows the parts of a round; resolves when all images are on the screen. */
async function show(parts) {
  await Promise.all(parts.map(part => {
    if (part.kind === KINDS.state) return showState(JSON.parse(new TextDecoder().decode(part.body)));
    if (part.kind === KINDS.camera) return cameras.show(part.number, part.sequence, part.body);
    if (part.kind === KINDS.scene) return scene.setScene(part.number, part.body);
    if (part.kind === KINDS.poses) return scene.setPoses(part.number, part.body);
    return undefined;
  }));
}

function showState(state) {
  heard = performance.now();
  showBanner(state.banner.state, state.banner.text, state.banner.detail);
  document.title = `${state.banner.text} - ${state.robot}`;
  cameras.setNames(state.cameras);
  showFacts(state);
}

/** What is old is not shown as if it were now. */
function watch() {
  cameras.watch();
  if (performance.now() - heard > SILENT_MS) showBanner("lost", "no contact with the page's process", problem);
}

setInterval(watch, 250);
problem = await enter();
if (!problem) {
  connect(show, reason => {
    problem = reason;
    watch();
  });
}
watch();
