// The same particles under the same marginals, with noise: Euler-Maruyama, as in fmcore.sdeint.
//
//   x_new = x + h drift(x, t) + g(t) dW
//
// Inside a step drift and g stay, and W goes on: what a shorter step would have led to, in law. The
// random numbers depend on the seed alone, so that the paths change smoothly with the noise.

import { normal, uniform } from "./random.js";

/** Standard normal numbers, two for each particle and frame, drawn when they are needed first. */
export class Gusts {
  frames = 0;
  ready = 0; // so many particles have theirs
  x = new Float32Array(); // (frame, particle)
  y = new Float32Array();
  gauss = () => 0;

  /**
   * @param {number} seed
   * @param {number} n  particles
   */
  constructor(seed, n) {
    this.seed = seed;
    this.n = n;
  }

  /**
   * The numbers of the particles before `to`, drawn one after the other whatever the portions.
   * @param {number} frames
   * @param {number} to
   */
  draw(frames, to) {
    if (frames !== this.frames) {
      this.frames = frames;
      this.ready = 0;
      this.x = new Float32Array(frames * this.n);
      this.y = new Float32Array(frames * this.n);
      this.gauss = normal(uniform(this.seed));
    }
    for (; this.ready < to; this.ready++) {
      for (let f = 0; f < frames; f++) {
        this.x[f * this.n + this.ready] = this.gauss();
        this.y[f * this.n + this.ready] = this.gauss();
      }
    }
    return this;
  }
}

/**
 * Euler-Maruyama along a grid of times; sink as in `integrate`. The first point is number `from` of
 * the particles that have gusts.
 *
 * @param {Noisy} sde
 * @param {ArrayLike<number>} x0
 * @param {ArrayLike<number>} y0
 * @param {Float64Array} grid
 * @param {object} options
 * @param {number} options.parts
 * @param {(frame: number, x: Float64Array, y: Float64Array) => void} options.sink
 * @param {Gusts} options.gusts
 * @param {number} options.from
 */
export function diffuse({ drift, g }, x0, y0, grid, { parts, sink, gusts, from }) {
  const n = x0.length;
  const [x, y] = [Float64Array.from(x0), Float64Array.from(y0)];
  const [u, v] = [new Float64Array(n), new Float64Array(n)];
  const { x: dx, y: dy } = gusts.draw((grid.length - 1) * parts, from + n);
  sink(0, x, y);
  for (let i = 0; i + 1 < grid.length; i++) {
    const h = (grid[i + 1] - grid[i]) / parts;
    const root = g(grid[i]) * Math.sqrt(h);
    drift(grid[i], x, y, n, u, v);
    for (let frame = i * parts; frame < (i + 1) * parts; frame++) {
      const first = frame * gusts.n + from;
      for (let p = 0; p < n; p++) {
        x[p] += h * u[p] + root * dx[first + p];
        y[p] += h * v[p] + root * dy[first + p];
      }
      sink(frame + 1, x, y);
    }
  }
  return { nfe: grid.length - 1 };
}
