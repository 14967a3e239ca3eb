// One step of AdamW (Loshchilov & Hutter 2019), and of the moving average of the weights, as
// fmcore.training takes it:
//
//   m += (1 - b1) (g - m)        v += (1 - b2) (g² - v)
//   w  = (1 - lr decay) w - lr m' / (sqrt(v') + eps),    m' = m / (1 - b1^k), v' = v / (1 - b2^k)
//   average += (1 - d) (w - average)

import { each, f32, load, plus, set, store, whole } from "../fields/kernels.js";

/** Arrays of one size that lie one after the other. */
export const ARRAYS_OF_WEIGHTS = ["weights", "gradient", "means", "squares", "averages"];

const [B1, B2, EPS] = [0.9, 0.999, 1e-8];
const NUMBERS = 8; // that a step is told
/** @type {(vector: number[]) => number[]} f32x4.sqrt */
const sqrt = (vector) => [...vector, 0xfd, 0xe3, 0x01];

/**
 * What step k (from 1) is told, in the order in which the kernel reads it.
 *
 * @param {number} k
 * @param {{ lr: number, decay: number, average: number, scale: number }} how  scale: of the gradient
 * @returns {number[]}
 */
export const stepNumbers = (k, { lr, decay, average, scale }) => [
  ...[scale, 1 - B1, 1 - B2, 1 / Math.sqrt(1 - B2 ** k), EPS],
  ...[1 - lr * decay, lr / (1 - B1 ** k), 1 - average],
];

/**
 * The program (arrays, numbers): where the first array is, and the numbers of the step.
 * @param {{ count: number }} shape  of each array, a multiple of four
 * @returns {import("../fields/kernels.js").Program}
 */
export function adam({ count }) {
  const { add, sub, mul, div, spread } = f32;
  return {
    takes: 2,
    build([arrays, numbers], { pointers, vectors }) {
      const [point] = pointers(1);
      const [w, g, m, v, average] = vectors(5);
      const told = vectors(NUMBERS);
      const [scale, share1, share2, unbias, eps, keep, rate, fresh] = told;
      /** @param {number} i */
      const from = (i) => load(point, 4 * count * i);
      /** @type {(z: number[], share: number[], to: number[]) => number[]} */
      const towards = (z, share, to) => set(z, add(z, mul(share, sub(to, z))));
      return [
        ...told.flatMap((one, i) => set(one, spread(numbers, 4 * i))),
        ...each(
          ...[point, arrays, plus(arrays, whole(4 * count)), 16],
          [w, g, m, v, average].flatMap((one, i) => set(one, from(i))),
          set(g, mul(g, scale)),
          towards(m, share1, g),
          towards(v, share2, mul(g, g)),
          set(w, sub(mul(w, keep), div(mul(rate, m), add(mul(sqrt(v), unbias), eps)))),
          towards(average, fresh, w),
          [w, g, m, v, average].flatMap((one, i) => (i === 1 ? [] : store(point, 4 * count * i, one))), // prettier-ignore
        ),
      ];
    },
  };
}

/**
 * The same in JavaScript.
 * @param {{ count: number }} shape
 * @param {Float32Array} memory
 */
export const plainAdam =
  ({ count }, memory) =>
  /** @type {(arrays: number, numbers: number) => void} */
  (arrays, numbers) => {
    const [scale, share1, share2, unbias, eps, keep, rate, fresh] = memory.subarray(numbers / 4);
    const [w, g, m, v, average] = ARRAYS_OF_WEIGHTS.map((_, i) =>
      memory.subarray(arrays / 4 + i * count, arrays / 4 + (i + 1) * count),
    );
    for (let i = 0; i < count; i++) {
      const slope = scale * g[i];
      m[i] += share1 * (slope - m[i]);
      v[i] += share2 * (slope * slope - v[i]);
      w[i] = w[i] * keep - (rate * m[i]) / (Math.sqrt(v[i]) * unbias + eps);
      average[i] += fresh * (w[i] - average[i]);
    }
  };
