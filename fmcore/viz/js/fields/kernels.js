// Kernels in WebAssembly, whose registers of 128 bits hold two numbers of double precision or four
// of single precision: what asks for a field at thousands of points runs here.
//
// WebAssembly is a stack machine. The code of an expression is the code of its operands, then one
// operation; so here an expression is an array of bytes, and add(a, b) is [...a, ...b, ADD]. A local
// is the code that reads it. A pointer is a local with an address in the kernel's memory.

/** A whole number, seven bits a byte (LEB128): without a sign, and with one. */
const size = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...size(n >>> 7)]);
const signed = (n) => (n >= -64 && n < 64 ? [n & 127] : [(n & 127) | 128, ...signed(n >> 7)]);

const operation = (...bytes) => (...operands) => [...operands.flat(), ...bytes];
const wide = (n) => operation(0xfd, ...size(n));
const fetchWide = (n) => (pointer, offset = 0) => [...pointer, 0xfd, n, 0, ...size(offset)];

export const set = (local, value) => [...value, 0x21, ...local.slice(1)];
export const whole = (n) => [0x41, ...signed(n)];
export const plus = operation(0x6a);
export const load = fetchWide(0);
export const store = (pointer, offset, value) => [...pointer, ...value, 0xfd, 11, 0, ...size(offset)];

/** for (pointer = from; pointer < to; pointer += step) body, at least once. */
export const each = (pointer, from, to, step, ...body) => [
  set(pointer, from), 0x03, 0x40, body, set(pointer, plus(pointer, whole(step))),
  pointer, to, 0x49, 0x0d, 0, 0x0b,
].flat(Infinity);

/**
 * Arithmetic on all numbers of a register. `first` is the code of its addition, `number` that of a
 * constant. spread(pointer, offset) is one number from memory in all places.
 */
function arithmetic(first, spread, [shift, addBits], number, mantissa, least, terms) {
  const [add, sub, mul, div, , , min, max] = Array.from({ length: 8 }, (_, i) => wide(first + i));
  const magic = number(1.5 * 2 ** mantissa); // added to a number, it leaves whole ones in the last bits
  let factorial = 1;
  const series = Array.from({ length: terms }, (_, n) => number(1 / (factorial *= n || 1)));

  /**
   * exp(x), not less than exp(least). With x = n ln 2 + r it is the series of exp(r), with n added
   * to the exponent; even and odd terms are summed apart, for speed. k, r, q: vectors for its use.
   */
  const exp = (x, k, r, q) => {
    const pair = (n) => add(series[n], mul(r, series[n + 1]));
    let sum = pair(terms - 2);
    for (let n = terms - 4; n >= 0; n -= 2) sum = add(pair(n), mul(q, sum));
    return [
      set(r, max(x, number(least))),
      set(k, add(mul(r, number(Math.LOG2E)), magic)),
      set(r, sub(r, mul(sub(k, magic), number(Math.LN2)))),
      set(q, mul(r, r)),
      addBits(sum, shift(k, whole(mantissa))),
    ].flat();
  };
  return { add, sub, mul, div, min, max, exp, number, spread: fetchWide(spread) };
}

const bytes = (Type, x) => new Uint8Array(Type.of(x).buffer);
const double = (x) => [0x44, ...bytes(Float64Array, x), 0xfd, 0x14];
const single = (x) => [0x43, ...bytes(Float32Array, x), 0xfd, 0x13];
export const f64 = arithmetic(0xf0, 10, [wide(0xcb), wide(0xce)], double, 52, -700, 10);
export const f32 = arithmetic(0xe4, 9, [wide(0xab), wide(0xae)], single, 23, -87, 8);

/**
 * A kernel: its function `run(end)`, and its memory of `length` bytes. build({ end, pointers,
 * vectors }) returns the code, where pointers(n) and vectors(n) are n new locals.
 */
export function assemble(length, build) {
  const types = [];
  const locals = (type) => (n) =>
    Array.from({ length: n }, () => [0x20, ...size(types.push([1, type]))]);
  const code = build({ end: [0x20, 0], pointers: locals(0x7f), vectors: locals(0x7b) }).flat();
  const body = [...size(types.length), ...types.flat(), ...code, 0x0b];
  const section = (id, ...content) => [id, ...size(content.length), ...content];
  const module = Uint8Array.of(
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // "\0asm", version 1
    ...section(1, 1, 0x60, 1, 0x7f, 0), // one type: a function of a 32-bit number
    ...section(2, 1, 1, 0x65, 1, 0x6d, 2, 0, 1), // imports the memory "e"."m"
    ...section(3, 1, 0), // one function, of that type,
    ...section(7, 1, 1, 0x72, 0, 0), // exported as "r",
    ...section(10, 1, ...size(body.length), ...body), // and its code
  );
  const memory = new WebAssembly.Memory({ initial: Math.ceil(length / 65536) });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module), { e: { m: memory } });
  return { run: exports.r, buffer: memory.buffer };
}

/** u, v at the n points x, y, a block at a time: `places` in the kernel's memory of all four. */
export function inBlocks(run, memory, places, block, x, y, n, u, v) {
  const [inX, inY, outU, outV] = places.map((place) => place / memory.BYTES_PER_ELEMENT);
  for (let from = 0; from < n; from += block) {
    const m = Math.min(block, n - from);
    memory.set(x.subarray(from, from + m), inX);
    memory.set(y.subarray(from, from + m), inY);
    run(m * memory.BYTES_PER_ELEMENT);
    u.set(memory.subarray(outU, outU + m), from);
    v.set(memory.subarray(outV, outV + m), from);
  }
}
