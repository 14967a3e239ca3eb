// The operations on vectors: the embeddings of time and label, and the layers that read them. They are
// small, and run once for all pictures of a time and a label.

import { silu, waves } from "../fields/embedding.js";

/** @typedef {import("./file.js").Operation} Operation */
/** @typedef {number | ArrayLike<number> | null} Label  a class, a vector, or none */
/** @typedef {Record<string, ArrayLike<number>>} Vectors */

/**
 * What an operation makes of vectors that are there, for a time and a label.
 *
 * @typedef {(vectors: Vectors, t: number, label: Label) => ArrayLike<number>} VectorOperation
 */

/** @type {Record<string, (op: Operation, tensor: (name?: string) => import("./file.js").Tensor) => VectorOperation>} */
export const VECTOR_OPERATIONS = {
  waves({ frequencies }) {
    return (_, t) => waves(/** @type {number[]} */ (frequencies), t);
  },

  silu({ from }) {
    return (vectors) => Array.from(vectors[from], silu);
  },

  // weight (outputs, inputs), or some columns of it
  dense({ from, weight, bias, columns, silu: last }, tensor) {
    const { shape, values } = tensor(weight);
    const [first, end] = columns ?? [0, shape[1]];
    const shifts = tensor(bias).values;
    return (vectors) =>
      Array.from(shifts, (shift, j) => {
        let [sum, w] = [shift, j * shape[1] + first];
        const given = vectors[from];
        if (given.length !== end - first) throw new Error(`${weight} does not fit`);
        for (let k = 0; k < given.length; k++) sum += values[w++] * given[k];
        return last ? silu(sum) : sum;
      });
  },

  // weight (conditions + 1, dim): a row for each class, or number of a vector; the last is for none
  label({ from, weight }, tensor) {
    const { shape, values } = tensor(weight);
    const k = shape[0] - 1;
    return (vectors, _, label) => {
      const given = typeof label === "object" ? label : null;
      if (given && given.length !== k) throw new Error(`a condition has ${k} numbers`);
      const row = typeof label === "number" ? label : k;
      if (!(row >= 0 && row <= k)) throw new Error(`a class lies in 0 to ${k - 1}, got ${row}`);
      return Array.from(vectors[from], (z, j) => {
        if (!given || Number.isNaN(given[0])) return z + values[row * shape[1] + j];
        let sum = 0;
        for (let i = 0; i < k; i++) sum += given[i] * values[i * shape[1] + j];
        return z + sum / Math.sqrt(k);
      });
    };
  },
};
