// What a network that is trained on independent pairs should find, and the loss that is left then.

import { mixture } from "../fields/mixture.js";

/** @type {(shape: import("./pairs.js").Shape, path: { kind: string }) => Field} */
export function exactField({ points, width }, path) {
  const count = points.length / 2;
  const stds = new Float64Array(2 * count).fill(width);
  return mixture({ means: points, stds, weights: new Float64Array(count).fill(1 / count), path });
}

/**
 * What the loss on a batch is for a field: for the exact one, the floor.
 * @type {(field: Field, batch: import("./pairs.js").Batch) => number}
 */
export function lossOf(field, { x, y, t, u, v }) {
  const [one, other] = [new Float64Array(1), new Float64Array(1)];
  let sum = 0;
  for (let i = 0; i < t.length; i++) {
    field.evaluate(t[i], x.subarray(i, i + 1), y.subarray(i, i + 1), 1, one, other);
    sum += (one[0] - u[i]) ** 2 + (other[0] - v[i]) ** 2;
  }
  return sum / (2 * t.length);
}
