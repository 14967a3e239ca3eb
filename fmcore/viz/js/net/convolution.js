// Convolutions of pictures whose pixels hold all their channels side by side, as implicit products of
// matrices: nothing is copied, for the inputs of one row of the kernel lie one after the other.
//
// A picture has a margin of zeros, so that no pixel is an exception. Channels are padded to fours.
// What is convolved: 3x3 and 5x5, 1x1, the strided 4x4, and one of the four 2x2 that the transposed
// 4x4 falls apart into (its outputs at even and odd rows and columns).

import { each, f32, load, minus, plus, set, store, whole } from "../fields/kernels.js";

/** @typedef {import("../fields/kernels.js").Code} Code */
/** @typedef {(a: Code, b: Code, c: Code) => Code} MultiplyAdd  a b + c */

/**
 * The shape of a convolution; bytes are those between neighbours in memory.
 * @typedef {object} Shape
 * @property {number} inputs  channels, a multiple of four
 * @property {number} outputs  likewise
 * @property {number} rows  of the kernel
 * @property {number} columns
 * @property {number} height  of what is computed, in pixels
 * @property {number} width
 * @property {number} rowIn  bytes of a row of the source
 * @property {number} rowOut  bytes of a row of the target
 * @property {number} step  pixels of the source from one output to the next
 * @property {number} spread  pixels of the target, likewise
 * @property {boolean} adds  another picture of the target's layout
 * @property {boolean} silu
 */

/** @type {MultiplyAdd} */
export const madd = (a, b, c) => f32.add(c, f32.mul(a, b));
const LARGEST = 87; // exp of more is beyond single precision

/**
 * z / (1 + exp(-z)); p, q, r: vectors for its use.
 * @type {(z: Code, p: Code, q: Code, r: Code) => Code}
 */
export const siluOf = (z, p, q, r) => {
  const { add, div, exp, min, mul, number } = f32;
  return div(z, add(number(1), exp(min(mul(z, number(-1)), number(LARGEST)), p, q, r)));
};

/**
 * A row as tiles of three and four pixels, and one of fewer where it is too short: [pixels, how many].
 * @param {number} width
 * @returns {[number, number][]}
 */
function tiles(width) {
  const threes = (4 - (width % 4)) % 4;
  /** @type {[number, number][]} */
  const split =
    3 * threes <= width
      ? [
          [4, (width - 3 * threes) / 4],
          [3, threes],
        ]
      : [
          [width % 3, 1],
          [3, Math.floor(width / 3)],
        ];
  return split.filter(([, count]) => count > 0);
}

/**
 * The program (source, target, weights, affine, other): target = scale (weights * source) + shift,
 * and then what the shape says. `source` is where the kernel's first row meets the first pixel,
 * `affine` holds all scales and then all shifts.
 *
 * A tile of four pixels by eight channels stays in registers while all inputs are summed.
 *
 * @param {Shape} shape
 * @param {MultiplyAdd} multiplyAdd
 * @returns {import("../fields/kernels.js").Program}
 */
export function convolution(shape, multiplyAdd) {
  const { inputs, outputs, rows, columns, height, width, rowIn, rowOut } = shape;
  const { step, spread, adds, silu } = shape;
  const { add, number, spread: splat } = f32;
  const depth = rows * columns * inputs;
  const [pixelIn, pixelOut] = [4 * inputs * step, 4 * outputs * spread];
  return {
    takes: 5,
    build([source, target, weights, affine, other], { pointers, vectors }) {
      const [w, x, y, r, k, d, row, end, block8, last] = pointers(10);
      const [a, p, q, z] = vectors(4);
      const b = vectors(2);
      const sums = [0, 1, 2, 3].map(() => vectors(2));

      /** @type {(pixels: number, wide: number) => Code} wide: in vectors of four channels */
      const tile = (pixels, wide) => {
        const parts = b.slice(0, wide);
        const inTile = sums.slice(0, pixels).map((pixel) => pixel.slice(0, wide));
        const one = (/** @type {number} */ u) => [
          ...parts.flatMap((part, j) => set(part, load(w, 16 * (u * wide + j)))),
          ...inTile.flatMap((pixel, i) => [
            ...set(a, splat(k, 4 * u + i * pixelIn)),
            ...pixel.flatMap((sum, j) => set(sum, multiplyAdd(a, parts[j], sum))),
          ]),
        ];
        const finish = parts.flatMap((scale, j) => [
          ...set(scale, load(affine, 16 * j)),
          ...inTile.flatMap((pixel, i) => {
            const at = i * pixelOut + 16 * j;
            const shifted = multiplyAdd(pixel[j], scale, load(affine, 4 * outputs + 16 * j));
            const whole4 = adds ? add(shifted, load(plus(d, other), at)) : shifted;
            return [...set(z, whole4), ...store(d, at, silu ? siluOf(z, a, p, q) : z)];
          }),
        ]);
        return [
          ...inTile.flat().flatMap((sum) => set(sum, number(0))),
          ...set(w, weights),
          ...each(
            ...[r, x, plus(x, whole(rows * rowIn)), rowIn],
            set(end, plus(r, whole(4 * columns * inputs))),
            each(k, r, end, 16, [0, 1, 2, 3].flatMap(one), set(w, plus(w, whole(64 * wide)))),
          ),
          ...finish,
          ...set(d, plus(d, whole(pixels * pixelOut))),
        ];
      };

      /** @type {(wide: number) => Code} the tiles of a whole picture, in so many channels */
      const block = (wide) => {
        let begun = 0;
        const along = tiles(width).flatMap(([pixels, count]) => {
          const from = plus(y, whole(begun * pixelIn));
          begun += pixels * count;
          const to = plus(y, whole(begun * pixelIn));
          return each(x, from, to, pixels * pixelIn, tile(pixels, wide));
        });
        return [
          ...set(row, target),
          ...each(
            ...[y, source, plus(source, whole(height * step * rowIn)), step * rowIn],
            set(d, row),
            along,
            set(row, plus(row, whole(spread * rowOut))),
          ),
          ...set(affine, plus(affine, whole(16 * wide))),
          ...set(target, plus(target, whole(16 * wide))),
          ...set(weights, plus(weights, whole(16 * wide * depth))),
        ];
      };

      const eights = Math.floor(outputs / 8);
      return [
        // From here on the distance of the other picture from the target.
        ...set(other, minus(other, target)),
        ...set(last, plus(weights, whole(eights * 32 * depth))),
        ...(eights ? each(block8, weights, last, 32 * depth, block(2)) : []),
        ...(outputs % 8 ? block(1) : []),
      ];
    },
  };
}
