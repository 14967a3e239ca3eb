// The winds of fmcore.fields, from their as_dict(). Each adds its velocity to what blows already.

/** @type {Record<string, (wind: any) => Evaluate>} */
const KINDS = {
  Uniform({ velocity: [a, b] }) {
    return (t, x, y, n, u, v) => {
      for (let i = 0; i < n; i++) {
        u[i] += a;
        v[i] += b;
      }
    };
  },
  Rotation({ rate }) {
    return (t, x, y, n, u, v) => {
      for (let i = 0; i < n; i++) {
        u[i] -= rate * y[i];
        v[i] += rate * x[i];
      }
    };
  },
  Shear({ rate }) {
    return (t, x, y, n, u) => {
      for (let i = 0; i < n; i++) u[i] += rate * y[i];
    };
  },
  Saddle({ rate }) {
    return (t, x, y, n, u, v) => {
      for (let i = 0; i < n; i++) {
        u[i] += rate * x[i];
        v[i] -= rate * y[i];
      }
    };
  },
  Vortex({ center, strength, core }) {
    return (t, x, y, n, u, v) => addWhirl(center, strength, core, 0, x, y, n, u, v);
  },
  Storm({ start, end, bend, strength, core, inflow, decay }) {
    return (t, x, y, n, u, v) => {
      const eye = [0, 1].map((d) => (1 - t) * start[d] + t * end[d] + 4 * t * (1 - t) * bend[d]);
      addWhirl(eye, strength * Math.exp(-decay * t), core, inflow, x, y, n, u, v);
    };
  },
};

/**
 * strength * 2 core / (core² + r²) * ((-d2, d1) - inflow d), d measured from the eye.
 *
 * @param {number[]} eye
 * @param {number} strength
 * @param {number} core
 * @param {number} inflow
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @param {number} n
 * @param {Float64Array} u
 * @param {Float64Array} v
 */
function addWhirl([eyeX, eyeY], strength, core, inflow, x, y, n, u, v) {
  for (let i = 0; i < n; i++) {
    const dx = x[i] - eyeX;
    const dy = y[i] - eyeY;
    const s = (strength * 2 * core) / (core * core + dx * dx + dy * dy);
    u[i] -= s * (dy + inflow * dx);
    v[i] += s * (dx - inflow * dy);
  }
}

/**
 * @param {{ wind: any }} data
 * @returns {Field}
 */
export function winds({ wind }) {
  /** @type {any[]} */
  const list = wind.kind === "Sum" ? wind.winds : [wind];
  const parts = list.map((part) => {
    if (!KINDS[part.kind]) throw new Error(`no wind of the kind "${part.kind}"`);
    return KINDS[part.kind](part);
  });
  return {
    cost: 12 * parts.length,
    steady: list.every(({ kind }) => kind !== "Storm"),
    evaluate(t, x, y, n, u, v) {
      u.fill(0);
      v.fill(0);
      for (const add of parts) add(t, x, y, n, u, v);
    },
  };
}
