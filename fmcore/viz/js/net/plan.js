// The plan of a network: where its pictures and weights lie in memory, which kernels it needs, and
// what is done when.

import { assemble, relaxedMadd } from "../fields/kernels.js";
import { madd } from "./convolution.js";

/** @typedef {(...numbers: number[]) => void} Run */
/** @typedef {"relaxed" | "simd" | "plain"} Kind  of kernels: the first two are WebAssembly */
/** @typedef {(shape: any, multiplyAdd: import("./convolution.js").MultiplyAdd) => import("../fields/kernels.js").Program} Write */
/** @typedef {(shape: any, memory: Float32Array) => Run} Substitute  the same in JavaScript */

/**
 * A picture whose pixels hold all their channels, padded to fours, within a margin of zeros.
 * @typedef {object} Picture
 * @property {number} channels
 * @property {number} padded  channels
 * @property {number} height
 * @property {number} width
 * @property {number} pixel  bytes
 * @property {number} row  bytes of a row with its margin, which is also that before the next row
 * @property {number} at  where the first pixel is, in bytes
 */

/** @type {Kind[]} the fastest first */
export const KINDS = ["relaxed", "simd", "plain"];

/** @param {string} [name] */
export const misfit = (name) =>
  new Error(`the weights are of another architecture: ${name} does not fit`);

export class Plan {
  memory = new Float32Array(0);
  /** @type {Record<string, Picture>} */
  pictures = {};
  /** @type {import("./vectors.js").Vectors} */
  vectors = {};
  /** @type {(() => void)[]} what is done once the memory is there */
  once = [];
  /** @type {(() => void)[]} for each time and label */
  early = [];
  /** @type {(() => void)[]} for each picture */
  late = [];
  length = 0; // bytes
  /** @type {Map<string, { write: Write, substitute: Substitute, shape: any, run: Run | null }>} */
  kernels = new Map();

  /**
   * @param {number} margin  pixels
   * @param {Record<string, import("./file.js").Tensor>} tensors
   */
  constructor(margin, tensors) {
    this.margin = margin;
    this.tensors = tensors;
  }

  /** @param {string} [name] */
  tensor(name = "") {
    if (!this.tensors[name]) throw misfit(name);
    return this.tensors[name];
  }

  /**
   * Room for so many numbers of single precision: where it begins, in bytes.
   * @param {number} numbers
   */
  room(numbers) {
    const begin = this.length;
    this.length += 16 * Math.ceil(numbers / 4);
    return begin;
  }

  /** @type {(name: string, channels: number, height: number, width: number) => Picture} */
  picture(name, channels, height, width) {
    const old = this.pictures[name];
    if (old) {
      const same = old.channels === channels && old.height === height && old.width === width;
      if (!same) throw misfit(name);
      return old;
    }
    const { margin } = this;
    const padded = 4 * Math.ceil(channels / 4);
    const pixel = 4 * padded;
    const row = pixel * (width + margin);
    const begin = this.room(((height + 2 * margin) * row + margin * pixel) / 4);
    const at = begin + margin * (row + pixel);
    return (this.pictures[name] = { channels, padded, height, width, pixel, row, at });
  }

  /**
   * The kernel for a shape: one for all alike.
   * @type {(write: Write, substitute: Substitute, shape: any) => Run}
   */
  kernel(write, substitute, shape) {
    const key = write.name + JSON.stringify(shape);
    const one = this.kernels.get(key) ?? { write, substitute, shape, run: null };
    this.kernels.set(key, one);
    return (...numbers) => /** @type {Run} */ (one.run)(...numbers);
  }

  /**
   * Makes the memory and the kernels, of the first kind that this browser allows.
   * @param {Kind[]} kinds
   */
  start(kinds) {
    const wanted = [...this.kernels.values()];
    const kind = kinds.find((name) => {
      if (name === "plain") {
        this.memory = new Float32Array(this.length / 4);
        for (const one of wanted) one.run = one.substitute(one.shape, this.memory);
        return true;
      }
      const multiplyAdd = name === "relaxed" ? relaxedMadd : madd;
      try {
        const programs = wanted.map(({ write, shape }) => write(shape, multiplyAdd));
        const { runs, buffer } = assemble(this.length, programs);
        this.memory = new Float32Array(buffer);
        wanted.forEach((one, i) => (one.run = runs[i]));
        return true;
      } catch {
        return false; // missing, or forbidden
      }
    });
    for (const step of this.once) step();
    return kind;
  }
}
