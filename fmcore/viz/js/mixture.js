// The exact marginal velocity that carries N(0, I) to a Gaussian mixture or to a finite data set
// along x_t = a x1 + b x0 (fmcore.fields). Given the component k, with variance v = a² s² + b²,
//
//   E[x1 | x, k] = (b² m + a s² x) / v       E[x0 | x, k] = b (x - a m) / v
//   u_k(x)       = a' E[x1 | x, k] + b' E[x0 | x, k] = gain x + push
//
// and u(x) = sum_k p(k | x) u_k(x). Data points are components with s = 0.

import { expNegative } from "./exp.js";

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
};

// A component this far below the likeliest one, in logarithms, changes no digit of the mean.
const NEGLIGIBLE = -40;

export function mixture({ means, stds, weights, path }) {
  if (!PATHS[path.kind]) throw new Error(`this figure knows no path of the kind "${path.kind}"`);
  const schedule = PATHS[path.kind](path);
  const count = weights.length;
  const [mx, my, ix, iy, gx, gy, px, py, base, logs] = Array.from(
    { length: 10 },
    () => new Float64Array(count),
  );
  let ready = NaN;

  /** Everything that depends on time alone, for each component. */
  function prepare(t) {
    if (t === ready) return;
    const { a, b, da, db } = schedule(t);
    const fill = (k, d, mean, inverse, gain, push) => {
      const m = means[2 * k + d];
      const s2 = stds[2 * k + d] ** 2;
      const v = a * a * s2 + b * b;
      mean[k] = a * m;
      inverse[k] = 0.5 / v;
      gain[k] = (da * a * s2 + db * b) / v;
      push[k] = (m * b * (da * b - db * a)) / v;
      return Math.log(v) / 2;
    };
    for (let k = 0; k < count; k++) {
      const spread = fill(k, 0, mx, ix, gx, px) + fill(k, 1, my, iy, gy, py);
      base[k] = Math.log(weights[k]) - spread;
    }
    ready = t;
  }

  return {
    cost: 14 * count,
    count,
    evaluate(t, x, y, n, u, v) {
      prepare(t);
      for (let i = 0; i < n; i++) {
        const xi = x[i];
        const yi = y[i];
        let top = -Infinity;
        for (let k = 0; k < count; k++) {
          const dx = xi - mx[k];
          const dy = yi - my[k];
          const log = base[k] - dx * dx * ix[k] - dy * dy * iy[k];
          logs[k] = log;
          if (log > top) top = log;
        }
        let sum = 0;
        let su = 0;
        let sv = 0;
        for (let k = 0; k < count; k++) {
          const log = logs[k] - top;
          if (log < NEGLIGIBLE) continue;
          const w = expNegative(log);
          sum += w;
          su += w * (gx[k] * xi + px[k]);
          sv += w * (gy[k] * yi + py[k]);
        }
        u[i] = su / sum;
        v[i] = sv / sum;
      }
    },

    /** The point (a x1 + b x0) of the conditional path from x0 to x1. */
    along(t, x0, x1) {
      const { a, b } = schedule(t);
      return a * x1 + b * x0;
    },

    /** The conditional paths through (x, y) at time t, likeliest first, at most `limit`. */
    conditionals(t, x, y, limit) {
      const { a, b, da, db } = schedule(t);
      prepare(t);
      const all = Array.from({ length: count }, (_, k) => {
        const log = base[k] - (x - mx[k]) ** 2 * ix[k] - (y - my[k]) ** 2 * iy[k];
        const ends = [x, y].map((at, d) => {
          const m = means[2 * k + d];
          const s2 = stds[2 * k + d] ** 2;
          const v = a * a * s2 + b * b;
          return { x0: (b * (at - a * m)) / v, x1: (b * b * m + a * s2 * at) / v };
        });
        const [u, v] = ends.map(({ x0, x1 }) => da * x1 + db * x0);
        return { log, from: ends.map((e) => e.x0), to: ends.map((e) => e.x1), u, v };
      });
      const top = Math.max(...all.map(({ log }) => log));
      const total = all.reduce((sum, { log }) => sum + Math.exp(log - top), 0);
      for (const one of all) one.weight = Math.exp(one.log - top) / total;
      return all.sort((p, q) => q.weight - p.weight).slice(0, limit);
    },
  };
}
