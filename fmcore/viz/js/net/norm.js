// Group normalisation and SiLU of a picture, in two passes: the sums of each channel and of its
// squares; then silu(scale x + shift), with what the first pass makes of the two.

import { each, f32, load, plus, set, store, whole } from "../fields/kernels.js";
import { siluOf } from "./convolution.js";

/**
 * @typedef {object} Plane
 * @property {number} channels  a multiple of four
 * @property {number} height
 * @property {number} width
 * @property {number} row  bytes
 */

/**
 * The program (source, sums): the sum of each channel, and behind all of them those of the squares.
 * The margin within is zero, and does not matter.
 *
 * @param {Plane} plane
 * @returns {import("../fields/kernels.js").Program}
 */
export function channelSums({ channels, height, width, row }) {
  const { add, mul, number } = f32;
  const pixel = 4 * channels;
  const length = (height - 1) * row + width * pixel;
  return {
    takes: 2,
    build([source, sums], { pointers, vectors }) {
      const [at, end] = pointers(2);
      const [z] = vectors(1);
      const found = [0, 1, 2, 3].map(() => vectors(2));
      /** @type {(from: number) => Code} four times four channels, or those that are left */
      const some = (from) => {
        const here = found.slice(0, Math.min(4, channels / 4 - from));
        return [
          ...here.flat().flatMap((sum) => set(sum, number(0))),
          ...set(end, plus(source, whole(length))),
          ...each(
            ...[at, source, end, pixel],
            here.flatMap(([first, second], j) => [
              ...set(z, load(at, 16 * (from + j))),
              ...set(first, add(first, z)),
              ...set(second, add(second, mul(z, z))),
            ]),
          ),
          ...here.flatMap(([first, second], j) => [
            ...store(sums, 16 * (from + j), first),
            ...store(sums, 16 * (from + j) + pixel, second),
          ]),
        ];
      };
      const blocks = Math.ceil(channels / 16);
      return Array.from({ length: blocks }, (_, i) => some(4 * i)).flat();
    },
  };
}

/** @typedef {import("../fields/kernels.js").Code} Code */

/**
 * The program (source, target, affine): target = silu(scale source + shift), channel by channel.
 *
 * @param {Plane} plane
 * @param {import("./convolution.js").MultiplyAdd} multiplyAdd
 * @returns {import("../fields/kernels.js").Program}
 */
export function normalised({ channels, height, width, row }, multiplyAdd) {
  const pixel = 4 * channels;
  return {
    takes: 3,
    build([source, target, affine], { pointers, vectors }) {
      const [y, x, c, end] = pointers(4);
      const [z, p, q, r] = vectors(4);
      return each(
        ...[y, whole(0), whole(height * row), row],
        set(end, plus(y, whole(width * pixel))),
        each(
          ...[x, y, end, pixel],
          each(
            ...[c, whole(0), whole(pixel), 16],
            set(z, load(plus(source, plus(x, c)))),
            set(z, multiplyAdd(z, load(plus(affine, c)), load(plus(affine, c), pixel))),
            store(plus(target, plus(x, c)), 0, siluOf(z, p, q, r)),
          ),
        ),
      );
    },
  };
}
