// Any other field, sampled on a lattice in space and time and joined by cubic splines. The data are
// the coefficients of uniform cubic B-splines, (times, rows, columns, 2): four neighbours along an
// axis give the value. A single time means a steady field. Outside the lattice the field keeps the
// value it has on the edge.

/**
 * The weights of four neighbours at the fraction f of a cell, in w.
 * @param {number} f
 * @param {Float64Array} w
 */
function spline(f, w) {
  const g = 1 - f;
  w[0] = (g * g * g) / 6;
  w[1] = 2 / 3 - f * f * (1 - f / 2);
  w[2] = 2 / 3 - g * g * (1 - g / 2);
  w[3] = (f * f * f) / 6;
}

/** @type {(z: number, most: number) => number} */
const within = (z, most) => (z > 0 ? (z < most ? z : most) : 0);

/**
 * @param {object} data
 * @param {Int16Array} data.coefficients
 * @param {[times: number, rows: number, columns: number]} data.shape  of the coefficients, of which
 *   there are two more along each axis than there were samples
 * @param {number} data.scale  of one unit of a coefficient
 * @param {Box} data.domain
 * @param {Span} data.span
 * @returns {Field}
 */
export function lattice({ coefficients, shape, scale, domain, span }) {
  const [times, rows, columns] = shape;
  const [xmin, xmax, ymin, ymax] = domain;
  const steady = times === 1;
  const row = 2 * columns;
  const slice = rows * row;
  const plane = new Float64Array(slice); // the field at one time
  /** @type {number | null} that time */
  let planeTime = null;
  const [wt, wy] = [new Float64Array(4), new Float64Array(4)];
  const [cellsX, cellsY, cellsT] = [columns - 3, rows - 3, times - 3];
  const perX = cellsX / (xmax - xmin);
  const perY = cellsY / (ymax - ymin);

  /** @param {number} t */
  function prepare(t) {
    if (t === planeTime || (steady && planeTime !== null)) return;
    planeTime = t;
    if (steady) {
      for (let i = 0; i < slice; i++) plane[i] = scale * coefficients[i];
      return;
    }
    const at = within(((t - span[0]) / (span[1] - span[0])) * cellsT, cellsT);
    const first = Math.min(Math.floor(at), cellsT - 1);
    spline(at - first, wt);
    const [a, b, c, d] = wt.map((w) => w * scale);
    for (let i = 0, k = first * slice; i < slice; i++, k++) {
      plane[i] =
        a * coefficients[k] +
        b * coefficients[k + slice] +
        c * coefficients[k + 2 * slice] +
        d * coefficients[k + 3 * slice];
    }
  }

  return {
    cost: 60,
    steady,
    domain,
    evaluate(t, x, y, n, u, v) {
      prepare(t);
      for (let p = 0; p < n; p++) {
        const atX = within((x[p] - xmin) * perX, cellsX);
        const atY = within((y[p] - ymin) * perY, cellsY);
        const i = Math.min(Math.floor(atX), cellsX - 1);
        const j = Math.min(Math.floor(atY), cellsY - 1);
        spline(atY - j, wy);
        // As spline(), for the inner loop in four numbers instead of an array.
        const f = atX - i;
        const g = 1 - f;
        const a = (g * g * g) / 6;
        const b = 2 / 3 - f * f * (1 - f / 2);
        const c = 2 / 3 - g * g * (1 - g / 2);
        const d = (f * f * f) / 6;
        let su = 0;
        let sv = 0;
        for (let r = 0, k = j * row + 2 * i; r < 4; r++, k += row) {
          const w = wy[r];
          su += w * (a * plane[k] + b * plane[k + 2] + c * plane[k + 4] + d * plane[k + 6]);
          sv += w * (a * plane[k + 1] + b * plane[k + 3] + c * plane[k + 5] + d * plane[k + 7]);
        }
        u[p] = su;
        v[p] = sv;
      }
    },
  };
}
