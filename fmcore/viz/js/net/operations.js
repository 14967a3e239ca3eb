// The operations on pictures: each finds the room it needs, and says what is done once, for each time
// and label, and for each picture.

import { convolution } from "./convolution.js";
import { channelSums, normalised } from "./norm.js";
import { plainConvolution, plainNormalised, plainSums } from "./plain.js";
import { misfit } from "./plan.js";
import { pooled } from "./pool.js";

/** @typedef {import("./file.js").Operation} Operation */
/** @typedef {import("./plan.js").Plan} Plan */
/** @typedef {import("./plan.js").Picture} Picture */
/** @typedef {(o: number, i: number, y: number, x: number) => number} Pick  a weight */

/** @type {Record<string, (op: Operation, plan: Plan) => void>} */
export const PICTURE_OPERATIONS = {
  // weight (outputs, inputs, side, side), or (outputs, inputs); the size stays
  conv(op, plan) {
    const { shape, values } = plan.tensor(op.weight);
    const [, columns, side = 1] = shape;
    const [first, end] = op.columns ?? [0, columns];
    /** @type {Pick} */
    const pick = (o, i, y, x) => values[((o * columns + first + i) * side + y) * side + x];
    const from = source(op, plan, end - first);
    const to = plan.picture(op.to, shape[0], from.height, from.width);
    const before = (side - 1) / 2;
    if (before > plan.margin || side % 2 === 0) throw misfit(op.weight);
    convolve(op, plan, { side, before: [before, before], step: 1, spread: 1, pick, from, to })();
  },

  // weight (outputs, inputs, 4, 4); every second pixel
  down(op, plan) {
    const { shape, values } = plan.tensor(op.weight);
    /** @type {Pick} */
    const pick = (o, i, y, x) => values[((o * shape[1] + i) * 4 + y) * 4 + x];
    const from = source(op, plan, shape[1]);
    const to = plan.picture(op.to, shape[0], from.height / 2, from.width / 2);
    convolve(op, plan, { side: 4, before: [1, 1], step: 2, spread: 1, pick, from, to })();
  },

  // The transposed convolution, weight (inputs, outputs, 4, 4). An output in an even row sees the rows
  // 3 and 1 of the kernel, one in an odd row 2 and 0, and so with the columns: four convolutions.
  up(op, plan) {
    const { shape, values } = plan.tensor(op.weight);
    const from = source(op, plan, shape[0]);
    const to = plan.picture(op.to, shape[1], 2 * from.height, 2 * from.width);
    const parities = [0, 1, 2, 3].map((i) => [i >> 1, i & 1]);
    const pieces = parities.map(([a, b]) => {
      /** @type {Pick} */
      const pick = (o, i, y, x) =>
        values[((i * shape[1] + o) * 4 + 3 - a - 2 * y) * 4 + 3 - b - 2 * x];
      const before = [1 - a, 1 - b];
      return convolve(op, plan, { side: 2, before, step: 1, spread: 2, pick, from, to });
    });
    const affine = affineOf(op, plan, to);
    pieces.forEach((piece, i) => piece(affine, parities[i]));
  },

  norm(op, plan) {
    const [{ values: scales }, { values: shifts }] = [plan.tensor(op.weight), plan.tensor(op.bias)];
    const { groups = 1, eps = 0 } = op;
    const from = source(op, plan, scales.length);
    const { channels, padded, height, width, row } = from;
    const to = plan.picture(op.to, channels, height, width);
    const plane = { channels: padded, height, width, row };
    const sum = plan.kernel(channelSums, plainSums, plane);
    const apply = plan.kernel(normalised, plainNormalised, plane);
    const [sums, affine] = [plan.room(2 * padded), plan.room(2 * padded)];
    const each = channels / groups;
    const n = each * height * width;
    plan.late.push(() => {
      const { memory } = plan;
      sum(from.at, sums);
      for (let g = 0; g < channels; g += each) {
        let [first, second] = [0, 0];
        for (let c = g; c < g + each; c++) {
          first += memory[sums / 4 + c];
          second += memory[sums / 4 + padded + c];
        }
        const mean = first / n;
        const deviation = Math.sqrt(Math.max(0, second / n - mean * mean) + eps);
        for (let c = g; c < g + each; c++) {
          memory[affine / 4 + c] = scales[c] / deviation;
          memory[affine / 4 + padded + c] = shifts[c] - (mean * scales[c]) / deviation;
        }
      }
      apply(from.at, to.at, affine);
    });
  },

  pool(op, plan) {
    const from = source(op, plan);
    const to = plan.picture(op.to, from.channels, (from.height + 1) >> 1, (from.width + 1) >> 1);
    plan.late.push(() => pooled(plan.memory, from, to, op.kind === "max"));
  },

  flatten(op, plan) {
    const from = source(op, plan);
    plan.late.push(() => (plan.vectors[op.to] = readPicture(plan.memory, from)));
  },
};

