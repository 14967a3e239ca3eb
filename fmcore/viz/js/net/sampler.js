// From noise to an image along the field of a network, state by state, so that each can be shown as
// soon as it is there.

import { evenGrid, isFsal } from "../flow/tableaus.js";

/** @typedef {import("./network.js").Velocity} Velocity */
/** @typedef {(x: ArrayLike<number>, t: number) => Float32Array} ImageField */
/** @typedef {{ step: number, t: number, x: Float32Array, v: Float32Array | null }} State  v: at the last none */

/**
 * Classifier-free guidance: v(x, t) + scale (v(x, t | label) - v(x, t)), as fmcore.Guided has it.
 *
 * @param {Velocity} velocity
 * @param {import("./network.js").Label} label
 * @param {number} scale
 * @returns {{ field: ImageField, calls: number }}  and how often the network is asked for one velocity
 */
export function guided(velocity, label, scale) {
  if (label === null || scale === 0) return { field: (x, t) => velocity(x, t), calls: 1 };
  if (scale === 1) return { field: (x, t) => velocity(x, t, label), calls: 1 };
  const field = (/** @type {ArrayLike<number>} */ x, /** @type {number} */ t) => {
    const towards = velocity(x, t, label);
    return velocity(x, t).map((v, i) => v + scale * (towards[i] - v));
  };
  return { field, calls: 2 };
}

/**
 * The states of an explicit Runge-Kutta method on `steps` even steps, each with the velocity there.
 *
 * @param {ImageField} field
 * @param {Tableau} tableau
 * @param {ArrayLike<number>} x0
 * @param {number} steps
 * @param {Span} span
 * @returns {Generator<State, void>}
 */
export function* follow(field, tableau, x0, steps, span = [0, 1]) {
  const { a, b, c } = tableau;
  const stages = isFsal(tableau) ? b.length - 1 : b.length;
  const grid = evenGrid(...span, steps);
  let x = Float32Array.from(x0);
  for (let step = 0; step < steps; step++) {
    const [t, tNew] = [grid[step], grid[step + 1]];
    const h = tNew - t;
    const slopes = [field(x, t)];
    /** @param {number[]} weights */
    const moved = (weights) =>
      x.map((z, p) => slopes.reduce((sum, slope, i) => sum + h * weights[i] * slope[p], z));
    yield { step, t, x, v: slopes[0] };
    for (let i = 1; i < stages; i++) {
      slopes.push(field(moved(a[i]), c[i] === 1 ? tNew : t + c[i] * h));
    }
    x = moved(b);
  }
  yield { step: steps, t: span[1], x, v: null };
}
