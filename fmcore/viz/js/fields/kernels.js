// Kernels in WebAssembly, whose registers of 128 bits hold two numbers of double precision or four
// of single precision: what asks for a field at thousands of points runs here.
//
// WebAssembly is a stack machine. The code of an expression is the code of its operands, then one
// operation; so here an expression is an array of bytes, and add(a, b) is [...a, ...b, ADD]. A local
// is the code that reads it. A pointer is a local with an address in the kernel's memory.

/** @typedef {number[]} Code */
/** @typedef {{ end: Code, pointers: (n: number) => Code[], vectors: (n: number) => Code[] }} Locals */
/** @typedef {{ run: (end: number) => void, buffer: ArrayBuffer }} Kernel */
/**
 * A function that takes so many whole numbers and returns nothing; build(given, locals) is its code.
 * @typedef {object} Program
 * @property {number} takes
 * @property {(given: Code[], locals: Omit<Locals, "end">) => Code} build
 */

// The names and numbers of the WebAssembly Core Specification 2.0, sections 5.3 to 5.5.
const OP = {
  loop: 0x03,
  end: 0x0b,
  branchIf: 0x0d,
  localGet: 0x20,
  localSet: 0x21,
  i32Const: 0x41,
  f32Const: 0x43,
  f64Const: 0x44,
  i32LessUnsigned: 0x49,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  vector: 0xfd, // and then one of these:
};
const VECTOR = { load: 0x00, load32Splat: 0x09, load64Splat: 0x0a, store: 0x0b };
// pmin and pmax are the comparisons of JavaScript's "<": faster than min and max, which look for NaN.
const F32X4 = { splat: 0x13, add: 0xe4, sub: 0xe5, mul: 0xe6, div: 0xe7, pmin: 0xea, pmax: 0xeb };
const F64X2 = { splat: 0x14, add: 0xf0, sub: 0xf1, mul: 0xf2, div: 0xf3, pmin: 0xf6, pmax: 0xf7 };
const I32X4 = { shiftLeft: 0xab, add: 0xae };
const I64X2 = { shiftLeft: 0xcb, add: 0xce };
const RELAXED_MADD = 0x105; // a b + c in single precision, rounded once where the processor can
const TYPE = { i32: 0x7f, v128: 0x7b, function: 0x60, none: 0x40 };
const SECTION = { types: 1, imports: 2, functions: 3, exports: 7, code: 10 };
const KIND = { function: 0, memory: 2 };
const UNALIGNED = 0; // the alignment that a load or a store promises

/**
 * A whole number, seven bits a byte (LEB128), the lowest first; the eighth says that more follow.
 * @param {number} n
 * @returns {Code}
 */
const unsigned = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...unsigned(n >>> 7)]);

/** @type {(n: number) => Code} */
const signed = (n) => (n >= -64 && n < 64 ? [n & 127] : [(n & 127) | 128, ...signed(n >> 7)]);

/**
 * @param {Code} code
 * @returns {(...operands: Code[]) => Code}
 */
function operation(...code) {
  return (...operands) => [...operands.flat(), ...code];
}

/** @param {number} code */
const vectorOperation = (code) => operation(OP.vector, ...unsigned(code));

/**
 * @param {number} code
 * @returns {(pointer: Code, offset?: number) => Code}
 */
function loadOperation(code) {
  return (pointer, offset = 0) => [...pointer, OP.vector, code, UNALIGNED, ...unsigned(offset)];
}

/** @type {(local: Code, value: Code) => Code} */
export const set = (local, value) => [...value, OP.localSet, ...local.slice(1)];

/** @type {(n: number) => Code} */
export const whole = (n) => [OP.i32Const, ...signed(n)];

export const plus = operation(OP.i32Add);
export const minus = operation(OP.i32Sub);
export const load = loadOperation(VECTOR.load);

/** @type {(pointer: Code, offset: number, value: Code) => Code} */
export const store = (pointer, offset, value) => {
  const operands = [...pointer, ...value];
  return [...operands, OP.vector, VECTOR.store, UNALIGNED, ...unsigned(offset)];
};

