// A trained network fmcore.networks.MLP from its weights: [x, y, embedding of t] through layers
// of SiLU units. Within one evaluation t is the same for all points, so what the embedding adds to
// the first layer is a bias.

import { expNegative } from "./exp.js";

const BLOCK = 64; // points at a time: their activations stay in the cache

export function mlp({ frequencies, layers }) {
  const widest = Math.max(...layers.map(({ bias }) => bias.length));
  // Weights are row-major (out, in). Activations are (unit, point): rows of BLOCK numbers.
  const buffers = [new Float64Array(widest * BLOCK), new Float64Array(widest * BLOCK)];
  const bias = new Float64Array(layers[0].bias.length);
  const weights = layers.map(({ weight }) => Float64Array.from(weight));
  const [half, enter] = [frequencies.length, 2 + 2 * frequencies.length];
  const macs = layers.slice(1).reduce((sum, { weight }) => sum + weight.length, 4 * bias.length);
  let ready = NaN;

  function prepare(t) {
    if (t === ready) return;
    for (let j = 0; j < bias.length; j++) {
      let sum = layers[0].bias[j];
      for (let k = 0; k < half; k++) {
        const angle = t * frequencies[k];
        sum += weights[0][j * enter + 2 + k] * Math.cos(angle);
        sum += weights[0][j * enter + 2 + half + k] * Math.sin(angle);
      }
      bias[j] = sum;
    }
    ready = t;
  }

  return {
    cost: macs,
    evaluate(t, x, y, n, u, v) {
      prepare(t);
      for (let from = 0; from < n; from += BLOCK) {
        const m = Math.min(BLOCK, n - from);
        const h = buffers[0];
        for (let j = 0; j < bias.length; j++) {
          const wx = weights[0][j * enter];
          const wy = weights[0][j * enter + 1];
          for (let i = 0; i < m; i++) h[j * BLOCK + i] = wx * x[from + i] + wy * y[from + i] + bias[j];
        }
        let now = 0;
        for (let l = 1; l < layers.length; l++) {
          silu(buffers[now], layers[l - 1].bias.length, m);
          dense(weights[l], layers[l].bias, buffers[now], buffers[1 - now], m);
          now = 1 - now;
        }
        u.set(buffers[now].subarray(0, m), from);
        v.set(buffers[now].subarray(BLOCK, BLOCK + m), from);
      }
    },
  };
}

/** z / (1 + exp(-z)), in place. */
function silu(h, units, m) {
  for (let j = 0; j < units; j++) {
    for (let i = j * BLOCK; i < j * BLOCK + m; i++) {
      const z = h[i];
      const e = expNegative(z < 0 ? z : -z);
      h[i] = (z < 0 ? z * e : z) / (1 + e);
    }
  }
}

/** out = weight input + bias, two units by four points at a time, sums kept in registers. */
function dense(weight, bias, input, out, m) {
  const outputs = bias.length;
  const inputs = weight.length / outputs;
  for (let j = 0; j < outputs; j += 2) {
    const second = Math.min(j + 1, outputs - 1);
    const [row0, row1] = [j * inputs, second * inputs];
    // Points beyond m are leftovers of an earlier block: computed, and never read.
    for (let i = 0; i < m; i += 4) {
      let a0 = bias[j], a1 = a0, a2 = a0, a3 = a0;
      let b0 = bias[second], b1 = b0, b2 = b0, b3 = b0;
      for (let k = 0, at = i; k < inputs; k++, at += BLOCK) {
        const w0 = weight[row0 + k];
        const w1 = weight[row1 + k];
        const z0 = input[at], z1 = input[at + 1], z2 = input[at + 2], z3 = input[at + 3];
        a0 += w0 * z0;
        a1 += w0 * z1;
        a2 += w0 * z2;
        a3 += w0 * z3;
        b0 += w1 * z0;
        b1 += w1 * z1;
        b2 += w1 * z2;
        b3 += w1 * z3;
      }
      const [p, q] = [j * BLOCK + i, second * BLOCK + i];
      out[p] = a0;
      out[p + 1] = a1;
      out[p + 2] = a2;
      out[p + 3] = a3;
      out[q] = b0;
      out[q + 1] = b1;
      out[q + 2] = b2;
      out[q + 3] = b3;
    }
  }
}
