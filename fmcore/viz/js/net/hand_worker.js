// The worker of the hand: what it is asked to do to a drawing, as trips from picture to picture.

import { pathOf } from "../fields/paths.js";
import { normal, uniform } from "../flow/random.js";
import { edited, encoded, inpainted, keptOf, slerped } from "./editing.js";
import { follow } from "./sampler.js";
import { serve } from "./worker.js";

/** @typedef {import("./worker.js").Trip} Trip */

/**
 * @typedef {object} HandOrder  what is done to a drawing
 * @property {number} run
 * @property {"finish" | "tidy" | "trip" | "morph"} what
 * @property {Float32Array} drawing
 * @property {number} width  of it
 * @property {Float32Array} goal  of a morph
 * @property {number} count  of pictures
 * @property {number} steps
 * @property {number} t  from which it is tidied, or sent back
 * @property {number} seed
 * @property {{ kind: string }} path
 * @property {Tableau} tableau
 * @property {import("./vectors.js").Label} label
 */

/**
 * @param {HandOrder} order
 * @returns {Trip[]}
 */
export function handTrips({
  what,
  drawing,
  width,
  goal,
  count,
  steps,
  t,
  seed,
  path: data,
  tableau,
  label,
}) {
  const path = pathOf(data);
  const gauss = normal(uniform(seed));
  const draw = () => Float32Array.from(drawing, gauss);
  const means = { path, tableau, draw };
  const images = Array.from({ length: count }, (_, image) => image);
  if (what === "finish") {
    const until = keptOf(drawing, width);
    return images.map((image) => ({
      image,
      label,
      states: (field) => inpainted(field, means, drawing, until, steps),
    }));
  }
  if (what === "tidy") {
    return images.map((image) => ({
      image,
      label,
      states: (field) => edited(field, means, drawing, t, steps),
    }));
  }
  /** @type {Float32Array[]} */
  const noises = [];
  /** @type {(x: Float32Array, k: number) => Trip["states"]} */
  const roundTrip = (x, k) =>
    function* (field) {
      noises[k] = yield* encoded(field, means, x, t, steps);
      yield* follow(field, tableau, noises[k], steps);
    };
  const there = { image: 0, label: null, states: roundTrip(drawing, 0) };
  if (what === "trip") return [there];
  const last = count - 1;
  return [
    there,
    { image: last, label: null, states: roundTrip(goal, 1) },
    ...images.slice(1, last).map((image) => ({
      image,
      label: null,
      /** @type {Trip["states"]} */
      states: (field) => follow(field, tableau, slerped(noises[0], noises[1], image / last), steps),
    })),
  ];
}

/** @param {Parameters<typeof serve>[0]} scope */
export const serveHand = (scope) => serve(scope, handTrips);
