// Any other field, sampled on a lattice in space and time and joined by cubic splines. The data are
// the coefficients of uniform cubic B-splines, (times, rows, columns, 2): four neighbours along an
// axis give the value. A single time means a steady field. Outside the lattice the field keeps the
// value it has on the edge.

/** The weights of four neighbours at the fraction f of a cell, in w. */
function spline(f, w) {
  const g = 1 - f;
  w[0] = (g * g * g) / 6;
  w[1] = 2 / 3 - f * f * (1 - f / 2);
  w[2] = 2 / 3 - g * g * (1 - g / 2);
  w[3] = (f * f * f) / 6;
}

export function lattice({ coefficients, shape, scale, domain, span }) {
  const [times, rows, columns] = shape; // coefficients along each axis: two more than samples
  const [xmin, xmax, ymin, ymax] = domain;
  const row = 2 * columns;
  const slice = rows * row;
  const plane = new Float64Array(slice); // the field at one time
  const [wt, wy] = [new Float64Array(4), new Float64Array(4)];
  const cells = [columns - 3, rows - 3, times - 3];
  const perX = cells[0] / (xmax - xmin);
  const perY = cells[1] / (ymax - ymin);
  const within = (z, most) => (z > 0 ? (z < most ? z : most) : 0);
  let ready = NaN;

  function prepare(t) {
    if (t === ready || (times === 1 && ready === ready)) return;
    if (times === 1) {
      for (let i = 0; i < slice; i++) plane[i] = scale * coefficients[i];
    } else {
      const at = within(((t - span[0]) / (span[1] - span[0])) * cells[2], cells[2]);
      const first = Math.min(Math.floor(at), cells[2] - 1);
      spline(at - first, wt);
      const [a, b, c, d] = wt.map((w) => w * scale);
      const [from, to] = [first * slice, (first + 1) * slice];
      for (let i = from; i < to; i++) {
        plane[i - from] =
          a * coefficients[i] + b * coefficients[i + slice] +
          c * coefficients[i + 2 * slice] + d * coefficients[i + 3 * slice];
      }
    }
    ready = t;
  }

  return {
    cost: 60,
    steady: times === 1,
    domain,
    evaluate(t, x, y, n, u, v) {
      prepare(t);
      for (let p = 0; p < n; p++) {
        const atX = within((x[p] - xmin) * perX, cells[0]);
        const atY = within((y[p] - ymin) * perY, cells[1]);
        const i = Math.min(atX | 0, cells[0] - 1);
        const j = Math.min(atY | 0, cells[1] - 1);
        spline(atY - j, wy);
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
