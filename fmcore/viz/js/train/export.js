// A trained network for Python: a file that fmcore.load_weights opens, and the lines that train it.

import { byId, shapeOf } from "./tab.js";

/** @typedef {import("./tab.js").PlaySpec} PlaySpec */
/** @typedef {import("./tab.js").PlayState} PlayState */
/** @typedef {{ name: string, shape: number[], values: Float32Array }} Tensor */

/**
 * Tensors as safetensors: the length of the header, the header, the numbers.
 * @type {(tensors: Tensor[], metadata: Record<string, string>) => Uint8Array<ArrayBuffer>}
 */
export function safetensors(tensors, metadata) {
  let at = 0;
  const entries = tensors.map(({ name, shape, values }) => {
    const offsets = [at, (at += values.byteLength)];
    return [name, { dtype: "F32", shape, data_offsets: offsets }];
  });
  const text = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  const header = new TextEncoder().encode(text);
  const begin = 8 * Math.ceil((8 + header.length) / 8); // filled up with blanks
  const file = new Uint8Array(begin + at).fill(0x20, 0, begin);
  const view = new DataView(file.buffer);
  view.setBigUint64(0, BigInt(begin - 8), true);
  file.set(header, 8);
  let to = begin;
  for (const { values } of tensors) {
    values.forEach((value, i) => view.setFloat32(to + 4 * i, value, true));
    to += values.byteLength;
  }
  return file;
}

/**
 * The file of a network, with the configuration that fmcore.save_weights writes.
 * @type {(spec: PlaySpec, state: PlayState, weights: Float32Array[], step: number) => Uint8Array<ArrayBuffer>}
 */
export function weightsFile(spec, state, weights, step) {
  const { kind, ...numbers } = byId(spec.paths, state.path).path;
  const { pairing, lr, batch, average, hidden, shape, seed } = state;
  const config = {
    network: { name: "MLP", ...spec.network, hidden },
    path: { name: kind, ...numbers },
    predict: "velocity",
    shape: [2],
    about: { data: shape, pairing, lr, batch_size: batch, ema: average, seed, step },
  };
  const outputs = weights.filter((_, i) => i % 2).map(({ length }) => length);
  const tensors = weights.map((values, i) => {
    const rows = outputs[i >> 1];
    const sizes = i % 2 ? [rows] : [rows, values.length / rows];
    return { name: spec.tensors[i], shape: sizes, values };
  });
  return safetensors(tensors, { fmcore: JSON.stringify(config) });
}

/**
 * The lines of Python that train the same network on the same data, with other draws.
 * @type {(spec: PlaySpec, state: PlayState) => string}
 */
export function inPython(spec, state) {
  const { points, width } = shapeOf(spec, state);
  const pairs = Array.from({ length: points.length / 2 }, (_, i) =>
    [points[2 * i], points[2 * i + 1]].map((z) => Number(z.toFixed(3))),
  );
  /** @type {Record<string, any>} */
  const said = {
    ...spec.network,
    ...state,
    width,
    path: byId(spec.paths, state.path).path.kind,
    points: JSON.stringify(pairs).replaceAll(",", ", "),
    solver_steps: state.steps,
    steps: spec.training.steps,
    half: Math.floor(spec.training.steps / 2),
  };
  const { python } = byId(spec.pairings, state.pairing);
  return python.replace(/\{(\w+)\}/g, (_, name) => String(said[name]));
}
