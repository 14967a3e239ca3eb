// The winds of fmcore.winds, from their as_dict(). Each adds its velocity to what blows already.

const KINDS = {
  Uniform: ({ velocity: [a, b] }) => (t, x, y, n, u, v) => {
    for (let i = 0; i < n; i++) {
      u[i] += a;
      v[i] += b;
    }
  },
  Rotation: ({ rate }) => (t, x, y, n, u, v) => {
    for (let i = 0; i < n; i++) {
      u[i] -= rate * y[i];
      v[i] += rate * x[i];
    }
  },
  Shear: ({ rate }) => (t, x, y, n, u, v) => {
    for (let i = 0; i < n; i++) u[i] += rate * y[i];
  },
  Saddle: ({ rate }) => (t, x, y, n, u, v) => {
    for (let i = 0; i < n; i++) {
      u[i] += rate * x[i];
      v[i] -= rate * y[i];
    }
  },
  Vortex: ({ center, strength, core }) => (t, x, y, n, u, v) =>
    whirl(...center, strength, core, 0, x, y, n, u, v),
  Storm: ({ start, end, bend, strength, core, inflow, decay }) => (t, x, y, n, u, v) => {
    const eye = [0, 1].map((d) => (1 - t) * start[d] + t * end[d] + 4 * t * (1 - t) * bend[d]);
    whirl(...eye, strength * Math.exp(-decay * t), core, inflow, x, y, n, u, v);
  },
};

/** strength * 2 core / (core² + r²) * ((-d2, d1) - inflow d), d measured from the eye. */
function whirl(eyeX, eyeY, strength, core, inflow, x, y, n, u, v) {
  for (let i = 0; i < n; i++) {
    const dx = x[i] - eyeX;
    const dy = y[i] - eyeY;
    const s = (strength * 2 * core) / (core * core + dx * dx + dy * dy);
    u[i] -= s * (dy + inflow * dx);
    v[i] += s * (dx - inflow * dy);
  }
}

export function winds({ wind }) {
  const parts = (wind.kind === "Sum" ? wind.winds : [wind]).map((part) => {
    if (!KINDS[part.kind]) throw new Error(`no wind of the kind "${part.kind}"`);
    return KINDS[part.kind](part);
  });
  return {
    cost: 12 * parts.length,
    steady: !JSON.stringify(wind).includes('"Storm"'),
    evaluate(t, x, y, n, u, v) {
      u.fill(0);
      v.fill(0);
      for (const add of parts) add(t, x, y, n, u, v);
    },
  };
}
