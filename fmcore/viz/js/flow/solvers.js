// From a velocity field to the paths of particles: one explicit Runge-Kutta step for every Butcher
// tableau, on a grid of times, and a controller that finds such a grid for a given tolerance.
//
// Points are held as two typed arrays x and y; nothing is allocated once a Stepper stands.

import { isFsal } from "./tableaus.js";

export class Stepper {
  nfe = 0; // evaluations so far

  /**
   * @param {Field} field
   * @param {Tableau} tableau
   * @param {number} n  points
   */
  constructor(field, tableau, n) {
    const slopes = () => tableau.b.map(() => new Float64Array(n));
    this.field = field;
    this.tableau = tableau;
    this.n = n;
    this.fsal = isFsal(tableau);
    this.ku = slopes();
    this.kv = slopes();
    this.stageX = new Float64Array(n);
    this.stageY = new Float64Array(n);
  }

  /**
   * Slope number i, evaluated at the time t and the points (x, y).
   * @param {number} i
   * @param {number} t
   * @param {Float64Array} x
   * @param {Float64Array} y
   */
  evaluate(i, t, x, y) {
    this.field.evaluate(t, x, y, this.n, this.ku[i], this.kv[i]);
    this.nfe++;
  }

  /**
   * out = x + h sum_i w_i k_i
   * @param {number[]} weights
   * @param {number} h
   * @param {Float64Array} x
   * @param {Float64Array} y
   * @param {Float64Array} outX
   * @param {Float64Array} outY
   */
  combine(weights, h, x, y, outX, outY) {
    outX.set(x);
    outY.set(y);
    for (let i = 0; i < weights.length; i++) {
      const w = h * weights[i];
      if (w === 0) continue;
      const u = this.ku[i];
      const v = this.kv[i];
      for (let p = 0; p < this.n; p++) {
        outX[p] += w * u[p];
        outY[p] += w * v[p];
      }
    }
  }

  /**
   * One step from t to tNew; `hasFirst` says that the first slope is there already.
   * @param {number} t
   * @param {number} tNew
   * @param {Float64Array} x
   * @param {Float64Array} y
   * @param {Float64Array} outX
   * @param {Float64Array} outY
   * @param {boolean} hasFirst
   */
  step(t, tNew, x, y, outX, outY, hasFirst) {
    const { a, b, c } = this.tableau;
    const h = tNew - t;
    const stages = this.fsal ? b.length - 1 : b.length;
    if (!hasFirst) this.evaluate(0, t, x, y);
    for (let i = 1; i < stages; i++) {
      this.combine(a[i], h, x, y, this.stageX, this.stageY);
      this.evaluate(i, c[i] === 1 ? tNew : t + c[i] * h, this.stageX, this.stageY);
    }
    this.combine(b, h, x, y, outX, outY);
  }

  /**
   * The last slope of an FSAL method, at the end of the step: the step can be judged by it.
   * @param {number} tNew
   * @param {Float64Array} x
   * @param {Float64Array} y
   */
  evaluateLast(tNew, x, y) {
    this.evaluate(this.tableau.b.length - 1, tNew, x, y);
  }

  /** The last slope of this step becomes the first one of the next. */
  reuseLast() {
    const last = this.ku.length - 1;
    [this.ku[0], this.ku[last]] = [this.ku[last], this.ku[0]];
    [this.kv[0], this.kv[last]] = [this.kv[last], this.kv[0]];
  }
}

/**
 * The weights of the state at t + theta h: the continuous extension, or a straight line.
 * @param {Tableau} tableau
 * @param {number} theta
 */
export function denseWeights({ b, dense }, theta) {
  if (!dense) return b.map((w) => w * theta);
  return dense.map((row) => row.reduceRight((sum, d) => (sum + d) * theta, 0));
}

/**
 * Steps along a grid of times. sink(frame, x, y) receives the start, each state on the grid and,
 * between two of them, `parts - 1` states of the method's continuous extension.
 *
 * nfe is what fmcore.odeint counts. The continuous extension of an FSAL method takes one slope
 * more, at the very end; it serves the drawing alone and is not counted.
 *
 * @param {Field} field
 * @param {Tableau} tableau
 * @param {ArrayLike<number>} x0
 * @param {ArrayLike<number>} y0
 * @param {Float64Array} grid
 * @param {object} [options]
 * @param {number} [options.parts]
 * @param {(frame: number, x: Float64Array, y: Float64Array) => void} [options.sink]
 */
export function integrate(field, tableau, x0, y0, grid, { parts = 1, sink } = {}) {
  const n = x0.length;
  const stepper = new Stepper(field, tableau, n);
  const inner = Array.from({ length: parts - 1 }, (_, j) => denseWeights(tableau, (j + 1) / parts));
  const needsLast = stepper.fsal && parts > 1;
  let [x, y, xNew, yNew] = [x0, y0, x0, y0].map((points) => Float64Array.from(points));
  const [betweenX, betweenY] = [new Float64Array(n), new Float64Array(n)];
  sink?.(0, x, y);
  for (let i = 0; i + 1 < grid.length; i++) {
    stepper.step(grid[i], grid[i + 1], x, y, xNew, yNew, needsLast && i > 0);
    if (needsLast) stepper.evaluateLast(grid[i + 1], xNew, yNew);
    inner.forEach((weights, j) => {
      stepper.combine(weights, grid[i + 1] - grid[i], x, y, betweenX, betweenY);
      sink?.(i * parts + j + 1, betweenX, betweenY);
    });
    if (needsLast) stepper.reuseLast();
    [x, xNew, y, yNew] = [xNew, x, yNew, y];
    sink?.((i + 1) * parts, x, y);
  }
  return { x, y, nfe: needsLast ? stepper.nfe - 1 : stepper.nfe };
}

