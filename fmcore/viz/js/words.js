// Numbers as text.

export const number = (value, digits = 2) =>
  Number.isFinite(value) ? value.toFixed(digits).replace(/^-(?=0[.]0*$)/, "").replace("-", "−") : "beyond all numbers";

export const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
