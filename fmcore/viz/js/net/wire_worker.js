// The worker of the wires: digits from noises, by the network with the wires cut that an order names.

import { cut, told } from "./cut.js";
import { follow } from "./sampler.js";
import { serve } from "./worker.js";

/** @typedef {import("./worker.js").Order & { labels: number[] | null, wires: import("./cut.js").Wire[] }} WireOrder */

/**
 * @param {WireOrder} order
 * @returns {import("./worker.js").Trip[]}
 */
export const wireTrips = ({ noises, tableau, steps, labels, wires }) =>
  noises.map((x0, image) => ({
    image,
    label: labels?.[image] ?? null,
    states: (field) => follow((x, t) => field(x, told(wires, t)), tableau, x0, steps),
  }));

/** @param {Parameters<typeof serve>[0]} scope */
export const serveWires = (scope) => serve(scope, wireTrips, (file, { wires }) => cut(file, wires));