/**
 * Steps as long as the estimated error allows, one for the whole batch: the controller of
 * fmcore.odeint (Hairer, Norsett & Wanner 1993, II.4). Returns the accepted times as `grid`.
 *
 * @param {Field} field
 * @param {Tableau} tableau
 * @param {ArrayLike<number>} x0
 * @param {ArrayLike<number>} y0
 * @param {number} t0
 * @param {number} t1
 * @param {{ rtol: number, atol: number, maxSteps?: number }} options
 */
export function adapt(field, tableau, x0, y0, t0, t1, { rtol, atol, maxSteps = 10000 }) {
  const { b, b_embedded: embedded, embedded_order: embeddedOrder } = tableau;
  if (!embedded || embeddedOrder === null) {
    throw new Error(`${tableau.name} has no error estimate to adapt to`);
  }
  const n = x0.length;
  const stepper = new Stepper(field, tableau, n);
  const error = b.map((w, i) => w - embedded[i]);
  const order = embeddedOrder + 1;
  const sign = Math.sign(t1 - t0);
  const zero = new Float64Array(n);
  const [ex, ey] = [new Float64Array(n), new Float64Array(n)];
  let [x, y, xNew, yNew] = [x0, y0, x0, y0].map((points) => Float64Array.from(points));

  /**
   * Root mean square of e / (atol + rtol max(|old|, |new|)).
   * @type {(eX: Float64Array, eY: Float64Array, oldX: Float64Array, oldY: Float64Array,
   *   newX: Float64Array, newY: Float64Array) => number}
   */
  const norm = (eX, eY, oldX, oldY, newX, newY) => {
    let sum = 0;
    for (let p = 0; p < n; p++) {
      const rx = eX[p] / (atol + rtol * Math.max(Math.abs(oldX[p]), Math.abs(newX[p])));
      const ry = eY[p] / (atol + rtol * Math.max(Math.abs(oldY[p]), Math.abs(newY[p])));
      sum += rx * rx + ry * ry;
    }
    return Math.sqrt(sum / (2 * n));
  };

  /** The size of the first step, from the sizes of x, x' and x''. */
  const firstStep = () => {
    const [u, v] = [stepper.ku[0], stepper.kv[0]];
    const d0 = norm(x, y, x, y, x, y);
    const d1 = norm(u, v, x, y, x, y);
    if (!Number.isFinite(d1)) throw new Error(`the field is not finite at the start, t = ${t0}`);
    const h0 = Math.min(Math.min(d0, d1) >= 1e-5 ? (0.01 * d0) / d1 : 1e-6, Math.abs(t1 - t0));
    stepper.combine([1], sign * h0, x, y, xNew, yNew);
    field.evaluate(t0 + sign * h0, xNew, yNew, n, ex, ey);
    stepper.nfe++;
    for (let p = 0; p < n; p++) {
      ex[p] -= u[p];
      ey[p] -= v[p];
    }
    const d2 = norm(ex, ey, x, y, x, y) / h0;
    if (!Number.isFinite(d2)) return h0;
    const d = Math.max(d1, d2);
    return Math.min(100 * h0, d > 1e-15 ? (0.01 / d) ** (1 / order) : Math.max(1e-6, 1e-3 * h0));
  };

  const grid = [t0];
  let rejected = 0;
  let t = t0;
  stepper.evaluate(0, t, x, y);
  let hasFirst = true;
  let h = firstStep();
  while (t !== t1) {
    // With less than two steps to go, take half of what is left, and no sliver at the end.
    const left = Math.abs(t1 - t);
    const tNew = left <= h ? t1 : left < 2 * h ? (t + t1) / 2 : t + h * sign;
    h = Math.abs(tNew - t);
    if (grid.length - 1 + rejected === maxSteps || h <= 1e-15 * Math.abs(t)) {
      throw new Error(`the tolerance cannot be met at t = ${t.toPrecision(4)}: loosen it`);
    }
    stepper.step(t, tNew, x, y, xNew, yNew, hasFirst);
    if (stepper.fsal) stepper.evaluateLast(tNew, xNew, yNew);
    stepper.combine(error, h, zero, zero, ex, ey);
    const err = norm(ex, ey, x, y, xNew, yNew);
    if (err <= 1) {
      grid.push(tNew);
      t = tNew;
      [x, xNew, y, yNew] = [xNew, x, yNew, y];
      if (stepper.fsal) stepper.reuseLast();
      hasFirst = stepper.fsal;
    } else {
      rejected++;
      hasFirst = true;
    }
    // err may be 0; where the trial left the finite numbers it is infinite or NaN, and h shrinks.
    const factor = 0.9 * Math.max(err, 1e-99) ** (-1 / order);
    h *= factor > 0.2 ? Math.min(10, factor) : 0.2;
  }
  return { x, y, grid: Float64Array.from(grid), nfe: stepper.nfe, rejected };
}
