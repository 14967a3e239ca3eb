// Any other field, sampled on a lattice in space and time and joined by cubic splines. The data are
// the coefficients of uniform cubic B-splines, (times, rows, columns, 2): four neighbours along an
// axis give the value. A single time means a steady field. Outside the lattice the field keeps the
// value it has on the edge.

/** The weights of four neighbours, at the fraction f of a cell. */
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
  const slice = rows * columns * 2;
  const plane = new Float64Array(slice); // the field at one time
  const [wt, wx, wy] = [0, 0, 0].map(() => new Float64Array(4));
  const perX = (columns - 3) / (xmax - xmin);
  const perY = (rows - 3) / (ymax - ymin);
  let ready = NaN;

  function prepare(t) {
    if (t === ready) return;
    plane.fill(0);
    const cells = Math.max(times - 3, 0);
    const at = Math.min(Math.max(((t - span[0]) / (span[1] - span[0])) * cells, 0), cells);
    const first = Math.min(Math.floor(at), Math.max(cells - 1, 0));
    if (times === 1) wt[0] = 1;
    else spline(at - first, wt);
    for (let j = 0; j < Math.min(times, 4); j++) {
      const w = wt[j] * scale;
      for (let i = 0, from = (first + j) * slice; i < slice; i++) plane[i] += w * coefficients[from + i];
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
        const atX = Math.min(Math.max((x[p] - xmin) * perX, 0), columns - 3);
        const atY = Math.min(Math.max((y[p] - ymin) * perY, 0), rows - 3);
        const i = Math.min(Math.floor(atX), columns - 4);
        const j = Math.min(Math.floor(atY), rows - 4);
        spline(atX - i, wx);
        spline(atY - j, wy);
        let su = 0;
        let sv = 0;
        for (let r = 0; r < 4; r++) {
          const k = ((j + r) * columns + i) * 2;
          su +=
            wy[r] *
            (wx[0] * plane[k] + wx[1] * plane[k + 2] + wx[2] * plane[k + 4] + wx[3] * plane[k + 6]);
          sv +=
            wy[r] *
            (wx[0] * plane[k + 1] + wx[1] * plane[k + 3] + wx[2] * plane[k + 5] + wx[3] * plane[k + 7]);
        }
        u[p] = su;
        v[p] = sv;
      }
    },
  };
}
