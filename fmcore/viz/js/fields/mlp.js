// A trained network fmcore.networks.MLP from its weights: [x, y, embedding of t] through layers of
// SiLU units. Within one evaluation t is the same for all points, so what the embedding adds to the
// first layer is a bias.

import { silu, waves } from "./embedding.js";
import { each, f32, inBlocks, load, plus, set, store, tryAssemble, whole } from "./kernels.js";

/** @typedef {{ weight: Numbers, bias: Numbers }} Layer  weight: (outputs, inputs) */
/** @typedef {{ frequencies: Numbers, layers: Layer[] }} Weights  of an embedding, and what follows */

/**
 * Where a layer lies in the kernel's memory, in bytes.
 * @typedef {object} Plan
 * @property {number} weight
 * @property {number} bias
 * @property {number} inputs
 * @property {number} outputs  a multiple of four
 * @property {number} from  where its inputs are, a row of points for each
 * @property {number} to  and its outputs
 * @property {boolean} last  without SiLU
 */

const POINTS = 64; // at a time: their activations stay in the cache
const ROW = 4 * POINTS; // bytes of one unit's activations
const LARGEST = 88; // exp of more is beyond single precision

/**
 * The kernel's program for a layer: out = silu(weight input + bias), four units by eight points at a
 * time, sums kept in registers.
 *
 * @param {Plan} plan
 * @param {import("./kernels.js").Locals} locals
 */
function dense({ weight, bias, inputs, outputs, from, to, last }, { end, pointers, vectors }) {
  const { add, mul, div, min, exp, number, spread } = f32;
  const [b, w, out, point, k, stop] = pointers(6);
  const [left, right, one, p, q, r] = vectors(6);
  const units = [0, 1, 2, 3].map(() => vectors(2));
  const half = 16; // bytes of four points
  /** @param {number[]} z */
  const activate = (z) =>
    last ? z : div(z, add(number(1), exp(min(mul(z, number(-1)), number(LARGEST)), p, q, r)));
  const addInput = units.flatMap(([zl, zr], d) => [
    ...set(one, spread(w, 4 * d)),
    ...set(zl, add(zl, mul(one, left))),
    ...set(zr, add(zr, mul(one, right))),
  ]);
  const input = plus(whole(from), point);
  return [
    ...set(w, whole(weight)),
    ...set(out, whole(to)),
    ...each(
      ...[b, whole(bias), whole(bias + 4 * outputs), 16],
      each(
        ...[point, whole(0), end, 2 * half],
        units.flatMap((z, d) => z.flatMap((part) => set(part, spread(b, 4 * d)))),
        set(stop, plus(input, whole(inputs * ROW))),
        each(
          ...[k, input, stop, ROW],
          set(left, load(k)),
          set(right, load(k, half)),
          addInput,
          set(w, plus(w, whole(16))),
        ),
        set(w, plus(w, whole(-16 * inputs))), // the same weights for the next points
        units.flatMap(([zl, zr], d) => [
          ...store(plus(out, point), d * ROW, activate(zl)),
          ...store(plus(out, point), d * ROW + half, activate(zr)),
        ]),
      ),
      set(w, plus(w, whole(16 * inputs))),
      set(out, plus(out, whole(4 * ROW))),
    ),
  ];
}

/**
 * Room for all layers, one after the other, and for two sets of activations that take turns.
 * @param {Layer[]} layers
 * @returns {{ length: number, plan: Plan[] }}
 */
function layOut(layers) {
  let length = 0;
  /** @param {number} numbers */
  const room = (numbers) => (length += 4 * numbers) - 4 * numbers;
  const padded = layers.map(({ bias }) => 4 * Math.ceil(bias.length / 4));
  const rows = [0, 1].map(() => room(POINTS * Math.max(4, ...padded)));
  const plan = layers.map(({ weight, bias }, l) => {
    const inputs = l === 0 ? 2 : weight.length / bias.length;
    const outputs = padded[l];
    const [from, to] = [rows[l % 2], rows[(l + 1) % 2]];
    const places = { weight: room(inputs * outputs), bias: room(outputs) };
    return { ...places, inputs, outputs, from, to, last: l === layers.length - 1 };
  });
  return { length, plan };
}

