// A velocity field from the figure's data: four forms, one face (`Field` in types.js).

import { lattice } from "./lattice.js";
import { mixture } from "./mixture.js";
import { mlp } from "./mlp.js";
import { winds } from "./winds.js";

/** @type {Record<string, (data: any) => Field>} */
const FORMS = { winds, mixture, mlp, lattice };
/** @type {Record<string, Float64ArrayConstructor | Float32ArrayConstructor | Int16ArrayConstructor | Uint8ArrayConstructor>} */
const ARRAYS = { f8: Float64Array, f4: Float32Array, i2: Int16Array, u1: Uint8Array };
const MOST_PATHS = 60; // conditional paths shown: the likeliest

/** @param {FieldData} data */
export function makeField(data) {
  if (!FORMS[data?.kind]) throw new Error(`no field of the kind "${data?.kind}"`);
  return FORMS[data.kind](data);
}

/**
 * The data with every packed array, { base64, type }, turned into a typed array.
 * @param {any} data
 * @returns {any}
 */
export function unpack(data) {
  if (Array.isArray(data)) return data.map(unpack);
  if (data === null || typeof data !== "object") return data;
  if ("base64" in data) {
    const bytes = Uint8Array.from(atob(data.base64), (letter) => letter.charCodeAt(0));
    return new ARRAYS[data.type](bytes.buffer);
  }
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, unpack(value)]));
}

/**
 * The field at a point, and if wanted the conditional paths where there are any.
 *
 * @param {Field} field
 * @param {number} t
 * @param {Point} point
 * @param {boolean} conditionals
 * @returns {Inspection}
 */
export function inspect(field, t, [x, y], conditionals) {
  const [u, v] = [new Float64Array(1), new Float64Array(1)];
  field.evaluate(t, Float64Array.of(x), Float64Array.of(y), 1, u, v);
  const paths = (conditionals && field.conditionals?.(t, x, y, MOST_PATHS)) || [];
  return { at: [x, y], t, v: [u[0], v[0]], paths, count: field.count };
}
