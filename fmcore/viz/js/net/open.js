// What a figure does with the bytes of its network: opens a worker, and gives them to it.

import { startWorker } from "./start.js";

const HEADER = 8; // bytes of a length

/**
 * What fmcore.viz.living.live packs: parts, each behind its length.
 * @param {ArrayBuffer} buffer
 */
export function parts(buffer) {
  const found = [];
  const view = new DataView(buffer);
  for (let at = 0; at < buffer.byteLength;) {
    if (at + HEADER > buffer.byteLength) throw new Error("the weights are damaged");
    const end = at + HEADER + Number(view.getBigUint64(at, true));
    if (end > buffer.byteLength) throw new Error("the weights are damaged");
    found.push(buffer.slice(at + HEADER, end));
    at = end;
  }
  if (found.length < 2) throw new Error("the weights are damaged");
  return found;
}

/**
 * A worker that runs the network, and the part of the bytes that is not for it. Throws an Error if
 * they are damaged.
 *
 * @param {string} script
 * @param {ArrayBuffer} buffer
 * @param {[height: number, width: number]} size  of a picture
 * @param {(said: any) => void} onHear  what the worker says
 * @param {(error: Error) => void} onFail
 */
export function openNetwork(script, buffer, [height, width], onHear, onFail) {
  const [first, ...files] = parts(buffer);
  const worker = startWorker(script, (said) => said.opened || onHear(said), onFail);
  worker.postMessage({ open: { files, channels: 1, height, width } }, files);
  return { first, worker };
}
