// The network in a worker: it is given its files once, and then one run after the other. Between two
// steps it looks whether another run has been asked for in the meantime.

import { breather } from "./breather.js";
import { readNetwork } from "./file.js";
import { buildNetwork } from "./network.js";
import { misfit } from "./plan.js";
import { follow, guided } from "./sampler.js";

/**
 * @typedef {object} Order  noises to follow
 * @property {number} run  the number that the answers bear
 * @property {Float32Array[]} noises
 * @property {Tableau} tableau
 * @property {number} steps
 * @property {import("./network.js").Label} label
 * @property {number} guidance
 */

/** @typedef {{ files: ArrayBuffer[], channels: number, height: number, width: number }} Opening  a network, and a judge */
/**
 * What the network is asked for: a picture, by its states from the first to the last.
 * @typedef {object} Trip
 * @property {number} image  the number that the answers bear
 * @property {import("./network.js").Label} label
 * @property {(field: import("./sampler.js").ImageField) => Iterable<import("./sampler.js").State>} states
 */

/** @typedef {import("./file.js").NetworkFile} NetworkFile */
/** @typedef {{ digit: number, readable: number }} Verdict  `readable`: the probability that it is a digit */

/**
 * From noises to digits.
 * @param {Order} order
 * @returns {Trip[]}
 */
const fromNoise = ({ noises, tableau, steps, label }) =>
  noises.map((x0, image) => ({
    image,
    label,
    states: (field) => follow(field, tableau, x0, steps),
  }));

/**
 * Answers what is asked of the worker: { open: Opening } and { order: Order }.
 * @param {{ onmessage: ((event: { data: any }) => void) | null, postMessage: (message: any) => void }} scope
 * @param {(order: any) => Trip[]} tripsOf  an order
 * @param {((file: NetworkFile, order: any) => NetworkFile) | null} adapt  the network, to an order
 */
export function serve(scope, tripsOf = fromNoise, adapt = null) {
  /** @type {ReturnType<typeof buildNetwork>[]} */
  let networks = [];
  /** @type {(order: any) => ReturnType<typeof buildNetwork>} */
  let adapted = () => networks[0];
  let latest = -1;
  const breathe = breather();

  /** @param {{ run: number, guidance?: number }} order */
  const follows = async (order) => {
    const [network, judge] = [adapted(order), networks[1]];
    const { run, guidance = 1 } = order;
    for (const { image, label, states } of tripsOf(order)) {
      const { field, calls } = guided(network.velocity, label, guidance);
      let evaluations = 0;
      let spent = 0;
      /** @type {import("./sampler.js").ImageField} */
      const counted = (x, t) => {
        const begun = performance.now();
        const v = field(x, t);
        spent += performance.now() - begun;
        evaluations++;
        return v;
      };
      for (const { step, t, x, v } of states(counted)) {
        const verdict = v || !judge ? null : judged(judge.velocity, x);
        const cost = { nfe: evaluations, milliseconds: spent / evaluations / calls };
        scope.postMessage({ run, image, step, t, x, v, verdict, ...cost });
        await breathe();
        if (run !== latest) return;
      }
    }
    scope.postMessage({ run, done: true });
  };

  scope.onmessage = async ({ data: { open, order } }) => {
    try {
      if (open) {
        /** @type {NetworkFile[]} */
        const files = open.files.map(readNetwork);
        const fits = files.every(({ layout }) => layout.channels === open.channels);
        if (!fits) throw misfit("its input");
        /** @param {NetworkFile} file */
        const build = (file) => buildNetwork(file, open.height, open.width);
        networks = files.map(build);
        if (adapt) {
          adapted = (wanted) => build(adapt(files[0], wanted));
        }
        scope.postMessage({ opened: networks[0].kind });
      } else {
        latest = order.run;
        await follows(order);
      }
    } catch (error) {
      scope.postMessage({ failed: /** @type {Error} */ (error).message });
    }
  };
}

/**
 * What the judge reads. The image is rounded to bytes before, as it is when it is saved.
 * @type {(velocity: import("./network.js").Velocity, x: Float32Array) => Verdict}
 */
export function judged(velocity, x) {
  const bytes = x.map((z) => Math.round((Math.min(1, Math.max(-1, z)) + 1) * 127.5));
  const logits = velocity(
    bytes.map((byte) => byte / 127.5 - 1),
    0,
  );
  const largest = Math.max(...logits);
  const odds = Array.from(logits, (z) => Math.exp(z - largest));
  const sum = odds.reduce((total, z) => total + z, 0);
  const none = /** @type {number} */ (odds.pop()) / sum; // the last class is "no digit"
  return { digit: odds.indexOf(Math.max(...odds)), readable: 1 - none };
}