/** @type {(op: Operation, plan: Plan, channels?: number) => Picture} */
function source({ from, weight }, { pictures }, channels) {
  if (!pictures[from] || (channels ?? pictures[from].channels) !== pictures[from].channels) {
    throw misfit(weight ?? from);
  }
  return pictures[from];
}

/**
 * Plans a convolution of one stride; what it returns plans the run itself, with the scales and shifts
 * at `affine` and from a place (y, x) of the target on.
 *
 * @param {Operation} op
 * @param {Plan} plan
 * @param {{ side: number, before: number[], step: number, spread: number, pick: Pick, from: Picture, to: Picture }} how
 */
function convolve(op, plan, { side, before, step, spread, pick, from, to }) {
  const other = op.plus ? plan.pictures[op.plus] : to;
  if (other?.row !== to.row || other.height !== to.height) throw misfit(op.plus);
  const run = plan.kernel(convolution, plainConvolution, {
    inputs: from.padded,
    outputs: to.padded,
    rows: side,
    columns: side,
    height: to.height / spread,
    width: to.width / spread,
    rowIn: from.row,
    rowOut: to.row,
    step,
    spread,
    adds: Boolean(op.plus),
    silu: Boolean(op.silu),
  });
  const weights = plan.room(from.padded * to.padded * side * side);
  plan.once.push(() => packWeights(plan.memory, weights / 4, pick, side, from, to));
  const begin = from.at - before[0] * from.row - before[1] * from.pixel;
  return (affine = affineOf(op, plan, to), [y, x] = /** @type {number[]} */ ([0, 0])) => {
    const shift = y * to.row + x * to.pixel;
    plan.late.push(() => run(begin, to.at + shift, weights, affine, other.at + shift));
  };
}

/**
 * Where the scale and the shift of each channel are. FiLM is h (1 + scale) + shift.
 * @type {(op: Operation, plan: Plan, to: Picture) => number}
 */
function affineOf({ film, shift, bias, silent }, plan, { channels, padded }) {
  const at = plan.room(2 * padded);
  if (silent) return at; // scales and shifts of 0
  const { vectors } = plan;
  const biases = shift ? null : plan.tensor(bias).values;
  if (biases && biases.length !== channels) throw misfit(bias);
  (film || shift ? plan.early : plan.once).push(() => {
    const shifts = biases ?? vectors[shift ?? ""];
    for (let c = 0; c < channels; c++) {
      const [scale, more] = film ? [1 + vectors[film][c], vectors[film][channels + c]] : [1, 0];
      plan.memory[at / 4 + c] = scale;
      plan.memory[at / 4 + padded + c] = scale * shifts[c] + more;
    }
  });
  return at;
}

/**
 * Weights in the order in which `convolution` reads them: for eight outputs (the last may be four)
 * those of all rows, columns and inputs.
 *
 * @type {(memory: Float32Array, at: number, pick: Pick, side: number, from: Picture, to: Picture) => void}
 */
function packWeights(memory, at, pick, side, from, to) {
  for (let block = 0; block < to.padded; block += 8) {
    const wide = Math.min(8, to.padded - block);
    const end = Math.min(block + wide, to.channels);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        for (let i = 0; i < from.channels; i++) {
          for (let o = block; o < end; o++) memory[at + i * wide + o - block] = pick(o, i, y, x);
        }
        at += from.padded * wide;
      }
    }
  }
}

/**
 * Channel by channel, as in PyTorch.
 * @type {(memory: Float32Array, picture: Picture, values?: ArrayLike<number>) => Float32Array}
 */
export function readPicture(memory, picture) {
  const values = new Float32Array(picture.channels * picture.height * picture.width);
  visit(picture, (at, i) => (values[i] = memory[at]));
  return values;
}

/** @type {(memory: Float32Array, picture: Picture, values: ArrayLike<number>) => void} */
export function writePicture(memory, picture, values) {
  visit(picture, (at, i) => (memory[at] = values[i]));
}

/** @type {(picture: Picture, each: (at: number, i: number) => void) => void} */
function visit({ channels, height, width, padded, row, at }, each) {
  let i = 0;
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) each((at + y * row) / 4 + c + x * padded, i++);
    }
  }
}
