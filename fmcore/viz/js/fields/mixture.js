// The exact marginal velocity that carries N(0, I) to a Gaussian mixture or to a finite data set
// along x_t = a x1 + b x0 (fmcore.fields). Given the component k, with variance v = a² s² + b²,
//
//   E[x1 | x, k] = (b² m + a s² x) / v       E[x0 | x, k] = b (x - a m) / v
//   u_k(x)       = a' E[x1 | x, k] + b' E[x0 | x, k] = gain x + push
//
// and u(x) = sum_k p(k | x) u_k(x). Data points are components with s = 0. The score of component k is
// (a m - x) / v, also linear in x, so that u + c score is the same sum with other gains and pushes.

import { each, f64, inBlocks, load, set, store, tryAssemble, whole } from "./kernels.js";
import { pathOf } from "./paths.js";

/** @typedef {import("./paths.js").Coefficients} Coefficients */

// The memory, in numbers of eight bytes: blocks of points and of velocities, then a table with a
// record for each component at time t.
const POINTS = 512;
const [IN_X, IN_Y, OUT_U, OUT_V, TABLE] = [0, 1, 2, 3, 4].map((i) => i * POINTS);
// A record: the mean, 1 / 2 v, the log weight, gain and push, of x and of y where there are two, and
// room for the log densities at two points.
const [MEAN, HALF, BASE, GAIN, PUSH, LOG, RECORD] = [0, 2, 4, 5, 7, 10, 12];

/**
 * The kernel's program: what `plain` computes, for two points at a time.
 * @param {number} count
 * @param {import("./kernels.js").Locals} locals
 */
function program(count, { end, pointers, vectors }) {
  const { add, sub, mul, div, max, exp, number, spread } = f64;
  const [point, k] = pointers(2);
  const [x, y, top, sum, u, v, w, p, q, r] = vectors(10);
  const [table, tableEnd] = [whole(8 * TABLE), whole(8 * (TABLE + count * RECORD))];
  /** @param {number[][]} body */
  const eachComponent = (...body) => each(k, table, tableEnd, 8 * RECORD, ...body);
  /** @param {number} index */
  const entry = (index) => spread(k, 8 * index);
  /** @type {(z: number[], d: number) => number[]} */
  const square = (z, d) => [...set(w, sub(z, entry(MEAN + d))), ...mul(mul(w, w), entry(HALF + d))];
  /** @type {(z: number[], d: number) => number[]} */
  const velocity = (z, d) => mul(w, add(mul(entry(GAIN + d), z), entry(PUSH + d)));
  return each(
    ...[point, whole(0), end, 16],
    set(x, load(point, 8 * IN_X)),
    set(y, load(point, 8 * IN_Y)),
    set(top, number(-Infinity)),
    eachComponent(
      set(p, sub(sub(entry(BASE), square(x, 0)), square(y, 1))),
      store(k, 8 * LOG, p),
      set(top, max(top, p)),
    ),
    ...[sum, u, v].map((total) => set(total, number(0))),
    eachComponent(
      set(w, exp(sub(load(k, 8 * LOG), top), p, q, r)),
      set(sum, add(sum, w)),
      set(u, add(u, velocity(x, 0))),
      set(v, add(v, velocity(y, 1))),
    ),
    store(point, 8 * OUT_U, div(u, sum)),
    store(point, 8 * OUT_V, div(v, sum)),
  );
}

/**
 * @param {{ means: Numbers, stds: Numbers, weights: Numbers, path: { kind: string } }} data
 * @returns {Field}
 */
