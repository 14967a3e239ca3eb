// fmcore.networks.MLP, learning: its loss on a batch, the gradient, and the step that follows. Each row
// of a batch has its own time, so that here the embedding is an input like the others. The bias of a
// layer is the weight of an input that is always 1.

import { KINDS, Plan } from "../net/plan.js";
import { adam, ARRAYS_OF_WEIGHTS, plainAdam, stepNumbers } from "./adam.js";
import { plainProduct, product } from "./products.js";

/** @typedef {{ x: Float64Array, y: Float64Array, t: Float64Array, u: Float64Array, v: Float64Array }} Batch  states, times, and the velocities that are to be found there */
/** @typedef {"weights" | "gradient" | "averages"} Which */

const ROWS = 64; // at a time: what is computed of them stays in the cache

/** @param {number} n */
const inFours = (n) => 4 * Math.ceil(n / 4);

export class Learner {
  steps = 0;

  /**
   * @param {{ frequencies: Numbers, hidden: number, depth: number }} network  hidden: a multiple of 4
   * @param {import("../net/plan.js").Kind[]} [kinds]  of kernels
   */
  constructor({ frequencies, hidden, depth }, kinds = KINDS) {
    this.frequencies = frequencies;
    const plan = new Plan(0, {});
    const sizes = [2 + 2 * frequencies.length, ...Array(depth).fill(hidden), 2];
    /** Of the layers; `at` is where the weights begin, in numbers from the first. */
    this.layers = sizes.slice(1).map((outputs, l) => {
      const inputs = sizes[l];
      return { inputs, outputs, rows: inFours(inputs + 1), columns: inFours(outputs), at: 0 };
    });
    this.count = 0; // of the weights of all layers, with what fills them up to fours
    for (const layer of this.layers) {
      layer.at = this.count;
      this.count += layer.rows * layer.columns;
    }
    this.arrays = plan.room(this.count * ARRAYS_OF_WEIGHTS.length);
    this.told = plan.room(8);
    this.adam = plan.kernel(adam, plainAdam, { count: this.count });
    this.passes = this.layers.map((layer, l) => this.#plan(plan, layer, this.layers[l - 1]));
    this.kind = plan.start(kinds);
    this.memory = plan.memory;
    for (const [l, { input }] of this.passes.entries()) {
      const { inputs, rows } = this.layers[l];
      for (let p = 0; p < ROWS; p++) this.memory[input / 4 + p * rows + inputs] = 1;
    }
  }

  /**
   * Where a layer finds its inputs and leaves what it computes, and its three products.
   * @param {Plan} plan
   * @param {Learner["layers"][0]} layer
   * @param {Learner["layers"][0]} [before]
   */
  #plan(plan, { inputs, rows, columns, outputs }, before) {
    const last = outputs === 2;
    const following = last ? 4 : inFours(outputs + 1); // numbers in a row of what it leaves
    /** @type {(shape: import("./products.js").ProductShape) => import("../net/plan.js").Run} */
    const kernel = (shape) => plan.kernel(product, plainProduct, shape);
    const [rowA, rowB, rowC] = [4 * rows, 4 * columns, 4 * following];
    return {
      input: plan.room(ROWS * rows),
      slope: plan.room(ROWS * columns), // of SiLU
      error: plan.room(ROWS * columns), // the derivative of the loss in the sums before SiLU
      turned: plan.room(columns * inFours(inputs)), // the weights the other way round
      ahead: kernel({ rows: ROWS, columns, depth: inputs + 1, rowA, stepA: 4, rowB, rowC, then: last ? "none" : "silu" }), // prettier-ignore
      grow: kernel({ rows, columns, depth: ROWS, rowA: 4, stepA: rowA, rowB, rowC: rowB, then: "adds" }), // prettier-ignore
      back: before
        ? kernel({ rows: ROWS, columns: before.columns, depth: columns, rowA: rowB, stepA: 4, rowB: 4 * before.columns, rowC: 4 * before.columns, then: "times" }) // prettier-ignore
        : null,
    };
  }

  /**
   * One of the arrays of weights, as the kernels have it.
   * @param {string} which
   */
  array(which) {
    const from = this.arrays / 4 + this.count * ARRAYS_OF_WEIGHTS.indexOf(which);
    return this.memory.subarray(from, from + this.count);
  }

  /**
   * The layers of the network as PyTorch has them, weight (outputs, inputs) and bias, in one list.
   * @param {Which} which
   * @returns {Float32Array[]}
   */
  read(which) {
    const array = this.array(which);
    return this.layers.flatMap(({ inputs, outputs, columns, at }) => {
      const weight = new Float32Array(inputs * outputs);
      for (let j = 0; j < outputs; j++) {
        for (let k = 0; k < inputs; k++) weight[j * inputs + k] = array[at + k * columns + j];
      }
      return [weight, array.slice(at + inputs * columns, at + inputs * columns + outputs)];
    });
  }

