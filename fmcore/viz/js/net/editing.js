// What can be done to a picture along the path: fmcore.editing, state by state, so that each can be
// shown as soon as it is there. Where noise is needed, draw() gives a picture of it.

import { evenGrid } from "../flow/tableaus.js";
import { follow } from "./sampler.js";

const NEAR = 2; // pixels
const PAPER = -0.9; // what is less has no ink
const COARSE = 0.5; // the time at which the coarse is decided

/** @typedef {import("./sampler.js").ImageField} ImageField */
/** @typedef {import("./sampler.js").State} State */
/** @typedef {(t: number) => import("../fields/paths.js").Coefficients} Path */
/** @typedef {() => ArrayLike<number>} Draw */
/** @typedef {{ path: Path, tableau: Tableau, draw: Draw }} Means */

/**
 * The point at time t of the path from a noise to x.
 * @type {(path: Path, x: Float32Array, t: number, noise: ArrayLike<number>) => Float32Array}
 */
function onPath(path, x, t, noise) {
  const { a, b } = path(t);
  return x.map((z, p) => a * z + b * noise[p]);
}

/**
 * Back along the field, from x on the path at time t; returns its noise.
 *
 * @param {ImageField} field
 * @param {Means} means
 * @param {Float32Array} x
 * @param {number} t
 * @param {number} steps
 * @returns {Generator<State, Float32Array>}
 */
export function* encoded(field, { path, tableau, draw }, x, t, steps) {
  let last = onPath(path, x, t, draw());
  for (const state of follow(field, tableau, last, steps, [t, 0])) {
    if (state.v) yield state;
    last = state.x;
  }
  return last;
}

/**
 * Along the field from x on the path at time t: a picture that is x as far as it is coarse.
 *
 * @param {ImageField} field
 * @param {Means} means
 * @param {Float32Array} x
 * @param {number} t
 * @param {number} steps
 * @returns {Generator<State, void>}
 */
export function* edited(field, { path, tableau, draw }, x, t, steps) {
  yield* follow(field, tableau, onPath(path, x, t, draw()), steps, [t, 1]);
}

/**
 * A picture that is x where `until` is 1, and what the field makes of the rest: at each time a guess of
 * the whole is put on the path with a new noise, and E[x1 | xt] is the next guess. `until` is the time
 * until which a pixel of x is kept.
 *
 * @param {ImageField} field
 * @param {Pick<Means, "path" | "draw">} means
 * @param {Float32Array} x
 * @param {ArrayLike<number>} until
 * @param {number} steps
 * @returns {Generator<State, void>}
 */
export function* inpainted(field, { path, draw }, x, until, steps) {
  let guess = x.map((z, p) => (until[p] > 0 ? z : 0));
  for (const t of evenGrid(0, 1, steps).subarray(0, steps)) {
    const now = onPath(path, guess, t, draw());
    const v = field(now, t);
    yield { step: Math.round(t * steps), t, x: now, v };
    const { a, b, da, db } = path(t);
    guess = x.map((z, p) => (until[p] > t ? z : (b * v[p] - db * now[p]) / (da * b - a * db)));
  }
  yield { step: steps, t: 1, x: guess, v: null };
}

/**
 * Until when the pixels of a drawing are kept: ink for good, and the paper near it while the coarse is
 * decided, so that the ink is neither thickened nor painted over. Later it is free to be joined.
 *
 * @param {Float32Array} drawing
 * @param {number} width
 * @returns {Float32Array}
 */
export function keptOf(drawing, width) {
  /** @param {number} p  a pixel without ink */
  const nearInk = (p) => {
    for (let dy = -NEAR; dy <= NEAR; dy++) {
      for (let dx = -NEAR; dx <= NEAR; dx++) {
        const inRow = (p % width) + dx >= 0 && (p % width) + dx < width;
        if (inRow && drawing[p + dy * width + dx] > 0) return true;
      }
    }
    return false;
  };
  return drawing.map((z, p) => (z > 0 ? 1 : z < PAPER && nearInk(p) ? COARSE : 0));
}

/**
 * From x at s = 0 to y at s = 1 along an arc.
 * @type {(x: Float32Array, y: Float32Array, s: number) => Float32Array}
 */
export function slerped(x, y, s) {
  const [lengthX, lengthY] = [x, y].map((z) => Math.hypot(...z));
  /** @param {number} sign */
  const beside = (sign) => Math.hypot(...x.map((z, p) => z / lengthX + (sign * y[p]) / lengthY));
  // The arc cosine would lose half of the digits near 0 and pi.
  const angle = 2 * Math.atan2(beside(-1), beside(1));
  const sine = Math.sin(angle);
  const [ofX, ofY] = angle < 1e-6 ? [1 - s, s] : [1 - s, s].map((u) => Math.sin(u * angle) / sine);
  return x.map((z, p) => ofX * z + ofY * y[p]);
}
