// A trained network fmcore.networks.MLP from its weights: [x, y, embedding of t] through layers of
// SiLU units. Within one evaluation t is the same for all points, so what the embedding adds to the
// first layer is a bias.

import { assemble, each, f32, inBlocks, load, plus, set, store, whole } from "./kernels.js";

const POINTS = 64; // at a time: their activations stay in the cache
const ROW = 4 * POINTS; // bytes of one unit's activations
const LARGEST = 88; // exp of more is beyond single precision

/** out = silu(weight input + bias), four units by eight points at a time, sums kept in registers. */
function dense({ weight, bias, inputs, outputs, from, to, last }, { end, pointers, vectors }) {
  const { add, mul, div, min, exp, number, spread } = f32;
  const [b, w, out, i, k, stop] = pointers(6);
  const [left, right, one, p, q, r] = vectors(6);
  const units = [0, 1, 2, 3].map(() => vectors(2));
  const half = 16; // bytes of four points
  const silu = (z) =>
    last ? z : div(z, add(number(1), exp(min(mul(z, number(-1)), number(LARGEST)), p, q, r)));
  const add4 = units.map(([zl, zr], d) => [
    ...set(one, spread(w, 4 * d)),
    ...set(zl, add(zl, mul(one, left))),
    ...set(zr, add(zr, mul(one, right))),
  ]);
  return [
    ...set(w, whole(weight)),
    ...set(out, whole(to)),
    ...each(b, whole(bias), whole(bias + 4 * outputs), 16,
      each(i, whole(0), end, 2 * half,
        units.map((z, d) => z.map((part) => set(part, spread(b, 4 * d)))),
        set(stop, plus(plus(whole(from), i), whole(inputs * ROW))),
        each(k, plus(whole(from), i), stop, ROW,
          set(left, load(k)),
          set(right, load(k, half)),
          add4,
          set(w, plus(w, whole(16))),
        ),
        set(w, plus(w, whole(-16 * inputs))), // the same weights for the next points
        units.map(([zl, zr], d) => [
          store(plus(out, i), d * ROW, silu(zl)),
          store(plus(out, i), d * ROW + half, silu(zr)),
        ]),
      ),
      set(w, plus(w, whole(16 * inputs))),
      set(out, plus(out, whole(4 * ROW))),
    ),
  ];
}

export function mlp({ frequencies, layers }) {
  const enter = 2 + 2 * frequencies.length; // inputs of the first layer: x, y, cosines, sines
  let length = 0;
  const room = (amount) => (length += 4 * amount) - 4 * amount;
  const padded = layers.map(({ bias }) => 4 * Math.ceil(bias.length / 4));
  const rows = [0, 1].map(() => room(POINTS * Math.max(4, ...padded)));
  const plan = layers.map(({ weight, bias }, l) => {
    const inputs = l === 0 ? 2 : weight.length / bias.length;
    const outputs = padded[l];
    const [from, to] = [rows[l % 2], rows[(l + 1) % 2]];
    const places = { weight: room(inputs * outputs), bias: room(outputs) };
    return { ...places, inputs, outputs, from, to, last: l === layers.length - 1 };
  });
  const { run, buffer } = assemble(length, (locals) => plan.flatMap((one) => dense(one, locals)));
  const memory = new Float32Array(buffer);

  // Weights (out, in) go to memory four outputs at a time: (out / 4, in, 4), so that they are read
  // one after the other.
  plan.forEach(({ weight, bias, inputs }, l) => {
    const given = layers[l];
    const columns = given.weight.length / given.bias.length;
    given.bias.forEach((value, j) => {
      memory[bias / 4 + j] = value;
      for (let k = 0; k < inputs; k++) {
        memory[weight / 4 + ((j >> 2) * inputs + k) * 4 + (j & 3)] = given.weight[j * columns + k];
      }
    });
  });

  const half = frequencies.length;
  let ready = NaN;
  function prepare(t) {
    if (t === ready) return;
    const { weight, bias } = layers[0];
    bias.forEach((value, j) => {
      for (let k = 0; k < half; k++) {
        const angle = t * frequencies[k];
        value += weight[j * enter + 2 + k] * Math.cos(angle);
        value += weight[j * enter + 2 + half + k] * Math.sin(angle);
      }
      memory[plan[0].bias / 4 + j] = value;
    });
    ready = t;
  }

  const [{ from }, { to }] = [plan[0], plan.at(-1)];
  return {
    cost: plan.reduce((sum, { inputs, outputs }) => sum + inputs * outputs, 0) / 10,
    evaluate(t, x, y, n, u, v) {
      prepare(t);
      inBlocks(run, memory, [from, from + ROW, to, to + ROW], POINTS, x, y, n, u, v);
    },
  };
}