/**
 * for (pointer = from; pointer < to; pointer += step) body, at least once.
 * @param {Code} pointer
 * @param {Code} from
 * @param {Code} to
 * @param {number} step
 * @param {Code[]} body
 * @returns {Code}
 */
export const each = (pointer, from, to, step, ...body) => [
  ...set(pointer, from),
  ...[OP.loop, TYPE.none],
  ...body.flat(),
  ...set(pointer, plus(pointer, whole(step))),
  ...[...pointer, ...to, OP.i32LessUnsigned],
  ...[OP.branchIf, 0], // back to the beginning of this loop
  OP.end,
];

/**
 * Arithmetic on all numbers of a register. number(x) is a constant, spread(pointer, offset) one
 * number from memory, in all places.
 *
 * @param {typeof F32X4} codes  of its operations
 * @param {typeof I32X4} bitCodes  of those on its bits, as whole numbers
 * @param {number} spreadCode
 * @param {(x: number) => Code} constant
 * @param {number} mantissa  bits of it
 * @param {number} least  the smallest argument of exp
 * @param {number} terms  of the series of exp
 */
function arithmetic(codes, bitCodes, spreadCode, constant, mantissa, least, terms) {
  const [add, sub] = [vectorOperation(codes.add), vectorOperation(codes.sub)];
  const [mul, div] = [vectorOperation(codes.mul), vectorOperation(codes.div)];
  const [min, max] = [vectorOperation(codes.pmin), vectorOperation(codes.pmax)];
  const [shift, addBits] = [vectorOperation(bitCodes.shiftLeft), vectorOperation(bitCodes.add)];
  /** @param {number} x */
  const number = (x) => [...constant(x), OP.vector, codes.splat];
  // Added to a number, it leaves the nearest whole one in the last bits.
  const rounding = number(1.5 * 2 ** mantissa);
  let factorial = 1;
  const series = Array.from({ length: terms }, (_, n) => number(1 / (factorial *= n || 1)));

  /**
   * exp(x), not less than exp(least). With x = n ln 2 + r it is the series of exp(r), with n added
   * to the exponent; even and odd terms are summed apart, for speed. k, r, q: vectors for its use.
   * @type {(x: Code, k: Code, r: Code, q: Code) => Code}
   */
  const exp = (x, k, r, q) => {
    /** @param {number} n */
    const pair = (n) => add(series[n], mul(r, series[n + 1]));
    let sum = pair(terms - 2);
    for (let n = terms - 4; n >= 0; n -= 2) sum = add(pair(n), mul(q, sum));
    return [
      ...set(r, max(x, number(least))),
      ...set(k, add(mul(r, number(Math.LOG2E)), rounding)),
      ...set(r, sub(r, mul(sub(k, rounding), number(Math.LN2)))),
      ...set(q, mul(r, r)),
      ...addBits(sum, shift(k, whole(mantissa))),
    ];
  };
  return { add, sub, mul, div, min, max, exp, number, spread: loadOperation(spreadCode) };
}

/** @param {Float64Array | Float32Array} numbers */
const bytes = (numbers) => new Uint8Array(numbers.buffer);
/** @type {(x: number) => Code} */
const double = (x) => [OP.f64Const, ...bytes(Float64Array.of(x))];
/** @type {(x: number) => Code} */
const single = (x) => [OP.f32Const, ...bytes(Float32Array.of(x))];
export const f64 = arithmetic(F64X2, I64X2, VECTOR.load64Splat, double, 52, -700, 10);
export const relaxedMadd = vectorOperation(RELAXED_MADD);
export const f32 = arithmetic(F32X4, I32X4, VECTOR.load32Splat, single, 23, -87, 8);

const MAGIC = [0, 0x61, 0x73, 0x6d]; // "\0asm"
const VERSION = [1, 0, 0, 0];
const PAGE = 65536; // bytes, the unit of memory
/** @param {string} letter */
const name = (letter) => [1, letter.charCodeAt(0)];
/** @param {number} i  of a function */
const nameOf = (i) => String.fromCharCode(48 + i);