  /**
   * Begins anew with these weights, in the same order.
   * @param {ArrayLike<number>[]} tensors
   */
  write(tensors) {
    this.steps = 0;
    for (const which of ARRAYS_OF_WEIGHTS) this.array(which).fill(0);
    const array = this.array("weights");
    this.layers.forEach(({ inputs, outputs, columns, at }, l) => {
      const [weight, bias] = [tensors[2 * l], tensors[2 * l + 1]];
      array.set(bias, at + inputs * columns);
      for (let j = 0; j < outputs; j++) {
        for (let k = 0; k < inputs; k++) array[at + k * columns + j] = weight[j * inputs + k];
      }
    });
    this.array("averages").set(array);
  }

  /**
   * The loss on the batch, a mean over numbers as cfm_loss is.
   * @param {Batch} batch
   * @param {"weights" | "averages"} which
   */
  loss(batch, which) {
    let sum = 0;
    const n = batch.x.length;
    for (let from = 0; from < n; from += ROWS) sum += this.#ahead(batch, from, which);
    return sum / (2 * n);
  }

  /**
   * The same, and the gradient in the weights.
   * @param {Batch} batch
   */
  learn(batch) {
    const { memory, layers, passes, count, arrays } = this;
    this.array("gradient").fill(0);
    passes.forEach(({ turned }, l) => l && this.#turn(layers[l], turned / 4));
    const n = batch.x.length;
    let sum = 0;
    for (let from = 0; from < n; from += ROWS) {
      sum += this.#ahead(batch, from, "weights");
      const { error } = passes[passes.length - 1];
      for (let i = 0; i < 4 * ROWS; i++) memory[error / 4 + i] /= n;
      for (let l = passes.length - 1; l >= 0; l--) {
        const pass = passes[l];
        pass.grow(pass.input, pass.error, arrays + 4 * (count + layers[l].at), 0);
        if (!pass.back) continue;
        pass.back(pass.error, pass.turned, passes[l - 1].error, passes[l - 1].slope);
      }
    }
    return sum / (2 * n);
  }

  /**
   * Goes one step along the gradient.
   * @param {{ lr: number, decay: number, average: number, clip: number }} how  clip: its largest norm
   */
  step({ clip, ...how }) {
    const norm = Math.sqrt(this.array("gradient").reduce((sum, g) => sum + g * g, 0));
    const scale = norm > clip ? clip / norm : 1;
    this.memory.set(stepNumbers(++this.steps, { ...how, scale }), this.told / 4);
    this.adam(this.arrays, this.told);
  }

  /**
   * Some rows of the batch through all layers. Leaves v - u in the place of the last error, and
   * returns the sum of its squares.
   *
   * @param {Batch} batch
   * @param {number} from
   * @param {string} which
   */
  #ahead({ x, y, t, u, v }, from, which) {
    const { memory, frequencies, layers, passes, count, arrays } = this;
    const end = Math.min(from + ROWS, x.length);
    let at = passes[0].input / 4;
    const half = frequencies.length;
    for (let p = from; p < end; p++, at += layers[0].rows) {
      [memory[at], memory[at + 1]] = [x[p], y[p]];
      for (let k = 0; k < half; k++) {
        const angle = t[p] * frequencies[k];
        memory[at + 2 + k] = Math.cos(angle);
        memory[at + 2 + half + k] = Math.sin(angle);
      }
    }
    const base = arrays + 4 * count * ARRAYS_OF_WEIGHTS.indexOf(which);
    const { error } = passes[passes.length - 1];
    passes.forEach(({ ahead, input, slope }, l) => {
      ahead(input, base + 4 * layers[l].at, passes[l + 1]?.input ?? error, slope);
    });
    let sum = 0;
    const off = error / 4;
    for (let p = 0; p < ROWS; p++) {
      const row = from + p;
      for (const [d, to] of [u, v].entries()) {
        const e = row < end ? memory[off + 4 * p + d] - to[row] : 0;
        memory[off + 4 * p + d] = e;
        sum += e * e;
      }
    }
    return sum;
  }

  /** @type {(layer: Learner["layers"][0], to: number) => void} */
  #turn({ inputs, columns, at }, to) {
    const weights = this.array("weights");
    const wide = inFours(inputs);
    for (let k = 0; k < inputs; k++) {
      for (let j = 0; j < columns; j++) {
        this.memory[to + j * wide + k] = weights[at + k * columns + j];
      }
    }
  }
}
