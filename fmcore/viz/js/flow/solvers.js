// From a velocity field to the paths of particles: one explicit Runge-Kutta step for every Butcher
// tableau, on a grid of times, and a controller that finds such a grid for a given tolerance.
//
// A tableau is what fmcore.solvers exports with ButcherTableau.as_dict(): a, b, c, b_embedded,
// embedded_order, dense. A field has evaluate(t, x, y, n, u, v) and fills u and v. Points are held
// as two typed arrays x and y; nothing is allocated once a Stepper stands.

/** "First same as last": the last stage is the slope at the end of the step. */
export function isFsal({ a, b }) {
  const last = b.length - 1;
  return last > 0 && b[last] === 0 && a[last].every((w, i) => w === b[i]);
}

export class Stepper {
  constructor(field, tableau, n) {
    const arrays = () => tableau.b.map(() => new Float64Array(n));
    Object.assign(this, { field, tableau, n, nfe: 0, fsal: isFsal(tableau) });
    this.ku = arrays();
    this.kv = arrays();
    this.tx = new Float64Array(n);
    this.ty = new Float64Array(n);
  }

  /** Slope number i, evaluated at the points (x, y) and the time t. */
  slope(i, t, x, y) {
    this.field.evaluate(t, x, y, this.n, this.ku[i], this.kv[i]);
    this.nfe++;
  }

  /** out = x + h sum_i w_i k_i */
  combine(weights, h, x, y, outX, outY) {
    outX.set(x);
    outY.set(y);
    for (let i = 0; i < weights.length; i++) {
      const w = h * weights[i];
      if (w === 0) continue;
      const u = this.ku[i];
      const v = this.kv[i];
      for (let p = 0; p < this.n; p++) {
        outX[p] += w * u[p];
        outY[p] += w * v[p];
      }
    }
  }

  /** One step from t to tNew. `known` says that the first slope is there already. */
  step(t, tNew, x, y, outX, outY, known) {
    const { a, b, c } = this.tableau;
    const h = tNew - t;
    if (!known) this.slope(0, t, x, y);
    for (let i = 1; i < b.length - this.fsal; i++) {
      this.combine(a[i], h, x, y, this.tx, this.ty);
      this.slope(i, c[i] === 1 ? tNew : t + c[i] * h, this.tx, this.ty);
    }
    this.combine(b, h, x, y, outX, outY);
  }

  /** For an FSAL method: the slope at the end of the step, by which the step can be judged. */
  close(tNew, x, y) {
    this.slope(this.tableau.b.length - 1, tNew, x, y);
  }

  /** The slope at the end of the last step becomes the first one of the next. */
  carry() {
    const last = this.ku.length - 1;
    [this.ku[0], this.ku[last]] = [this.ku[last], this.ku[0]];
    [this.kv[0], this.kv[last]] = [this.kv[last], this.kv[0]];
  }
}

/** `steps` equal steps from t0 to t1, as steps + 1 times. */
export function evenGrid(t0, t1, steps) {
  const h = (t1 - t0) / steps;
  return Float64Array.from({ length: steps + 1 }, (_, i) => (i === steps ? t1 : t0 + i * h));
}

/** The weights of the state at t + theta h: the continuous extension, or a straight line. */
export function denseWeights({ b, dense }, theta) {
  if (!dense) return b.map((w) => w * theta);
  return dense.map((row) => row.reduceRight((sum, d) => (sum + d) * theta, 0));
}

/**
 * Steps along a grid of times. sink(frame, x, y) receives the start, each state on the grid and,
 * between two of them, `parts - 1` states of the method's continuous extension.
 *
 * nfe is what fmcore.odeint counts. The continuous extension of an FSAL method takes one slope
 * more, at the very end; it serves the drawing alone and is not counted.
 */
export function integrate(field, tableau, x0, y0, grid, { parts = 1, sink = null } = {}) {
  const n = x0.length;
  const stepper = new Stepper(field, tableau, n);
  const inner = Array.from({ length: parts - 1 }, (_, j) => denseWeights(tableau, (j + 1) / parts));
  const closes = stepper.fsal && parts > 1;
  let [x, y, xNew, yNew] = [x0, y0, x0, y0].map((points) => Float64Array.from(points));
  const between = [new Float64Array(n), new Float64Array(n)];
  sink?.(0, x, y);
  for (let i = 0; i + 1 < grid.length; i++) {
    stepper.step(grid[i], grid[i + 1], x, y, xNew, yNew, closes && i > 0);
    if (closes) stepper.close(grid[i + 1], xNew, yNew);
    inner.forEach((weights, j) => {
      stepper.combine(weights, grid[i + 1] - grid[i], x, y, ...between);
      sink(i * parts + j + 1, ...between);
    });
    if (closes) stepper.carry();
    [x, xNew, y, yNew] = [xNew, x, yNew, y];
    sink?.((i + 1) * parts, x, y);
  }
  return { x, y, nfe: stepper.nfe - (closes ? 1 : 0) };
}

