// Half precision, in which weights travel.

/** @type {Float32Array | null} the value of each of the 65,536 halves */
let values = null;

/**
 * Numbers of half precision.
 * @param {Uint16Array} halves
 */
export function fromHalf(halves) {
  const table = (values ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => value(bits)));
  return Float32Array.from(halves, (bits) => table[bits]);
}

/**
 * A sign, five bits of exponent, ten of mantissa.
 * @param {number} bits
 */
function value(bits) {
  const [sign, exponent, mantissa] = [bits >> 15, (bits >> 10) & 31, bits & 1023];
  const size = exponent ? 2 ** (exponent - 25) * (1024 + mantissa) : 2 ** -24 * mantissa;
  return exponent === 31 ? NaN : sign ? -size : size;
}
