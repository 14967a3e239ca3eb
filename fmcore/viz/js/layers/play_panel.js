// The stage of the playground: where the network is wrong, its field, the particles that it carries,
// and the shape that they should form.

import { draw } from "../flow/random.js";
import { Run } from "../flow/run.js";
import { exactField } from "../train/exact.js";
import { Draws } from "../train/pairs.js";
import { make, setText } from "../ui/controls.js";
import { Camera } from "./camera.js";
import { channels, circle, dots, fade, Layer } from "./draw.js";
import { FieldLayer } from "./field_layer.js";
import { drawScales, drawTarget } from "./ground_layer.js";
import { ParticleLayer } from "./particle_layer.js";

/** @typedef {import("../train/tab.js").PlaySpec} PlaySpec */
/** @typedef {import("../train/tab.js").PlayState} PlayState */
/** @typedef {import("../train/pairs.js").Shape} Shape */

const PARTICLES = 400;
const TARGET = 300; // dots of the shape
const TARGET_SEED = 9;
const CELL = 16; // pixels of the map of errors
const FULL_ERROR = 0.5; // of the speed that an arrow of full length has
const DARKEST = 0.5; // opacity of such an error
const LATEST = 0.995; // where a path may be infinitely fast at the end, the map stays before it
const WORK = 7; // milliseconds for particles, in one picture
const DRAW = "Draw a shape here, in one line or several; then press Done.";
const SOURCE = {
  kind: /** @type {const} */ ("mixture"),
  means: [0, 0],
  stds: [1, 1],
  weights: [1],
};

export class PlayPanel {
  /** @type {Run | null} of the particles that are shown */
  run = null;
  /** @type {Run | null} of those that will be */
  next = null;
  stale = true;
  changed = false; // whether the weights are others than those in the picture
  fieldTime = NaN;

  /** @param {PlaySpec} spec */
  constructor(spec) {
    this.spec = spec;
    this.node = make("div", { className: "fm-panel", role: "group", "aria-label": spec.alt });
    this.camera = new Camera(spec.extent);
    this.ground = new Layer(this.node);
    this.map = new Layer(this.node);
    this.arrows = new Layer(this.node);
    this.front = new Layer(this.node);
    this.small = make("canvas"); // the map, a pixel for each cell
    this.label = make("div", { className: "fm-label", role: "status" });
    this.node.append(this.label);
    this.particles = new ParticleLayer(this.camera, PARTICLES);
  }

  fit() {
    this.camera.fit(this.node.clientWidth, this.node.clientHeight);
    this.stale = true;
  }

  /**
   * Another shape or another path.
   * @param {Shape} shape
   * @param {{ kind: string }} path
   */
  show(shape, path) {
    this.exact = exactField(shape, path);
    this.target = new Draws(TARGET_SEED).data(shape, TARGET);
    // One scale of the arrows for all of a training: that of the field which it should end with.
    this.fieldLayer = new FieldLayer(this.exact, this.camera, [0, 1]);
    this.run = this.next = null;
    this.stale = true;
  }

  /**
   * Particles for new weights, or for another solver.
   * @param {Field} field
   * @param {PlayState} state
   */
  flow(field, { solver, steps, seed }) {
    const found = /** @type {Solver} */ (this.spec.solvers.find(({ id }) => id === solver));
    const start = draw(SOURCE, PARTICLES, seed);
    this.changed = true;
    this.next = new Run(field, { solver: found, steps, tolerance: 1 }, start, [0, 1]);
  }

  /**
   * @param {Field | null} field  of the network
   * @param {PlayState} state
   * @param {Look & Colors} look
   * @param {{ known: boolean, drawing: Point[] | null, error: string }} how  known: whether the exact
   *   field is the one that the network should find; drawing: what the reader draws
   */
  paint(field, state, look, { known, drawing, error }) {
    const { camera, next, stale } = this;
    const { width, height } = camera;
    next?.work(WORK);
    if (next?.done) [this.run, this.next] = [next, null];
    const { views, share: t } = state;
    const anew = stale || t !== this.fieldTime || this.changed;
    if (stale) {
      const target = drawing ? null : (this.target ?? null);
      const scene = /** @type {any} */ ({ target, look });
      drawTarget(this.ground.clear(width, height), camera, scene);
    }
    if (anew && field && this.fieldLayer) {
      const map = this.map.clear(width, height);
      if (views.error && known && !drawing) this.#drawError(map, field, t, error);
      this.fieldLayer.field = field;
      const ctx = this.arrows.clear(width, height);
      const scene = { state: { views: { arrows: views.field && !drawing } }, t, look };
      this.fieldLayer.draw(ctx, /** @type {any} */ (scene));
      drawScales(ctx, camera, look);
      this.fieldTime = t;
    }
    this.changed = false;
    this.stale = false;
    setText(this.label, drawing ? DRAW : "");
    const ctx = this.front.clear(width, height);
    if (drawing) return drawPen(ctx, camera, drawing, this.spec.pen.width, look);
    const scene = { state, t, look, run: this.run, found: null };
    this.particles.draw(ctx, /** @type {any} */ (scene));
    return undefined;
  }

  /** @type {(ctx: Context, field: Field, t: number, color: string) => void} */
  #drawError(ctx, field, t, color) {
    const { camera, exact, fieldLayer } = this;
    if (!exact || !fieldLayer) return;
    const [columns, rows] = [camera.width, camera.height].map((size) => Math.ceil(size / CELL));
    const n = columns * rows;
    const [x, y, u, v, p, q] = Array.from({ length: 6 }, () => new Float64Array(n));
    for (let i = 0; i < n; i++) {
      [x[i], y[i]] = camera.plane(
        ((i % columns) + 0.5) * CELL,
        (Math.floor(i / columns) + 0.5) * CELL,
      );
    }
    const when = Math.min(t, LATEST);
    field.evaluate(when, x, y, n, u, v);
    exact.evaluate(when, x, y, n, p, q);
    const [red, green, blue] = channels(color);
    const pixels = new ImageData(columns, rows);
    for (let i = 0; i < n; i++) {
      const off = Math.hypot(u[i] - p[i], v[i] - q[i]) / (FULL_ERROR * fieldLayer.fullSpeed);
      pixels.data.set([red, green, blue, 255 * DARKEST * Math.min(1, off)], 4 * i);
    }
    Object.assign(this.small, { width: columns, height: rows });
    this.small.getContext("2d")?.putImageData(pixels, 0, 0);
    ctx.drawImage(this.small, 0, 0, columns * CELL, rows * CELL); // smoothly enlarged
  }
}

/** What is being drawn: its points, each as wide as the pen. @type {(ctx: Context, camera: Camera, points: Point[], width: number, look: Look & Colors) => void} */
function drawPen(ctx, camera, points, width, look) {
  ctx.fillStyle = fade(look.target, 0.35);
  ctx.beginPath();
  for (const [x, y] of points) circle(ctx, camera.x(x), camera.y(y), width * camera.scale);
  ctx.fill();
  const [x, y] = [0, 1].map((d) => Float64Array.from(points, (point) => point[d]));
  dots(ctx, camera, x, y, points.length, 2, look.target);
}
