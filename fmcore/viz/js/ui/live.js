// What a screen reader is told, once things are at rest.

import { make, setText } from "./controls.js";

const QUIET = 700; // milliseconds without a change before it is

export class Live {
  node = make("div", { className: "fm-live", role: "status", "aria-live": "polite" });
  /** @type {number | undefined} */
  timer = undefined;

  /** @param {string} text */
  say(text) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => setText(this.node, text), QUIET);
  }
}
