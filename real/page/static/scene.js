// The robot and a twin's objects: triangles once, poses as they come; drawn when something has changed.

import { fromRows, lookAt, perspective, times } from "./matrices.js";
import { Mesh } from "./mesh.js";
import { Orbit } from "./orbit.js";
import { linkProgram } from "./shading.js";

const VIEW_ANGLE = 0.75;

export class SceneView {
  /**
   * @param {HTMLCanvasElement} canvas that is drawn on.
   * @param {HTMLElement} note that says why nothing is.
   * @param {string} absent says it where there are no poses.
   */
  constructor(canvas, note, absent = "no joint of the robot is heard") {
    this.canvas = canvas;
    this.note = note;
    this.absent = absent;
    this.meshes = new Map();
    this.poses = new Map();
    this.due = false;
    this.gl = canvas.getContext("webgl2", { antialias: true });
    if (!this.gl) {
      note.textContent = "this browser draws no WebGL 2: the robot is not shown";
      return;
    }
    note.textContent = "the robot is not drawn yet";
    this.prepare();
    canvas.addEventListener("webglcontextlost", event => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => this.prepare());
    this.orbit = new Orbit(canvas, () => this.draw());
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Makes what the graphics card holds; again after it has lost it. */
  prepare() {
    this.program = linkProgram(this.gl);
    for (const mesh of this.meshes.values()) mesh.upload(this.gl, this.program);
    this.draw();
  }

  /** Takes the triangles of a scene, as `real/page/geometry.py` packs them. */
  setScene(number, body) {
    if (!this.gl) return;
    this.meshes.get(number)?.free(this.gl);
    const mesh = new Mesh(body);
    mesh.upload(this.gl, this.program);
    this.meshes.set(number, mesh);
    this.draw();
  }

  /** Takes the poses of the bodies of a scene. */
  setPoses(number, body) {
    this.poses.set(number, new Float32Array(body.buffer, body.byteOffset, body.byteLength / 4));
    this.draw();
  }

  /** Draws with the next picture of the screen. */
  draw() {
    if (this.due || !this.gl || !this.orbit) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.drawNow();
    });
  }

  drawNow() {
    const { gl, canvas, program } = this;
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale].map(Math.round);
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.useProgram(program.handle);
    const { eye, at } = this.orbit;
    const view = times(perspective(VIEW_ANGLE, width / height, 0.02, 20), lookAt(eye, at));
    gl.uniformMatrix4fv(program.view, false, view);
    gl.uniform3fv(program.eye, eye);
    let drawn = 0;
    for (const [number, mesh] of this.meshes) {
      const poses = this.poses.get(number);
      if (poses && poses.length === mesh.bodies.length * 12) {
        mesh.draw(gl, index => gl.uniformMatrix4fv(program.pose, false, fromRows(poses, 12 * index)));
        drawn += 1;
      }
    }
    this.note.textContent = drawn ? "" : this.absent;
  }
}
