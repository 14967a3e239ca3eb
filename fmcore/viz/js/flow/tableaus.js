// Of tableaus and the grids of times that they step along.

/**
 * "First same as last": the last stage is the slope at the end of the step.
 * @param {Tableau} tableau
 */
export function isFsal({ a, b }) {
  const last = b.length - 1;
  return last > 0 && b[last] === 0 && a[last].every((w, i) => w === b[i]);
}

/**
 * `steps` equal steps from t0 to t1, as steps + 1 times.
 * @param {number} t0
 * @param {number} t1
 * @param {number} steps
 */
export function evenGrid(t0, t1, steps) {
  const h = (t1 - t0) / steps;
  return Float64Array.from({ length: steps + 1 }, (_, i) => (i === steps ? t1 : t0 + i * h));
}
