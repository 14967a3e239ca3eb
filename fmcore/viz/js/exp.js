// exp(x) for x <= 0, to a relative 1e-11, several times as fast as Math.exp: a table of
// exp(-j / 32), and four terms of the series for what is left of x.

const TABLE = Float64Array.from({ length: 24000 }, (_, j) => Math.exp(-j / 32));

export function expNegative(x) {
  if (!(x > -740)) return x === x ? 0 : NaN;
  const j = (0.5 - 32 * x) | 0;
  const r = x + j / 32;
  return TABLE[j] * (1 + r * (1 + r * (0.5 + r * (1 / 6 + r / 24))));
}