export function mixture({ means, stds, weights, path }) {
  const coefficients = pathOf(path);
  const count = weights.length;
  const length = TABLE + count * RECORD;
  const kernel = tryAssemble(8 * length, (locals) => program(count, locals));
  const memory = kernel ? new Float64Array(kernel.buffer) : new Float64Array(length);
  const table = memory.subarray(TABLE, length);
  /** @type {number[]} the time of the table, and its noise */
  let tableIs = [];

  /** @type {(k: number, d: number, at: Coefficients) => number} */
  const variance = (k, d, { a, b }) => a * a * stds[2 * k + d] ** 2 + b * b;

  /**
   * Everything that depends on time and noise alone, for each component.
   * @param {number} t
   */
  function prepare(t, noise = 0) {
    if (t === tableIs[0] && noise === tableIs[1]) return;
    const at = coefficients(t);
    const { a, b, da, db } = at;
    const c = (noise * b) ** 2 / 2; // of the score; 0 with b, where there is no score
    for (let k = 0; k < count; k++) {
      const record = k * RECORD;
      table[record + BASE] = Math.log(weights[k]);
      for (const d of [0, 1]) {
        const m = means[2 * k + d];
        const s2 = stds[2 * k + d] ** 2;
        const v = variance(k, d, at);
        table[record + MEAN + d] = a * m;
        table[record + HALF + d] = 0.5 / v;
        table[record + BASE] -= Math.log(v) / 2;
        table[record + GAIN + d] = (da * a * s2 + db * b - c) / v;
        table[record + PUSH + d] = (m * (b * (da * b - db * a) + a * c)) / v;
      }
    }
    tableIs = [t, noise];
  }

  /**
   * log p(k, x) + a constant, for the component whose record begins there.
   * @type {(record: number, x: number, y: number) => number}
   */
  function logDensity(record, x, y) {
    const dx = x - table[record + MEAN];
    const dy = y - table[record + MEAN + 1];
    return (
      table[record + BASE] - dx * dx * table[record + HALF] - dy * dy * table[record + HALF + 1]
    );
  }

  /** @type {Evaluate} */
  function compute(_, x, y, n, u, v) {
    for (let p = 0; p < n; p++) {
      let top = -Infinity;
      for (let record = 0; record < table.length; record += RECORD) {
        top = Math.max(top, (table[record + LOG] = logDensity(record, x[p], y[p])));
      }
      let [sum, su, sv] = [0, 0, 0];
      for (let record = 0; record < table.length; record += RECORD) {
        const w = Math.exp(table[record + LOG] - top);
        sum += w;
        su += w * (table[record + GAIN] * x[p] + table[record + PUSH]);
        sv += w * (table[record + GAIN + 1] * y[p] + table[record + PUSH + 1]);
      }
      u[p] = su / sum;
      v[p] = sv / sum;
    }
  }

  const places = [IN_X, IN_Y, OUT_U, OUT_V].map((place) => 8 * place);
  /** @type {Evaluate | null} */
  const fast =
    kernel && ((_, x, y, n, u, v) => inBlocks(kernel, memory, places, POINTS, x, y, n, u, v));
  /** @type {(run: Evaluate, noise?: number) => Evaluate} */
  const prepared = (run, noise) => (t, x, y, n, u, v) => {
    prepare(t, noise);
    run(t, x, y, n, u, v);
  };
  const plain = prepared(compute);

  return {
    cost: (kernel ? 14 : 50) * count,
    count,
    evaluate: fast ? prepared(fast) : plain,
    plain,

    // dx = (u + g²/2 score) dt + g dW has the marginals of dx = u dt (fmcore.stochastic); g = noise b.
    noisy: (noise) => ({
      drift: prepared(fast ?? compute, noise),
      g: (t) => noise * coefficients(t).b,
    }),

    // The density at time t of x (d = 0) or y (d = 1) at the points z, with no component narrower
    // than `least`.
    density(t, d, z, least) {
      const at = coefficients(t);
      const p = new Float64Array(z.length);
      for (let k = 0; k < count; k++) {
        const s = Math.max(Math.sqrt(variance(k, d, at)), least);
        const [m, top] = [at.a * means[2 * k + d], weights[k] / (s * Math.sqrt(2 * Math.PI))];
        for (let i = 0; i < z.length; i++) p[i] += top * Math.exp(-(((z[i] - m) / s) ** 2) / 2);
      }
      return p;
    },

    // The point a x1 + b x0 of the conditional path from x0 to x1.
    along(t, x0, x1) {
      const { a, b } = coefficients(t);
      return a * x1 + b * x0;
    },

    // The conditional paths through (x, y) at time t, likeliest first, at most `limit`.
    conditionals(t, x, y, limit) {
      prepare(t);
      const at = coefficients(t);
      const { a, b, da, db } = at;
      /** @type {(k: number, d: number, z: number) => number} */
      const from = (k, d, z) => (b * (z - a * means[2 * k + d])) / variance(k, d, at);
      /** @type {(k: number, d: number, z: number) => number} */
      const to = (k, d, z) =>
        (b * b * means[2 * k + d] + a * stds[2 * k + d] ** 2 * z) / variance(k, d, at);
      const logs = Array.from({ length: count }, (_, k) => logDensity(k * RECORD, x, y));
      const top = Math.max(...logs);
      const total = logs.reduce((sum, log) => sum + Math.exp(log - top), 0);
      const all = logs.map((log, k) => {
        /** @type {Point} */
        const x0 = [from(k, 0, x), from(k, 1, y)];
        /** @type {Point} */
        const x1 = [to(k, 0, x), to(k, 1, y)];
        const [u, v] = [0, 1].map((d) => da * x1[d] + db * x0[d]);
        return { weight: Math.exp(log - top) / total, from: x0, to: x1, u, v };
      });
      return all.sort((p, q) => q.weight - p.weight).slice(0, limit);
    },
  };
}