/**
 * The body of a function.
 * @param {Program} program
 * @returns {Code}
 */
function bodyOf({ takes, build }) {
  /** @type {number[][]} */
  const types = [];
  /** @param {number} i */
  const local = (i) => [OP.localGet, ...unsigned(i)];
  /** @type {(type: number, n: number) => Code[]} */
  const locals = (type, n) =>
    Array.from({ length: n }, () => local(takes - 1 + types.push([1, type])));
  const code = build(
    Array.from({ length: takes }, (_, i) => local(i)),
    { pointers: (n) => locals(TYPE.i32, n), vectors: (n) => locals(TYPE.v128, n) },
  );
  return [...unsigned(types.length), ...types.flat(), ...code, OP.end];
}

/**
 * The functions of the programs, up to 70, and the memory of `length` bytes that they share.
 *
 * @param {number} length
 * @param {Program[]} programs
 * @returns {{ runs: ((...numbers: number[]) => void)[], buffer: ArrayBuffer }}
 */
export function assemble(length, programs) {
  /** @type {(id: number, entry: (program: Program, i: number) => Code, of?: Program[]) => Code} */
  const section = (id, entry, of = programs) => {
    const content = [...unsigned(of.length), ...of.flatMap(entry)];
    return [id, ...unsigned(content.length), ...content];
  };
  /** @param {Code} body */
  const measured = (body) => [...unsigned(body.length), ...body];
  const memoryImport = [...name("e"), ...name("m"), KIND.memory, 0, 1]; // of one page or more
  const module = Uint8Array.from([
    ...[...MAGIC, ...VERSION],
    ...section(SECTION.types, ({ takes: n }) => [TYPE.function, n, ...Array(n).fill(TYPE.i32), 0]),
    ...section(SECTION.imports, () => memoryImport, [programs[0]]),
    ...section(SECTION.functions, (_, i) => [i]), // each of its own type
    ...section(SECTION.exports, (_, i) => [...name(nameOf(i)), KIND.function, i]),
    ...section(SECTION.code, (program) => measured(bodyOf(program))),
  ]);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(length / PAGE) });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module), {
    e: { m: memory },
  });
  const runs = programs.map((_, i) => /** @type {Kernel["run"]} */ (exports[nameOf(i)]));
  return { runs, buffer: memory.buffer };
}

/**
 * A kernel: its function `run(end)`, and its memory of `length` bytes; or null where WebAssembly or
 * its vectors are missing or forbidden. build({ end, pointers, vectors }) returns the code, where
 * pointers(n) and vectors(n) are n new locals.
 *
 * @param {number} length
 * @param {(locals: Locals) => Code} build
 * @returns {Kernel | null}
 */
export function tryAssemble(length, build) {
  try {
    const program = {
      takes: 1,
      /** @type {Program["build"]} */
      build: ([end], locals) => build({ end, ...locals }),
    };
    const { runs, buffer } = assemble(length, [program]);
    return { run: runs[0], buffer };
  } catch {
    return null;
  }
}

/**
 * u, v at the n points x, y, a block at a time: `places` in the kernel's memory, in bytes, of all
 * four.
 *
 * @param {Kernel} kernel
 * @param {Float64Array | Float32Array} memory
 * @param {number[]} places
 * @param {number} block
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @param {number} n
 * @param {Float64Array} u
 * @param {Float64Array} v
 */
export function inBlocks(kernel, memory, places, block, x, y, n, u, v) {
  const [inX, inY, outU, outV] = places.map((place) => place / memory.BYTES_PER_ELEMENT);
  for (let from = 0; from < n; from += block) {
    const m = Math.min(block, n - from);
    memory.set(x.subarray(from, from + m), inX);
    memory.set(y.subarray(from, from + m), inY);
    kernel.run(m * memory.BYTES_PER_ELEMENT);
    u.set(memory.subarray(outU, outU + m), from);
    v.set(memory.subarray(outV, outV + m), from);
  }
}
