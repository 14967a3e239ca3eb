// What networks make of time, and of their sums.

/** @param {number} z */
export const silu = (z) => z / (1 + Math.exp(-z));

/**
 * The embedding of a time: cosines, then sines.
 * @type {(frequencies: Numbers, t: number) => number[]}
 */
export function waves(frequencies, t) {
  const angles = Array.from(frequencies, (frequency) => t * frequency);
  return [...angles.map(Math.cos), ...angles.map(Math.sin)];
}
