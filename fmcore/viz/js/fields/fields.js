// A velocity field from the figure's data: four forms, one face. `evaluate(t, x, y, n, u, v)` fills
// u and v at n points; `cost` is roughly what one point takes, in multiplications.

import { lattice } from "./lattice.js";
import { mixture } from "./mixture.js";
import { mlp } from "./mlp.js";
import { winds } from "./winds.js";

const FORMS = { winds, mixture, mlp, lattice };
const TYPES = { f8: Float64Array, f4: Float32Array, i2: Int16Array };

export function makeField(data) {
  if (!FORMS[data?.kind]) throw new Error(`no field of the kind "${data?.kind}"`);
  return FORMS[data.kind](data);
}

/** The data with every packed array, { base64, type }, turned into a typed array. */
export function unpack(data) {
  if (Array.isArray(data)) return data.map(unpack);
  if (data === null || typeof data !== "object") return data;
  if ("base64" in data) {
    const bytes = Uint8Array.from(atob(data.base64), (letter) => letter.charCodeAt(0));
    return new TYPES[data.type](bytes.buffer);
  }
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, unpack(value)]));
}
