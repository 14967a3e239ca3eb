// What a pairing makes of the flow: the trajectories from the noise points, and four numbers.

import { pairs } from "../fields/pairs.js";
import { empty, journey, meanApart } from "./journey.js";
import { uniform } from "./random.js";
import { Stepper } from "./solvers.js";

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
  const field = pairs(x0, x1, partners, width);
  const stepper = new Stepper(field, tableau, n);
  const [start, one] = [empty(n), empty(n)];
  for (let i = 0; i < n; i++) [start.x[i], start.y[i]] = [x0[2 * i], x0[2 * i + 1]];
  stepper.evaluate(0, 0, start.x, start.y);
  stepper.combine([1], 1, start.x, start.y, one.x, one.y);
  const { states, straightness } = journey(field, tableau, start, steps);
  const to = {
    x: Float64Array.from(partners, (j) => x1[2 * j]),
    y: Float64Array.from(partners, (j) => x1[2 * j + 1]),
  };
  return {
    partners,
    states,
    to,
    one,
    cost: meanApart(start, to, 2),
    crossings: crossings(start, to),
    straightness,
    euler: meanApart(one, states[steps], 1),
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
