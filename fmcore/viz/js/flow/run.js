// The particles' journey through time for one choice of solver and steps.
//
// It is kept as `frames`: the states on the solver's grid and, between them, states of the method's
// continuous extension, so that a picture at any time joins two near frames by a straight line.
// Costly fields are worked off in portions: `work(ms)` does as many as fit.

import { diffuse } from "./diffuse.js";
import { adapt, integrate } from "./solvers.js";
import { evenGrid } from "./tableaus.js";

const SMOOTH = 48; // frames, at least
const PORTION = 4e6; // multiplications, in double precision, after which to look at the clock
const PILOTS = 200; // particles that find the steps of an adaptive solver, if the field is costly
const COSTLY = 2000;
const MOST_STEPS = 400;

export class Run {
  ready = 0; // so many particles are through
  /** @type {number | null} evaluations; of fixed steps they are counted by the first portion */
  nfe = null;

  /**
   * @param {Field} field
   * @param {RunChoice} choice
   * @param {Cloud} start
   * @param {Span} span
   */
  constructor(field, choice, start, [t0, t1]) {
    const { solver, steps, tolerance, noise } = choice;
    const { tableau, adaptive } = solver;
    this.field = field;
    this.sde = noise && field.noisy?.(noise.amount);
    this.noise = noise;
    this.solver = solver;
    this.start = start;
    this.n = start.x.length;
    this.t0 = t0;
    this.t1 = t1;
    if (adaptive) {
      const pilots = field.cost > COSTLY ? Math.min(PILOTS, this.n) : this.n;
      const options = { rtol: tolerance, atol: tolerance, maxSteps: MOST_STEPS };
      const [x, y] = [start.x.slice(0, pilots), start.y.slice(0, pilots)];
      ({ grid: this.grid, nfe: this.nfe } = adapt(field, tableau, x, y, t0, t1, options));
    } else {
      this.grid = evenGrid(t0, t1, steps);
    }
    this.steps = this.grid.length - 1;
    this.parts = Math.max(1, Math.ceil(SMOOTH / this.steps));
    this.frames = this.steps * this.parts + 1;
    this.xs = new Float32Array(this.frames * this.n); // (frame, particle)
    this.ys = new Float32Array(this.frames * this.n);
    const each = Math.max(1, field.cost * this.steps * tableau.b.length);
    this.portion = Math.max(64, 64 * Math.round(PORTION / each / 64));
  }

  get done() {
    return this.ready === this.n;
  }

  /**
   * Takes more particles through, for about so many milliseconds; at least one portion.
   * @param {number} milliseconds
   */
  work(milliseconds) {
    const { n, field, grid, parts, sde, noise } = this;
    const until = performance.now() + milliseconds;
    while (!this.done) {
      const from = this.ready;
      const to = Math.min(n, from + this.portion);
      /** @type {(frame: number, x: Float64Array, y: Float64Array) => void} */
      const sink = (frame, x, y) => {
        this.xs.set(x, frame * n + from);
        this.ys.set(y, frame * n + from);
      };
      const [x, y] = [this.start.x.subarray(from, to), this.start.y.subarray(from, to)];
      const { nfe } =
        sde && noise
          ? diffuse(sde, x, y, grid, { parts, sink, gusts: noise.gusts, from })
          : integrate(field, this.solver.tableau, x, y, grid, { parts, sink });
      this.nfe ??= nfe;
      this.ready = to;
      if (performance.now() >= until) break;
    }
  }

  /**
   * Where in the frames a time lies: frame 3.5 is half way from the third to the fourth.
   * @param {number} t
   */
  locate(t) {
    const sign = Math.sign(this.t1 - this.t0);
    let [low, high] = [0, this.steps];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (sign * (t - this.grid[middle]) >= 0) low = middle;
      else high = middle;
    }
    const theta = (t - this.grid[low]) / (this.grid[high] - this.grid[low]);
    return (low + Math.min(Math.max(theta, 0), 1)) * this.parts;
  }

  /**
   * The states of all particles that are ready, at time t.
   * @param {number} t
   * @param {Float64Array} outX
   * @param {Float64Array} outY
   */
  at(t, outX, outY) {
    const at = this.locate(t);
    const first = Math.min(Math.floor(at), this.frames - 2);
    const g = at - first;
    const [a, b] = [first * this.n, (first + 1) * this.n];
    for (let i = 0; i < this.ready; i++) {
      outX[i] = (1 - g) * this.xs[a + i] + g * this.xs[b + i];
      outY[i] = (1 - g) * this.ys[a + i] + g * this.ys[b + i];
    }
  }

  /** Where the particles that are ready end: x, y. */
  end() {
    const last = (this.frames - 1) * this.n;
    return [this.xs, this.ys].map((z) => z.subarray(last, last + this.ready));
  }

  /** The first particle at every frame, and at every step. */
  path() {
    const { xs, ys, n } = this;
    /** @type {Point[]} */
    const points = Array.from({ length: this.frames }, (_, f) => [xs[f * n], ys[f * n]]);
    return { points, marks: points.filter((_, f) => f % this.parts === 0) };
  }
}

/** @param {Point[]} points */
export function lengthOf(points) {
  let sum = 0;
  for (let k = 1; k < points.length; k++) {
    const [[x, y], [x0, y0]] = [points[k], points[k - 1]];
    sum += Math.hypot(x - x0, y - y0);
  }
  return sum;
}

/**
 * The finished run of a single particle.
 *
 * @param {Field} field
 * @param {RunChoice} choice
 * @param {Point} start
 * @param {Span} span
 */
export function runFrom(field, choice, [x, y], span) {
  const run = new Run(field, choice, { x: Float64Array.of(x), y: Float64Array.of(y) }, span);
  run.work(Infinity);
  return run;
}

/**
 * The mean distance between the end points of two runs from the same start.
 * @param {Run} one
 * @param {Run} other
 */
export function meanDistance(one, other) {
  const [[x, y], [u, v]] = [one.end(), other.end()];
  const n = Math.min(x.length, u.length);
  let sum = 0;
  for (let i = 0; i < n; i++) sum += Math.hypot(x[i] - u[i], y[i] - v[i]);
  return sum / n;
}

/**
 * The mean end point.
 * @param {Run} run
 */
export function meanEnd(run) {
  return run.end().map((z) => z.reduce((sum, one) => sum + one, 0) / z.length);
}
