// Draws that a seed repeats: the same particles in every browser.

/**
 * A generator of uniform numbers in [0, 1) (Steele & Vigna's 32-bit mixer, "mulberry32").
 * @param {number} seed
 */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * A generator of standard normal numbers (Box & Muller 1958).
 * @param {() => number} random
 */
export function normal(random) {
  /** @type {number | null} */
  let spare = null;
  return () => {
    if (spare !== null) {
      const z = spare;
      spare = null;
      return z;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

/**
 * `n` draws from the source that the figure's data name.
 *
 * @param {Distribution} source
 * @param {number} n
 * @param {number} seed
 * @returns {Cloud}
 */
export function draw(source, n, seed) {
  const random = uniform(seed);
  const gauss = normal(random);
  const x = new Float64Array(n);
  const y = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    if (source.kind === "uniform") {
      const [xmin, xmax, ymin, ymax] = source.extent;
      x[i] = xmin + (xmax - xmin) * random();
      y[i] = ymin + (ymax - ymin) * random();
    } else if (source.kind === "mixture") {
      const { means, stds, weights } = source;
      const k = choose(weights, random());
      x[i] = means[2 * k] + stds[2 * k] * gauss();
      y[i] = means[2 * k + 1] + stds[2 * k + 1] * gauss();
    } else {
      throw new Error(`no source of the kind "${/** @type {any} */ (source).kind}"`);
    }
  }
  return { x, y };
}

/**
 * The index, chosen with these probabilities, that a uniform number falls on.
 * @param {Numbers} weights
 * @param {number} u
 */
function choose(weights, u) {
  let k = 0;
  for (let left = u; k < weights.length - 1 && left >= weights[k]; k++) left -= weights[k];
  return k;
}
