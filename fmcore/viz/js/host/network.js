// The weights of a network, from wherever they are: in the page, or with the host of this frame.

const PATIENCE = 8000; // milliseconds without a word from the host

/**
 * @param {string} text  base64
 * @returns {ArrayBuffer}
 */
export function fromBase64(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i); // millions: no callback
  return bytes.buffer;
}

/**
 * `model.get("network")` is the weights as base64; where it is nothing, the host of the frame is asked.
 *
 * @param {Host["model"]} model
 * @param {(received: number) => void} onProgress  bytes
 * @returns {Promise<ArrayBuffer>}
 */
export async function loadNetwork(model, onProgress) {
  const given = model.get("network");
  if (given) return fromBase64(given);
  return new Promise((resolve, reject) => {
    /** @type {ReturnType<typeof setTimeout>} */
    let patience;
    /** @param {MessageEvent} event */
    const receive = ({ data, source }) => {
      if (source !== window.parent || !data?.fmNetwork) return;
      const { received, buffer, failed } = data.fmNetwork;
      if (received) onProgress(received);
      if (buffer) end(() => resolve(buffer));
      else if (failed) end(() => reject(new Error(failed)));
      else wait();
    };
    /** @param {() => void} settle */
    const end = (settle) => {
      clearTimeout(patience);
      window.removeEventListener("message", receive);
      settle();
    };
    const wait = () => {
      clearTimeout(patience);
      patience = setTimeout(() => end(() => reject(new Error("no answer came"))), PATIENCE);
    };
    window.addEventListener("message", receive);
    window.parent.postMessage({ fmFigure: "network?" }, "*");
    wait();
  });
}

/**
 * What the host does: sends the frame what it asks for, from the page or, piece by piece, from the
 * site.
 *
 * @param {string} source  "base64,..." or an address
 * @param {(said: { received?: number, buffer?: ArrayBuffer, failed?: string }) => void} send
 */
export async function sendNetwork(source, send) {
  try {
    if (source.startsWith("base64,")) return send({ buffer: fromBase64(source.slice(7)) });
    const response = await fetch(source);
    if (!response.ok) throw new Error(`the site answers ${response.status}`);
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
    /** @type {Uint8Array[]} */
    const pieces = [];
    let received = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      send({ received: (received += value.length) });
    }
    return send({ buffer: await new Blob(/** @type {BlobPart[]} */ (pieces)).arrayBuffer() });
  } catch (error) {
    const offline = error instanceof TypeError; // so fetch says that nothing came
    return send({
      failed: offline ? "the site cannot be reached" : String(/** @type {Error} */ (error).message),
    });
  }
}
