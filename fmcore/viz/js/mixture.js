// The exact marginal velocity that carries N(0, I) to a Gaussian mixture or to a finite data set
// along x_t = a x1 + b x0 (fmcore.fields). Given the component k, with variance v = a² s² + b²,
//
//   E[x1 | x, k] = (b² m + a s² x) / v       E[x0 | x, k] = b (x - a m) / v
//   u_k(x)       = a' E[x1 | x, k] + b' E[x0 | x, k] = gain x + push
//
// and u(x) = sum_k p(k | x) u_k(x). Data points are components with s = 0.

import { assemble, each, f64, inBlocks, load, set, store, whole } from "./simd.js";

const PATHS = {
  OTPath: ({ sigma_min: sigma }) => (t) => ({ a: t, b: 1 - t + sigma * t, da: 1, db: sigma - 1 }),
  VPPath: ({ beta_min: low, beta_max: high }) => (t) => {
    const s = 1 - t;
    const integral = low * s + ((high - low) * s * s) / 2;
    const a = Math.exp(-integral / 2);
    const b = Math.sqrt(-Math.expm1(-integral));
    const da = ((low + (high - low) * s) * a) / 2;
    return { a, b, da, db: (-a * da) / b };
  },
  // Any other path: a, b and their slopes at even times, joined by cubics that have them all.
  table: ({ span: [t0, t1], a, b, da, db }) => (t) => {
    const h = (t1 - t0) / (a.length - 1);
    const i = Math.min(Math.max(Math.floor((t - t0) / h), 0), a.length - 2);
    const s = (t - t0) / h - i;
    const cubic = (z, dz) => {
      const rise = z[i + 1] - z[i];
      const [from, to] = [h * dz[i], h * dz[i + 1]];
      const [p, q] = [3 * rise - 2 * from - to, from + to - 2 * rise];
      return [z[i] + s * (from + s * (p + s * q)), (from + s * (2 * p + s * 3 * q)) / h];
    };
    const [[atA, slopeA], [atB, slopeB]] = [cubic(a, da), cubic(b, db)];
    return { a: atA, b: atB, da: slopeA, db: slopeB };
  },
};

// In the kernel's memory: blocks of points and of velocities, then for each component at time t
// its mean, 1 / 2 v, log weight, gain and push, with room for the log densities at two points.
const POINTS = 512;
const PLACES = [0, 1, 2, 3].map((i) => 8 * POINTS * i);
const TABLE = 8 * POINTS * 4;
const RECORD = 96;
const [MEAN, HALF, BASE, GAIN, PUSH, LOG] = [0, 16, 32, 40, 56, 80];

function kernel(count) {
  const { add, sub, mul, div, max, exp, number, spread } = f64;
  return assemble(TABLE + count * RECORD, ({ end, pointers, vectors }) => {
    const [i, k] = pointers(2);
    const [x, y, top, sum, u, v, w, p, q, r] = vectors(10);
    const all = (...body) => each(k, whole(TABLE), whole(TABLE + count * RECORD), RECORD, ...body);
    const square = (z, d) => [
      ...set(w, sub(z, spread(k, MEAN + d))),
      ...mul(mul(w, w), spread(k, HALF + d)),
    ];
    const velocity = (z, d) => mul(w, add(mul(spread(k, GAIN + d), z), spread(k, PUSH + d)));
    const [inX, inY, outU, outV] = PLACES;
    return each(i, whole(0), end, 16,
      set(x, load(i, inX)),
      set(y, load(i, inY)),
      set(top, number(-Infinity)),
      all(
        set(p, sub(sub(spread(k, BASE), square(x, 0)), square(y, 8))),
        store(k, LOG, p),
        set(top, max(top, p)),
      ),
      ...[sum, u, v].map((total) => set(total, number(0))),
      all(
        set(w, exp(sub(load(k, LOG), top), p, q, r)),
        set(sum, add(sum, w)),
        set(u, add(u, velocity(x, 0))),
        set(v, add(v, velocity(y, 8))),
      ),
      store(i, outU, div(u, sum)),
      store(i, outV, div(v, sum)),
    );
  });
}

export function mixture({ means, stds, weights, path }) {
  if (!PATHS[path.kind]) throw new Error(`no path of the kind "${path.kind}"`);
  const schedule = PATHS[path.kind](path);
  const count = weights.length;
  const { run, buffer } = kernel(count);
  const memory = new Float64Array(buffer);
  const record = (k) => memory.subarray((TABLE + k * RECORD) / 8, (TABLE + k * RECORD + LOG) / 8);
  const spread2 = (k, d, { a, b }) => a * a * stds[2 * k + d] ** 2 + b * b;
  let ready = NaN;

  /** Everything that depends on time alone, for each component. */
  function prepare(t) {
    if (t === ready) return;
    const at = schedule(t);
    const { a, b, da, db } = at;
    for (let k = 0; k < count; k++) {
      const to = record(k);
      to[BASE / 8] = Math.log(weights[k]);
      for (const d of [0, 1]) {
        const m = means[2 * k + d];
        const s2 = stds[2 * k + d] ** 2;
        const v = spread2(k, d, at);
        to[MEAN / 8 + d] = a * m;
        to[HALF / 8 + d] = 0.5 / v;
        to[BASE / 8] -= Math.log(v) / 2;
        to[GAIN / 8 + d] = (da * a * s2 + db * b) / v;
        to[PUSH / 8 + d] = (m * b * (da * b - db * a)) / v;
      }
    }
    ready = t;
  }

  return {
    cost: 14 * count,
    count,
    evaluate(t, x, y, n, u, v) {
      prepare(t);
      inBlocks(run, memory, PLACES, POINTS, x, y, n, u, v);
    },

    /** The point (a x1 + b x0) of the conditional path from x0 to x1. */
    along(t, x0, x1) {
      const { a, b } = schedule(t);
      return a * x1 + b * x0;
    },

    /** The conditional paths through (x, y) at time t, likeliest first, at most `limit`. */
    conditionals(t, x, y, limit) {
      prepare(t);
      const at = schedule(t);
      const { a, b, da, db } = at;
      const all = Array.from({ length: count }, (_, k) => {
        const of = record(k);
        let log = of[BASE / 8];
        const [from, to] = [[], []];
        [x, y].forEach((z, d) => {
          const v = spread2(k, d, at);
          const off = z - a * means[2 * k + d];
          log -= off * off * of[HALF / 8 + d];
          from.push((b * off) / v);
          to.push((b * b * means[2 * k + d] + a * stds[2 * k + d] ** 2 * z) / v);
        });
        const [u, v] = [0, 1].map((d) => da * to[d] + db * from[d]);
        return { log, from, to, u, v };
      });
      const top = Math.max(...all.map(({ log }) => log));
      const total = all.reduce((sum, { log }) => sum + Math.exp(log - top), 0);
      for (const one of all) one.weight = Math.exp(one.log - top) / total;
      return all.sort((p, q) => q.weight - p.weight).slice(0, limit);
    },
  };
}
