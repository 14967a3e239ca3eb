// What a network is trained on: noise and data, paired as the reader chose, and on the paths between
// them states, times and velocities.

import { pathOf } from "../fields/paths.js";
import { normal, uniform } from "../flow/random.js";
import { transport } from "./assignment.js";

/** @typedef {import("./learner.js").Batch} Batch */
/** @typedef {{ x0: Cloud, x1: Cloud }} Ends  noise and data, point by point */
/**
 * Points that are equally likely, each a round cloud of this standard deviation.
 * @typedef {{ points: Numbers, width: number }} Shape  points: x, y, x, y, ...
 */

const LAST = 1 - 1e-5; // beyond this time a path may be infinitely fast

/** Draws that a seed repeats. */
export class Draws {
  /** @param {number} seed */
  constructor(seed) {
    this.random = uniform(seed);
    this.gauss = normal(this.random);
  }

  /**
   * @param {number} n
   * @returns {Cloud}
   */
  noise(n) {
    return this.#cloud(n, () => [this.gauss(), this.gauss()]);
  }

  /** @type {(shape: Shape, n: number) => Cloud} */
  data({ points, width }, n) {
    const count = points.length / 2;
    return this.#cloud(n, () => {
      const k = this.below(count);
      return [points[2 * k] + width * this.gauss(), points[2 * k + 1] + width * this.gauss()];
    });
  }

  /** @param {number} count */
  below(count) {
    return Math.floor(this.random() * count);
  }

  /**
   * Times in [0, 1): one in each of n equal slices, as fmcore.losses.stratified_times.
   * @param {number} n
   */
  times(n) {
    return Float64Array.from({ length: n }, (_, i) => Math.min((i + this.random()) / n, LAST));
  }

  /** @type {(n: number, point: () => Point) => Cloud} */
  #cloud(n, point) {
    const [x, y] = [new Float64Array(n), new Float64Array(n)];
    for (let i = 0; i < n; i++) [x[i], y[i]] = point();
    return { x, y };
  }
}

/**
 * As many pairs as a batch needs.
 * @typedef {(draws: Draws, n: number) => Ends} Couple
 */

/** @type {(shape: Shape) => Couple} */
export const independentPairs = (shape) => (draws, n) => ({
  x0: draws.noise(n),
  x1: draws.data(shape, n),
});

/**
 * Optimal transport within each batch (fmcore.couplings.MinibatchOT).
 * @type {(shape: Shape) => Couple}
 */
export const transportPairs = (shape) => (draws, n) => {
  const [x1, noise] = [draws.data(shape, n), draws.noise(n)];
  const { partners } = transport(x1, noise);
  return { x0: rows(noise, partners), x1 };
};

/**
 * Pairs that stay together, drawn with replacement (fmcore.couplings.FixedPairs).
 * @type {(ends: Ends) => Couple}
 */
export const fixedPairs =
  ({ x0, x1 }) =>
  (draws, n) => {
    const chosen = Int32Array.from({ length: n }, () => draws.below(x0.x.length));
    return { x0: rows(x0, chosen), x1: rows(x1, chosen) };
  };

/** @type {(cloud: Cloud, chosen: Int32Array) => Cloud} */
const rows = ({ x, y }, chosen) => ({
  x: Float64Array.from(chosen, (i) => x[i]),
  y: Float64Array.from(chosen, (i) => y[i]),
});

/**
 * The states a x1 + b x0 on the paths of the pairs, and their velocities a' x1 + b' x0.
 * @type {(path: { kind: string }) => (ends: Ends, t: Float64Array) => Batch}
 */
export function conditional(path) {
  const coefficients = pathOf(path);
  return ({ x0, x1 }, t) => {
    const [x, y, u, v] = [0, 0, 0, 0].map(() => new Float64Array(t.length));
    for (let i = 0; i < t.length; i++) {
      const { a, b, da, db } = coefficients(t[i]);
      x[i] = a * x1.x[i] + b * x0.x[i];
      y[i] = a * x1.y[i] + b * x0.y[i];
      u[i] = da * x1.x[i] + db * x0.x[i];
      v[i] = da * x1.y[i] + db * x0.y[i];
    }
    return { x, y, t, u, v };
  };
}
