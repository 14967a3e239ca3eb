// The exact marginal velocity of finitely many pairs, each carried along its straight line by a round
// cloud (fmcore.fields.PairField): the mean of their velocities, weighted by the density of the clouds.

/**
 * Points as x, y, x, y, ...; noise point i belongs to data point partners[i]. Farther than `reach` from
 * the middle of every cloud the field is 0: there is nothing for it to carry.
 *
 * @param {Numbers} x0
 * @param {Numbers} x1
 * @param {number[]} partners
 * @param {number} width
 * @returns {Field}
 */
export function pairs(x0, x1, partners, width, reach = Infinity) {
  const n = partners.length;
  const [mx, my, du, dv, far] = Array.from({ length: 5 }, () => new Float64Array(n));
  partners.forEach((j, i) => {
    du[i] = x1[2 * j] - x0[2 * i];
    dv[i] = x1[2 * j + 1] - x0[2 * i + 1];
  });
  return {
    cost: 20 * n,
    count: n,
    evaluate(t, x, y, count, u, v) {
      for (let i = 0; i < n; i++) {
        mx[i] = x0[2 * i] + t * du[i];
        my[i] = x0[2 * i + 1] + t * dv[i];
      }
      for (let p = 0; p < count; p++) {
        let nearest = Infinity;
        for (let i = 0; i < n; i++) {
          far[i] = (x[p] - mx[i]) ** 2 + (y[p] - my[i]) ** 2;
          nearest = Math.min(nearest, far[i]);
        }
        let [sum, su, sv] = [0, 0, 0];
        for (let i = 0; i < n; i++) {
          const w = Math.exp((nearest - far[i]) / (2 * width * width));
          sum += w;
          su += w * du[i];
          sv += w * dv[i];
        }
        const seen = nearest <= reach * reach ? 1 / sum : 0;
        u[p] = seen * su;
        v[p] = seen * sv;
      }
    },
  };
}
