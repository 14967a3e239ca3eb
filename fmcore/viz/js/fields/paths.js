// Probability paths x_t = a(t) x1 + b(t) x0, as fmcore.viz.living.spec writes them.

/** @typedef {{ a: number, b: number, da: number, db: number }} Coefficients  and derivatives */

/** @type {Record<string, (path: any) => (t: number) => Coefficients>} */
const PATHS = {
  OTPath({ sigma_min: sigma }) {
    return (t) => ({ a: t, b: 1 - t + sigma * t, da: 1, db: sigma - 1 });
  },
  VPPath({ beta_min: low, beta_max: high }) {
    return (t) => {
      const s = 1 - t;
      const integral = low * s + ((high - low) * s * s) / 2;
      const a = Math.exp(-integral / 2);
      const b = Math.sqrt(-Math.expm1(-integral));
      const da = ((low + (high - low) * s) * a) / 2;
      return { a, b, da, db: (-a * da) / b };
    };
  },
  CosinePath() {
    const rate = Math.PI / 2;
    return (t) => {
      const [a, b] = [Math.sin(rate * t), Math.sin(rate * (1 - t))]; // no cosine, which misses 0
      return { a, b, da: rate * b, db: -rate * a };
    };
  },
  // Any other path: a, b and their slopes at even times, joined by cubics that have them all.
  table({ span: [t0, t1], a, b, da, db }) {
    return (t) => {
      const h = (t1 - t0) / (a.length - 1);
      const i = Math.min(Math.max(Math.floor((t - t0) / h), 0), a.length - 2);
      const s = (t - t0) / h - i;
      /** @type {(z: Numbers, dz: Numbers) => [number, number]}  the cubic and its slope */
      const cubic = (z, dz) => {
        const rise = z[i + 1] - z[i];
        const [from, to] = [h * dz[i], h * dz[i + 1]];
        const [p, q] = [3 * rise - 2 * from - to, from + to - 2 * rise];
        return [z[i] + s * (from + s * (p + s * q)), (from + s * (2 * p + s * 3 * q)) / h];
      };
      const [[atA, slopeA], [atB, slopeB]] = [cubic(a, da), cubic(b, db)];
      return { a: atA, b: atB, da: slopeA, db: slopeB };
    };
  },
};

/**
 * The coefficients of a path at a time.
 * @param {{ kind: string }} path
 */
export function pathOf(path) {
  if (!PATHS[path.kind]) throw new Error(`no path of the kind "${path.kind}"`);
  return PATHS[path.kind](path);
}
