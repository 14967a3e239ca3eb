// The states of particles at even times, and how straight they go.

import { Stepper } from "./solvers.js";
import { evenGrid } from "./tableaus.js";

/**
 * Room for n points.
 * @param {number} n
 * @returns {Cloud}
 */
export const empty = (n) => ({ x: new Float64Array(n), y: new Float64Array(n) });

/**
 * The mean of |a - b|^power over the points.
 * @type {(a: Cloud, b: Cloud, power: number) => number}
 */
export const meanApart = (a, b, power) =>
  a.x.reduce((sum, x, i) => sum + Math.hypot(x - b.x[i], a.y[i] - b.y[i]) ** power, 0) / a.x.length;

/**
 * From t = 0 to 1 in equal steps; straightness as fmcore.metrics.straightness.
 *
 * @param {Field} field
 * @param {Tableau} tableau
 * @param {Cloud} start
 * @param {number} steps
 */
export function journey(field, tableau, start, steps) {
  const n = start.x.length;
  const stepper = new Stepper(field, tableau, n);
  const grid = evenGrid(0, 1, steps);
  const states = [start];
  let energy = 0; // the integral of |v|² over time, of all particles
  for (let k = 0; k < steps; k++) {
    const [{ x, y }, next] = [states[k], empty(n)];
    stepper.step(grid[k], grid[k + 1], x, y, next.x, next.y, false);
    tableau.b.forEach((b, s) => {
      const [u, v] = [stepper.ku[s], stepper.kv[s]];
      for (let i = 0; i < n; i++) energy += (b * (u[i] * u[i] + v[i] * v[i])) / steps;
    });
    states.push(next);
  }
  // The mean of v over time is x1 - x0: so |x1 - x0 - v|² integrates to the energy less its square.
  return { states, straightness: Math.max(0, energy / n - meanApart(start, states[steps], 2)) };
}
