// A network with some of its wires cut: the same layout, but for what they carry.

/**
 * @typedef {object} Wire  as fmcore.viz.living.wires describes it
 * @property {string} silent  the operation, by its weight, whose result becomes 0
 * @property {string} alone  that is no longer added to another picture
 * @property {number | null} clock  what the clock shows from now on
 */

/**
 * @param {import("./file.js").NetworkFile} file
 * @param {Wire[]} wires
 * @returns {import("./file.js").NetworkFile}
 */
export function cut({ layout, tensors }, wires) {
  /** @type {(name: "silent" | "alone", op: import("./file.js").Operation) => boolean} */
  const has = (name, { weight }) => wires.some((wire) => wire[name] && wire[name] === weight);
  const ops = layout.ops.map((op) => ({
    ...op,
    plus: has("alone", op) ? undefined : op.plus,
    silent: has("silent", op),
  }));
  return { layout: { ...layout, ops }, tensors };
}

/**
 * The time that the network is told.
 * @type {(wires: Wire[], t: number) => number}
 */
export const told = (wires, t) => wires.find(({ clock }) => clock !== null)?.clock ?? t;
