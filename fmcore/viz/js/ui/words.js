// Numbers and names as text.

/**
 * A number with a proper minus sign, and none before a zero.
 * @param {number} value
 */
export function number(value, digits = 2) {
  if (!Number.isFinite(value)) return "not finite";
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** @param {number} value */
export const small = (value) => (value < 5e-4 ? "less than 0.001" : number(value, 3));

/** @type {(n: number, word: string) => string} */
export const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

/** @param {string} word */
export const capitalized = (word) => word[0].toUpperCase() + word.slice(1);
