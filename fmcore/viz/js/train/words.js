// How far a training is, in words.

import { make } from "../ui/controls.js";
import { number, plural } from "../ui/words.js";

/** @typedef {import("./worker.js").Report} Report */
/** @typedef {import("./tab.js").PlaySpec} PlaySpec */
/** @typedef {import("./tab.js").PlayState} PlayState */

/** @param {number} n */
const counted = (n) => n.toLocaleString("en");
/** @param {string} text */
const strong = (text) => make("b", {}, text);

/**
 * Line by line.
 * @type {(last: Report | undefined, state: PlayState, spec: PlaySpec) => (Node | string)[][]}
 */
export function stateOf(last, { pairing, solver, steps, lr }, spec) {
  if (!last) return [["The network is being prepared."]];
  const { step, seconds, test, floor, measured, apart, diverged, reflowed, done } = last;
  const all = counted(spec.training.steps);
  if (diverged !== null) {
    return [
      [strong("The training has diverged"), ` after step ${counted(step)}: a learning rate of ${last.lr} is too high here.`], // prettier-ignore
    ];
  }
  const clock = done ? "done in" : "after";
  const lines = [
    [strong(`Step ${counted(step)}`), ` of ${all}, ${clock} ${number(seconds, 1)} s of training.`],
  ];
  if (last.lr !== lr) lines[0].push(` The learning rate is down to ${last.lr}.`);
  const above = floor === null ? null : 100 * (test / floor - 1);
  if (above !== null) {
    const said = above < 0.05 ? "at" : `${number(above, above < 10 ? 1 : 0)} % above`;
    lines.push([`Loss ${number(test, 3)}, `, strong(said), ` its floor of ${number(floor ?? 0, 3)}.`]); // prettier-ignore
  } else {
    const which = reflowed ? "pairs of its own" : "these pairs";
    lines.push([`Loss ${number(test, 3)} on ${which}, whose floor is not known in closed form.`]);
  }
  if (measured) {
    const label = spec.solvers.find(({ id }) => id === solver)?.label;
    lines.push([
      `Samples by ${label}, ${plural(steps, "step")}, are `,
      strong(number(measured.distance)),
      ` from data (Wasserstein-2); data from data ${number(apart)}. `,
      `Straightness ${number(measured.straightness)}; 0 is straight.`,
    ]);
  }
  if (pairing === "reflow" && !reflowed) {
    lines.push([`At step ${counted(Math.floor(spec.training.steps / 2))} it makes its own pairs.`]);
  }
  return lines;
}