/**
 * Steps as long as the estimated error allows, one for the whole batch: the controller of
 * fmcore.odeint (Hairer, Norsett & Wanner 1993, II.4). Returns the accepted times as `grid`.
 */
export function adapt(field, tableau, x0, y0, t0, t1, { rtol, atol, maxSteps = 10000 }) {
  if (!tableau.b_embedded) throw new Error(`${tableau.name} has no error estimate to adapt to`);
  const n = x0.length;
  const stepper = new Stepper(field, tableau, n);
  const error = tableau.b.map((w, i) => w - tableau.b_embedded[i]);
  const order = tableau.embedded_order + 1;
  const sign = Math.sign(t1 - t0);
  const zero = new Float64Array(n);
  const [ex, ey] = [new Float64Array(n), new Float64Array(n)];
  let [x, y, xNew, yNew] = [x0, y0, x0, y0].map((points) => Float64Array.from(points));

  /** Root mean square of (ex, ey) / (atol + rtol max(|old|, |new|)). */
  const norm = (eX, eY, oldX, oldY, newX, newY) => {
    let sum = 0;
    for (let p = 0; p < n; p++) {
      const rx = eX[p] / (atol + rtol * Math.max(Math.abs(oldX[p]), Math.abs(newX[p])));
      const ry = eY[p] / (atol + rtol * Math.max(Math.abs(oldY[p]), Math.abs(newY[p])));
      sum += rx * rx + ry * ry;
    }
    return Math.sqrt(sum / (2 * n));
  };

  /** The size of the first step, from the sizes of x, x' and x''. */
  const firstStep = () => {
    const [u, v] = [stepper.ku[0], stepper.kv[0]];
    const d0 = norm(x, y, x, y, x, y);
    const d1 = norm(u, v, x, y, x, y);
    if (!Number.isFinite(d1)) throw new Error(`the field is not finite at the start, t = ${t0}`);
    const h0 = Math.min(Math.min(d0, d1) >= 1e-5 ? (0.01 * d0) / d1 : 1e-6, Math.abs(t1 - t0));
    stepper.combine([1], sign * h0, x, y, xNew, yNew);
    field.evaluate(t0 + sign * h0, xNew, yNew, n, ex, ey);
    stepper.nfe++;
    for (let p = 0; p < n; p++) {
      ex[p] -= u[p];
      ey[p] -= v[p];
    }
    const d2 = norm(ex, ey, x, y, x, y) / h0;
    if (!Number.isFinite(d2)) return h0;
    const d = Math.max(d1, d2);
    return Math.min(100 * h0, d > 1e-15 ? (0.01 / d) ** (1 / order) : Math.max(1e-6, 1e-3 * h0));
  };

  const grid = [t0];
  let rejected = 0;
  let t = t0;
  stepper.slope(0, t, x, y);
  let known = true;
  let h = firstStep();
  while (t !== t1) {
    // With less than two steps to go, take half of what is left, and no sliver at the end.
    const left = Math.abs(t1 - t);
    const tNew = left <= 1.01 * h ? t1 : left < 2 * h ? (t + t1) / 2 : t + h * sign;
    h = Math.abs(tNew - t);
    if (grid.length - 1 + rejected === maxSteps || h <= 1e-15 * Math.abs(t)) {
      throw new Error(`the tolerance cannot be met at t = ${t.toPrecision(4)}: loosen it`);
    }
    stepper.step(t, tNew, x, y, xNew, yNew, known);
    if (stepper.fsal) stepper.close(tNew, xNew, yNew);
    stepper.combine(error, h, zero, zero, ex, ey);
    const err = norm(ex, ey, x, y, xNew, yNew);
    if (err <= 1) {
      grid.push(tNew);
      t = tNew;
      [x, xNew, y, yNew] = [xNew, x, yNew, y];
      if (stepper.fsal) stepper.carry();
      known = stepper.fsal;
    } else {
      rejected++;
      known = true;
    }
    const factor = 0.9 * Math.max(err, 1e-99) ** (-1 / order);
    h *= Math.min(10, Math.max(0.2, Number.isFinite(factor) ? factor : 0.2));
  }
  return { x, y, grid: Float64Array.from(grid), nfe: stepper.nfe, rejected };
}
