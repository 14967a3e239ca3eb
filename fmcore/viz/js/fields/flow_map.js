// A flow map fmcore.networks.TwoTimes from its weights: an MLP with one more embedding, that of the length
// of a jump, which goes through two layers of its own and is added to that of the time.

import { silu, waves } from "./embedding.js";
import { network } from "./mlp.js";

/** @typedef {import("./mlp.js").Layer} Layer */
/** @typedef {import("./mlp.js").Weights} Weights */

/** @type {(layer: Layer, input: number[]) => number[]} */
function affine({ weight, bias }, input) {
  /** @type {(b: number, j: number) => number} */
  const unit = (b, j) => input.reduce((sum, z, k) => sum + weight[j * input.length + k] * z, b);
  return Array.from(bias, unit);
}

/**
 * For each length h of a jump the mean velocity u(x, t, t + h) as a field: along it, a step of Euler's
 * method is a jump.
 *
 * @param {Weights & { length: Weights }} data
 * @returns {(h: number) => Field}
 */
export function flowMap({ frequencies, layers, length }) {
  const [first, last] = length.layers;
  return network(layers, (t, h) => {
    const also = affine(last, affine(first, waves(length.frequencies, h)).map(silu));
    return waves(frequencies, t).map((z, k) => z + also[k]);
  });
}
