// Products of matrices, of which training consists: what a layer makes of its inputs, what reaches its
// inputs from behind, and the gradient of its weights. A row of the result lies in memory number by
// number; so does a row of the second factor. The first factor is read one number at a time, and may
// lie there in either order.

import { each, f32, load, plus, set, store, whole } from "../fields/kernels.js";

/** @typedef {import("../fields/kernels.js").Code} Code */

/**
 * c = a b, (rows, depth) times (depth, columns); bytes are those between neighbours in memory.
 * @typedef {object} ProductShape
 * @property {number} rows  a multiple of four
 * @property {number} columns  likewise
 * @property {number} depth  four at least
 * @property {number} rowA  bytes
 * @property {number} stepA  along the depth
 * @property {number} rowB
 * @property {number} rowC
 * @property {"adds" | "silu" | "times" | "none"} then  "adds" to c; "silu" leaves its derivative in
 *   `other`; "times" multiplies by `other`. Its rows lie as those of b (silu), or of c (times)
 */

const LARGEST = 87; // exp of more is beyond single precision

/**
 * The program (a, b, c, other). A tile of four rows by eight columns stays in registers while the
 * products along the depth are summed.
 *
 * @param {ProductShape} shape
 * @param {import("../net/convolution.js").MultiplyAdd} multiplyAdd
 * @returns {import("../fields/kernels.js").Program}
 */
export function product(shape, multiplyAdd) {
  const { rows, columns, depth, rowA, stepA, rowB, rowC, then } = shape;
  const { add, sub, mul, div, min, exp, number, spread } = f32;
  const wide = columns % 8 ? 1 : 2; // vectors of a tile
  const rowOther = then === "silu" ? rowB : rowC;
  return {
    takes: 4,
    build([a, b, c, other], { pointers, vectors }) {
      const [row, column, alongA, alongB, end] = pointers(5);
      const [one, sigmoid, z, p, q, r] = vectors(6);
      const parts = vectors(wide);
      const sums = [0, 1, 2, 3].map(() => vectors(wide));
      /** @param {number} u  of the depth, from where the pointers are */
      const term = (u) => [
        ...parts.flatMap((part, j) => set(part, load(alongB, u * rowB + 16 * j))),
        ...sums.flatMap((sum, i) => [
          ...set(one, spread(alongA, i * rowA + u * stepA)),
          ...sum.flatMap((s, j) => set(s, multiplyAdd(one, parts[j], s))),
        ]),
      ];
      /** @type {(sum: Code, at: number, atOther: number) => Code} */
      const finish = (sum, at, atOther) => {
        if (then === "adds") return store(c, at, add(load(c, at), sum));
        if (then === "times") return store(c, at, mul(load(other, atOther), sum));
        if (then === "none") return store(c, at, sum);
        const small = min(mul(sum, number(-1)), number(LARGEST));
        return [
          ...set(sigmoid, div(number(1), add(number(1), exp(small, p, q, r)))),
          ...set(z, mul(sum, sigmoid)),
          ...store(c, at, z),
          ...store(other, atOther, add(sigmoid, sub(z, mul(z, sigmoid)))),
        ];
      };
      const inFours = depth - (depth % 4);
      const rest = Array.from({ length: depth % 4 }, (_, u) => term(u)).flat();
      const tile = [
        ...sums.flat().flatMap((sum) => set(sum, number(0))),
        ...set(alongB, column),
        ...each(
          ...[alongA, row, end, 4 * stepA],
          [0, 1, 2, 3].flatMap(term),
          set(alongB, plus(alongB, whole(4 * rowB))),
        ),
        ...rest,
        ...sums.flatMap((sum, i) =>
          sum.flatMap((s, j) => finish(s, i * rowC + 16 * j, i * rowOther + 16 * j)),
        ),
        ...[c, other].flatMap((to) => set(to, plus(to, whole(16 * wide)))),
      ];
      return each(
        ...[row, a, plus(a, whole(rows * rowA)), 4 * rowA],
        set(end, plus(row, whole(inFours * stepA))),
        each(column, b, plus(b, whole(4 * columns)), 16 * wide, tile),
        set(c, plus(c, whole(4 * rowC - 4 * columns))),
        set(other, plus(other, whole(4 * rowOther - 4 * columns))),
      );
    },
  };
}

/**
 * The same in JavaScript.
 * @param {ProductShape} shape
 * @param {Float32Array} memory
 */
export function plainProduct(shape, memory) {
  const { rows, columns, depth, then } = shape;
  const [rowA, stepA, rowB, rowC] = [shape.rowA, shape.stepA, shape.rowB, shape.rowC].map((n) => n >> 2); // prettier-ignore
  const rowOther = then === "silu" ? rowB : rowC;
  const sums = new Float64Array(columns);
  /** @type {(a: number, b: number, c: number, other: number) => void} */
  return (...bytes) => {
    const [a, b, c, other] = bytes.map((n) => n / 4);
    for (let i = 0; i < rows; i++) {
      sums.fill(0);
      let [at, row, left] = [a + i * rowA, b, depth];
      for (; left >= 4; left -= 4, at += 4 * stepA, row += 4 * rowB) {
        addFour(memory, at, stepA, row, rowB, sums);
      }
      for (; left > 0; left--, at += stepA, row += rowB) {
        for (let j = 0; j < columns; j++) sums[j] += memory[at] * memory[row + j];
      }
      for (let j = 0; j < columns; j++) {
        const to = c + i * rowC + j;
        const beside = other + i * rowOther + j;
        const z = sums[j];
        if (then === "adds") memory[to] += z;
        else if (then === "times") memory[to] = z * memory[beside];
        else if (then === "none") memory[to] = z;
        else {
          const sigmoid = 1 / (1 + Math.exp(-z));
          memory[to] = z * sigmoid;
          memory[beside] = sigmoid + z * sigmoid * (1 - sigmoid);
        }
      }
    }
  };
}

/**
 * Adds to the sums four rows of memory, each times a number: nearly all of the work, and at once less
 * than half of what it is row by row.
 *
 * @param {Float32Array} memory
 * @param {number} at  of the first number
 * @param {number} step  to the next
 * @param {number} row  the first row
 * @param {number} next  to the next
 * @param {Float64Array} sums
 */
function addFour(memory, at, step, row, next, sums) {
  const [p, q] = [memory[at], memory[at + step]];
  const [r, s] = [memory[at + 2 * step], memory[at + 3 * step]];
  const [second, third, fourth] = [row + next, row + 2 * next, row + 3 * next];
  for (let j = 0; j < sums.length; j++) {
    sums[j] +=
      p * memory[row + j] + q * memory[second + j] + r * memory[third + j] + s * memory[fourth + j];
  }
}
