// The field at one time: arrows on an even grid, and streamlines.

import { arrow, fade } from "./draw.js";

/** @typedef {import("./camera.js").Camera} Camera */

// One scale for all times: an arrow of full length is as fast as all but the fastest tenth.
const FULL_SPEED = 0.9;
const SAMPLE_CELLS = 12; // along the width of the extent
const SAMPLE_TIMES = [0, 0.25, 0.5, 0.75, 0.95]; // shares of the span; some fields have no end

// The cells of the arrows: so many across the stage, but neither crowded nor lost.
const ARROWS_ACROSS = 17;
const [LEAST_CELL, MOST_CELL] = [24, 36]; // pixels
const ARROW_LENGTH = 0.92; // of a cell, at full speed: a gap stays between one and the next
const MOST_SPEED = 1.15; // times full: a faster arrow would reach into its neighbours
const ARROW_THICKNESS = 0.05; // of a cell
// Three shades, so that the slow air recedes; each is one fill. Slower air is left out.
const SHADES = [
  { from: 0.02, to: 0.2, opacity: 0.6 },
  { from: 0.2, to: 0.5, opacity: 0.8 },
  { from: 0.5, to: Infinity, opacity: 1 },
];

const SEEDS_APART = 30; // pixels between the middles of two streamlines
const STRIDE = 5; // pixels
const STRIDES = 11; // to each side of the middle
const STANDSTILL = 1e-3; // of full speed: where the field is slower a streamline stays
const PIECES = 4; // of a streamline: thin behind, full in front, so that it shows its direction
const BEHIND_ARROWS = 0.6; // opacity

/**
 * Points in the middle of cells that are about `size` wide, anchored so that zero is a corner.
 * @param {Box} box
 * @param {number} size
 */
function cells([xmin, xmax, ymin, ymax], size) {
  const x = [];
  const y = [];
  for (let j = Math.floor(ymin / size); j * size < ymax; j++) {
    for (let i = Math.floor(xmin / size); i * size < xmax; i++) {
      const [cx, cy] = [(i + 0.5) * size, (j + 0.5) * size];
      if (cx > xmin && cx < xmax && cy > ymin && cy < ymax) {
        x.push(cx);
        y.push(cy);
      }
    }
  }
  return { x: Float64Array.from(x), y: Float64Array.from(y), n: x.length };
}

export class FieldLayer {
  /**
   * @param {Field} field
   * @param {Camera} camera
   * @param {Span} span
   */
  constructor(field, camera, span) {
    this.field = field;
    this.camera = camera;
    this.fullSpeed = this.#measure(span);
  }

  /** @param {Span} span */
  #measure([t0, t1]) {
    const { extent } = this.camera;
    const { x, y, n } = cells(extent, (extent[1] - extent[0]) / SAMPLE_CELLS);
    const [u, v] = [new Float64Array(n), new Float64Array(n)];
    /** @type {number[]} */
    const speeds = [];
    for (const share of SAMPLE_TIMES) {
      this.field.evaluate(t0 + share * (t1 - t0), x, y, n, u, v);
      for (let i = 0; i < n; i++) speeds.push(Math.hypot(u[i], v[i]));
    }
    speeds.sort((a, b) => a - b);
    return speeds[Math.floor(FULL_SPEED * speeds.length)] || speeds[speeds.length - 1] || 1;
  }

  /**
   * @param {Context} ctx
   * @param {Scene} scene
   */
  draw(ctx, { state, t, look }) {
    const { arrows, streamlines } = state.views;
    if (streamlines) this.#streamlines(ctx, t, look.field, arrows ? BEHIND_ARROWS : 1);
    if (arrows) this.#arrows(ctx, t, look.field, look.air);
  }

  /**
   * @param {Context} ctx
   * @param {number} t
   * @param {string} color
   * @param {number} opacity
   */
  #arrows(ctx, t, color, opacity) {
    const { camera, field, fullSpeed } = this;
    const even = Math.sqrt(camera.width * camera.height) / ARROWS_ACROSS;
    const cell = Math.min(Math.max(even, LEAST_CELL), MOST_CELL);
    const { x, y, n } = cells(camera.view(field.domain), cell / camera.scale);
    const [u, v] = [new Float64Array(n), new Float64Array(n)];
    field.evaluate(t, x, y, n, u, v);
    for (const shade of SHADES) {
      ctx.beginPath();
      for (let i = 0; i < n; i++) {
        const speed = Math.hypot(u[i], v[i]) / fullSpeed;
        if (!(speed >= shade.from && speed < shade.to)) continue;
        const length = ARROW_LENGTH * cell * Math.min(speed, MOST_SPEED);
        const scale = length / (speed * fullSpeed);
        const [dx, dy] = [scale * u[i], -scale * v[i]];
        const [px, py] = [camera.x(x[i]) - dx / 2, camera.y(y[i]) - dy / 2];
        arrow(ctx, px, py, dx, dy, ARROW_THICKNESS * cell);
      }
      ctx.fillStyle = fade(color, opacity * shade.opacity);
      ctx.fill();
    }
  }

  /**
   * Integral curves of the field held at time t, through even seeds, of even length in space.
   * @param {Context} ctx
   * @param {number} t
   * @param {string} color
   * @param {number} opacity
   */
  #streamlines(ctx, t, color, opacity) {
    const { camera } = this;
    const seeds = cells(camera.view(this.field.domain), SEEDS_APART / camera.scale);
    const behind = this.#trace(t, seeds, -STRIDE / camera.scale);
    const ahead = this.#trace(t, seeds, STRIDE / camera.scale);
    const points = [...behind.reverse(), ...ahead.slice(1)];
    ctx.lineCap = "butt";
    ctx.lineJoin = "round";
    for (let k = 0; k < PIECES; k++) {
      const [from, to] = [k, k + 1].map((j) => Math.round((j * (points.length - 1)) / PIECES));
      ctx.beginPath();
      for (let i = 0; i < seeds.n; i++) {
        ctx.moveTo(camera.x(points[from].x[i]), camera.y(points[from].y[i]));
        for (let j = from + 1; j <= to; j++) {
          ctx.lineTo(camera.x(points[j].x[i]), camera.y(points[j].y[i]));
        }
      }
      ctx.lineWidth = 0.7 + 0.22 * k;
      ctx.strokeStyle = fade(color, (opacity * (k + 1)) / PIECES);
      ctx.stroke();
    }
  }

  /**
   * Midpoint steps of one stride along v / |v|, all lines in lockstep.
   * @param {number} t
   * @param {Cloud & { n: number }} seeds
   * @param {number} stride
   */
  #trace(t, { x, y, n }, stride) {
    const [u, v, mx, my] = Array.from({ length: 4 }, () => new Float64Array(n));
    const slow = STANDSTILL * this.fullSpeed;
    /** @type {(from: Cloud, length: number, outX: Float64Array, outY: Float64Array) => void} */
    const advance = (from, length, outX, outY) => {
      for (let i = 0; i < n; i++) {
        const w = length / (Math.hypot(u[i], v[i]) + slow);
        outX[i] = from.x[i] + w * u[i];
        outY[i] = from.y[i] + w * v[i];
      }
    };
    /** @type {Cloud[]} */
    const states = [{ x, y }];
    for (let k = 0; k < STRIDES; k++) {
      const next = { x: new Float64Array(n), y: new Float64Array(n) };
      this.field.evaluate(t, states[k].x, states[k].y, n, u, v);
      advance(states[k], stride / 2, mx, my);
      this.field.evaluate(t, mx, my, n, u, v);
      advance(states[k], stride, next.x, next.y);
      states.push(next);
    }
    return states;
  }
}
