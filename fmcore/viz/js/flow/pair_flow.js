// What a pairing makes of the flow: the trajectories from the noise points, and four numbers.

import { pairs } from "../fields/pairs.js";
import { uniform } from "./random.js";
import { evenGrid, Stepper } from "./solvers.js";

/**
 * fmcore.viz.PairFigure.spec; points are x, y, x, y, ...
 * @typedef {object} PairSpec
 * @property {Numbers} x0
 * @property {Numbers} x1
 * @property {number} width  standard deviation of the clouds
 * @property {number} steps
 * @property {Tableau} tableau
 * @property {{ id: string, label: string, partners: number[] }[]} pairings
 * @property {Box} extent
 * @property {Colors} colors
 * @property {string} alt
 * @property {{ pairing: string, seed: number, share: number, playing: boolean }} start_state
 */

/**
 * @typedef {object} PairFlow
 * @property {number[]} partners  the data points of the noise points
 * @property {Cloud[]} states  of the trajectories, at even times
 * @property {Cloud} to  the data points, each where its partner is in the first state
 * @property {Cloud} one  where a single Euler step leads
 * @property {number} cost  the mean squared length of a pair
 * @property {number} crossings  of the lines that join the pairs
 * @property {number} straightness  as fmcore.metrics.straightness
 * @property {number} euler  how far one Euler step lands from the end of the trajectory, on average
 */

/**
 * @param {PairSpec} spec
 * @param {number[]} partners
 * @returns {PairFlow}
 */
export function pairFlow({ x0, x1, width, steps, tableau }, partners) {
  const n = partners.length;
  const stepper = new Stepper(pairs(x0, x1, partners, width), tableau, n);
  const grid = evenGrid(0, 1, steps);
  const empty = () => ({ x: new Float64Array(n), y: new Float64Array(n) });
  const [start, one] = [empty(), empty()];
  for (let i = 0; i < n; i++) [start.x[i], start.y[i]] = [x0[2 * i], x0[2 * i + 1]];
  stepper.evaluate(0, 0, start.x, start.y);
  stepper.combine([1], 1, start.x, start.y, one.x, one.y);
  const states = [start];
  let energy = 0; // the integral of |v|² over time, of all particles
  for (let k = 0; k < steps; k++) {
    const [{ x, y }, next] = [states[k], empty()];
    stepper.step(grid[k], grid[k + 1], x, y, next.x, next.y, false);
    tableau.b.forEach((b, s) => {
      const [u, v] = [stepper.ku[s], stepper.kv[s]];
      for (let i = 0; i < n; i++) energy += (b * (u[i] * u[i] + v[i] * v[i])) / steps;
    });
    states.push(next);
  }
  const end = states[steps];
  /** @type {(a: Cloud, b: Cloud, power: number) => number} */
  const apart = (a, b, power) =>
    a.x.reduce((sum, x, i) => sum + Math.hypot(x - b.x[i], a.y[i] - b.y[i]) ** power, 0) / n;
  const to = {
    x: Float64Array.from(partners, (j) => x1[2 * j]),
    y: Float64Array.from(partners, (j) => x1[2 * j + 1]),
  };
  return {
    partners,
    states,
    to,
    one,
    cost: apart(start, to, 2),
    crossings: crossings(start, to),
    // The mean of v over time is x1 - x0: so |x1 - x0 - v|² integrates to the energy less its square.
    straightness: Math.max(0, energy / n - apart(start, end, 2)),
    euler: apart(one, end, 1),
  };
}

/**
 * How many of the lines from point i of one cloud to point i of the other cross.
 * @param {Cloud} from
 * @param {Cloud} to
 */
function crossings(from, to) {
  /** @type {(a: Point, b: Point, c: Point) => number} the side of the line ab on which c lies */
  const side = ([ax, ay], [bx, by], [cx, cy]) =>
    Math.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax));
  /** @type {(cloud: Cloud, i: number) => Point} */
  const at = ({ x, y }, i) => [x[i], y[i]];
  let count = 0;
  for (let i = 0; i < from.x.length; i++) {
    for (let k = 0; k < i; k++) {
      const [a, b, c, d] = [at(from, i), at(to, i), at(from, k), at(to, k)];
      if (side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0) count++;
    }
  }
  return count;
}

/**
 * The numbers from 0 to n - 1 in a random order (Fisher & Yates), which the seed repeats.
 * @param {number} n
 * @param {number} seed
 */
export function shuffled(n, seed) {
  const random = uniform(seed);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/**
 * Noise point i and data point j become a pair; their former partners are joined to each other.
 * @param {number[]} partners
 * @param {number} i
 * @param {number} j
 */
export function joined(partners, i, j) {
  const now = [...partners];
  now[partners.indexOf(j)] = partners[i];
  now[i] = j;
  return now;
}
