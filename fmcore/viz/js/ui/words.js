// Numbers as text.

export const number = (value, digits = 2) =>
  Number.isFinite(value) ? value.toFixed(digits).replace(/^-(?=0[.]0*$)/, "").replace("-", "−") : "beyond all numbers";

export const small = (value) => (value < 5e-4 ? "less than 0.001" : number(value, 3));

export const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