/**
 * Weights (out, in) go to memory four outputs at a time: (out / 4, in, 4), so that they are read one
 * after the other.
 *
 * @param {Float32Array} memory
 * @param {Plan[]} plan
 * @param {Layer[]} layers
 */
function fill(memory, plan, layers) {
  plan.forEach(({ weight: to, bias: toBias, inputs }, l) => {
    const { weight, bias } = layers[l];
    const columns = weight.length / bias.length;
    memory.set(bias, toBias / 4);
    for (let j = 0; j < bias.length; j++) {
      for (let k = 0; k < inputs; k++) {
        memory[to / 4 + ((j >> 2) * inputs + k) * 4 + (j & 3)] = weight[j * columns + k];
      }
    }
  });
}

/** @type {(data: Weights) => Field} */
export const mlp = ({ frequencies, layers }) => network(layers, (t) => waves(frequencies, t))(0);

/**
 * The network with whatever embedding of the time t, and of a number h: a field for each h.
 *
 * @param {Layer[]} layers
 * @param {(t: number, h: number) => number[]} embed
 * @returns {(h: number) => Field}
 */
export function network(layers, embed) {
  const { length, plan } = layOut(layers);
  const kernel = tryAssemble(length, (locals) => plan.flatMap((layer) => dense(layer, locals)));
  const memory = kernel && new Float32Array(kernel.buffer);
  const firstBias = new Float64Array(layers[0].bias.length);
  /** @type {number[]} the time of the first bias, and its h */
  let biasIs = [];

  /** Takes over the weights as they are now. */
  const refresh = () => {
    if (memory) fill(memory, plan, layers);
    biasIs = [];
  };
  refresh();

  /** @type {(t: number, h: number) => void} */
  function prepare(t, h) {
    if (t === biasIs[0] && h === biasIs[1]) return;
    const embedding = embed(t, h);
    const enter = 2 + embedding.length; // inputs of the first layer: x, y, and the embedding
    const { weight, bias } = layers[0];
    for (let j = 0; j < bias.length; j++) {
      firstBias[j] = bias[j];
      embedding.forEach((z, k) => (firstBias[j] += weight[j * enter + 2 + k] * z));
    }
    memory?.set(firstBias, plan[0].bias / 4);
    biasIs = [t, h];
  }

  const widest = Math.max(...plan.map(({ outputs }) => outputs));
  const activations = [new Float64Array(widest), new Float64Array(widest)];

  /** @type {Evaluate} */
  function compute(_, x, y, n, u, v) {
    for (let p = 0; p < n; p++) {
      let [from, to] = activations;
      [from[0], from[1]] = [x[p], y[p]];
      layers.forEach(({ weight, bias }, l) => {
        const { inputs, last } = plan[l];
        const columns = weight.length / bias.length;
        for (let j = 0; j < bias.length; j++) {
          let z = l === 0 ? firstBias[j] : bias[j];
          for (let k = 0; k < inputs; k++) z += weight[j * columns + k] * from[k];
          to[j] = last ? z : silu(z);
        }
        [from, to] = [to, from];
      });
      [u[p], v[p]] = from;
    }
  }

  const [{ from }, { to }] = [plan[0], plan[plan.length - 1]];
  const places = [from, from + ROW, to, to + ROW];
  /** @type {Evaluate | null} */
  const fast =
    memory && ((_, x, y, n, u, v) => inBlocks(kernel, memory, places, POINTS, x, y, n, u, v));
  const products = plan.reduce((sum, { inputs, outputs }) => sum + inputs * outputs, 0);
  const cost = memory ? products / 10 : products;
  return (h) => {
    /** @type {(run: Evaluate) => Evaluate} */
    const prepared =
      (run) =>
      (t, ...rest) => {
        prepare(t, h);
        run(t, ...rest);
      };
    const plain = prepared(compute);
    return { cost, evaluate: fast ? prepared(fast) : plain, plain, refresh };
  };
}
