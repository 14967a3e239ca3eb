// Pooling by two: little work, in JavaScript.

/** @typedef {import("./plan.js").Picture} Picture */

/**
 * The largest or the mean of each two by two pixels; at an odd edge, of those that are there.
 * @param {Float32Array} memory
 * @param {Picture} from
 * @param {Picture} to
 * @param {boolean} largest
 */
export function pooled(memory, from, to, largest) {
  for (let y = 0; y < to.height; y++) {
    for (let x = 0; x < to.width; x++) {
      const rows = [2 * y, 2 * y + 1].filter((row) => row < from.height);
      const columns = [2 * x, 2 * x + 1].filter((column) => column < from.width);
      const places = rows.flatMap((row) =>
        columns.map((column) => (from.at + row * from.row + column * from.pixel) / 4),
      );
      const target = (to.at + y * to.row + x * to.pixel) / 4;
      for (let c = 0; c < from.channels; c++) {
        const values = places.map((place) => memory[place + c]);
        memory[target + c] = largest
          ? Math.max(...values)
          : values.reduce((sum, z) => sum + z, 0) / values.length;
      }
    }
  }
}
