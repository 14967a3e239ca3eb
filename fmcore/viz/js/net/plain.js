// What the kernels compute, in JavaScript: their meaning, and their substitute where WebAssembly or
// its vectors are missing or forbidden. Addresses are bytes, as theirs are.

import { silu } from "../fields/embedding.js";

/**
 * As `convolution`.
 * @param {import("./convolution.js").Shape} shape
 * @param {Float32Array} memory
 */
export function plainConvolution(shape, memory) {
  const { inputs, outputs, rows, columns, height, width, step, spread } = shape;
  const [rowIn, rowOut] = [shape.rowIn / 4, shape.rowOut / 4];
  const depth = rows * columns * inputs;
  const sums = new Float64Array(8);

  /** @type {(source: number, target: number, weights: number, affine: number, other: number) => void} */
  return (source, target, weights, affine, other) => {
    const [from, to, scale, plus] = [source / 4, target / 4, affine / 4, other / 4];
    for (let block = 0; block < outputs; block += 8) {
      const wide = Math.min(8, outputs - block);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const first = from + y * step * rowIn + x * step * inputs;
          let w = weights / 4 + block * depth;
          sums.fill(0);
          for (let r = 0; r < rows; r++) {
            const begin = first + r * rowIn;
            for (let k = begin; k < begin + columns * inputs; k++, w += wide) {
              const input = memory[k];
              for (let j = 0; j < wide; j++) sums[j] += input * memory[w + j];
            }
          }
          const at = y * spread * rowOut + x * spread * outputs + block;
          for (let j = 0; j < wide; j++) {
            const c = scale + block + j;
            let z = sums[j] * memory[c] + memory[c + outputs];
            if (shape.adds) z += memory[plus + at + j];
            memory[to + at + j] = shape.silu ? silu(z) : z;
          }
        }
      }
    }
  };
}

/**
 * As `channelSums`.
 * @param {import("./norm.js").Plane} plane
 * @param {Float32Array} memory
 */
export function plainSums({ channels, height, width, row }, memory) {
  const length = ((height - 1) * row) / 4 + width * channels;
  /** @type {(source: number, sums: number) => void} */
  return (source, sums) => {
    for (let c = 0; c < channels; c++) {
      let [first, second] = [0, 0];
      for (let at = source / 4 + c; at < source / 4 + length; at += channels) {
        first += memory[at];
        second += memory[at] ** 2;
      }
      memory[sums / 4 + c] = first;
      memory[sums / 4 + channels + c] = second;
    }
  };
}

/**
 * As `normalised`.
 * @param {import("./norm.js").Plane} plane
 * @param {Float32Array} memory
 */
export function plainNormalised({ channels, height, width, row }, memory) {
  /** @type {(source: number, target: number, affine: number) => void} */
  return (source, target, affine) => {
    for (let y = 0; y < height; y++) {
      for (let i = 0; i < width * channels; i++) {
        const [at, c] = [(y * row) / 4 + i, affine / 4 + (i % channels)];
        memory[target / 4 + at] = silu(memory[source / 4 + at] * memory[c] + memory[c + channels]);
      }
    }
  };
}
