// A network as fmcore.viz.web writes it: safetensors, whose header also holds the layout of the
// network and a checksum. Weights come in half or in single precision.

import { fromHalf } from "./half.js";

/**
 * @typedef {object} Operation
 * @property {string} op
 * @property {string} from
 * @property {string} to
 * @property {string} [weight]  names of tensors
 * @property {string} [bias]
 * @property {[from: number, to: number]} [columns]  of the weight, where not all
 * @property {string} [film]  the vector of scales and shifts behind a convolution
 * @property {string} [shift]  the vector in place of its bias
 * @property {string} [plus]  a picture to be added
 * @property {boolean} [silu]
 * @property {boolean} [silent]  a result of 0, but for what is added
 * @property {number} [groups]
 * @property {number} [eps]
 * @property {number[]} [frequencies]
 * @property {"max" | "mean"} [kind]
 */

/** @typedef {{ shape: number[], values: Float32Array }} Tensor */
/**
 * @typedef {object} Layout
 * @property {number} channels  of the input
 * @property {number} margin  of zeros, in pixels
 * @property {number} multiple  height and width are multiples of it
 * @property {Operation[]} ops
 * @property {string} result
 */
/** @typedef {{ layout: Layout, tensors: Record<string, Tensor> }} NetworkFile */

const HEADER = 8; // bytes of the length of the header

/** @param {Uint8Array} bytes */
export function crc32(bytes) {
  const table = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let i = 0; i < 8; i++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n;
  });
  let sum = -1;
  for (let i = 0; i < bytes.length; i++) sum = table[(sum ^ bytes[i]) & 255] ^ (sum >>> 8);
  return (sum ^ -1) >>> 0;
}

/**
 * The network in a file. Throws an Error that says so if it is damaged, or none.
 * @param {ArrayBuffer} buffer
 * @returns {NetworkFile}
 */
export function readNetwork(buffer) {
  const header = readHeader(buffer);
  const { layout: layoutText, crc32: sum } = header.__metadata__ ?? {};
  if (!layoutText) throw new Error("the weights are not of a network for a page");
  const data = new Uint8Array(buffer, header.begin);
  if (crc32(data) !== Number(sum)) throw new Error("the weights are damaged");
  /** @type {Record<string, Tensor>} */
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header.tensors)) {
    const bytes = data.slice(...offsets).buffer;
    if (dtype !== "F16" && dtype !== "F32") throw new Error(`${name} is of the type ${dtype}`);
    const values = dtype === "F16" ? fromHalf(new Uint16Array(bytes)) : new Float32Array(bytes);
    tensors[name] = { shape, values };
  }
  return { layout: JSON.parse(layoutText), tensors };
}

/**
 * @param {ArrayBuffer} buffer
 * @returns {{ __metadata__?: Record<string, string>, begin: number, tensors: Record<string, any> }}
 */
function readHeader(buffer) {
  try {
    const begin = HEADER + Number(new DataView(buffer).getBigUint64(0, true));
    const text = new TextDecoder().decode(new Uint8Array(buffer, HEADER, begin - HEADER));
    const { __metadata__, ...tensors } = JSON.parse(text);
    return { __metadata__, begin, tensors };
  } catch {
    throw new Error("the weights are damaged");
  }
}
