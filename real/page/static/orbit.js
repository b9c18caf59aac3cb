// A view that turns about a point: drag, wheel, arrow keys.

const NEAREST = 0.3;
const FARTHEST = 6;
const STEEPEST = 1.5;
const STEP = 0.1;

export class Orbit {
  /**
   * @param {HTMLCanvasElement} canvas that is dragged.
   * @param {() => void} changed is called when the view is another one.
   */
  constructor(canvas, changed) {
    this.changed = changed;
    this.reset();
    canvas.addEventListener("pointerdown", event => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", event => {
      if (event.buttons) this.turn(-event.movementX * 0.008, event.movementY * 0.008);
    });
    canvas.addEventListener("wheel", event => {
      event.preventDefault();
      this.zoom(Math.exp(event.deltaY * 0.001));
    }, { passive: false });
    canvas.addEventListener("dblclick", () => this.reset());
    canvas.addEventListener("keydown", event => this.key(event));
  }

  reset() {
    this.at = [0.35, 0, 0.25];
    this.yaw = -0.7;
    this.pitch = 0.45;
    this.distance = 2.1;
    this.changed();
  }

  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.min(Math.max(this.pitch + pitch, -0.2), STEEPEST);
    this.changed();
  }

  zoom(factor) {
    this.distance = Math.min(Math.max(this.distance * factor, NEAREST), FARTHEST);
    this.changed();
  }

  key(event) {
    const turns = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (turns[event.key]) this.turn(...turns[event.key]);
    else if (event.key === "+") this.zoom(1 - STEP);
    else if (event.key === "-") this.zoom(1 + STEP);
    else return;
    event.preventDefault();
  }

  /** Where the eye is. */
  get eye() {
    const flat = this.distance * Math.cos(this.pitch);
    return [
      this.at[0] + flat * Math.cos(this.yaw),
      this.at[1] + flat * Math.sin(this.yaw),
      this.at[2] + this.distance * Math.sin(this.pitch),
    ];
  }
}
