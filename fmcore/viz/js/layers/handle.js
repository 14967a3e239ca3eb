// The ring on a stage that marks the starting point and can be dragged.

import { make } from "../ui/controls.js";
import { number } from "../ui/words.js";

/** @typedef {import("./camera.js").Camera} Camera */

export class Handle {
  /** @param {Camera} camera */
  constructor(camera) {
    this.camera = camera;
    this.node = make("button", { type: "button", className: "fm-handle" });
    this.hint = make("span", { className: "fm-hint", "aria-hidden": "true" }, "drag me");
  }

  /** Says that it can be dragged, until it is. */
  offer() {
    this.node.append(this.hint);
  }

  taken() {
    this.hint.remove();
  }

  /**
   * On which side of the ring the hint is out of the way.
   * @param {boolean} right
   */
  hintAt(right) {
    this.hint.classList.toggle("fm-right", right);
  }

  /**
   * The ring stands where the starting point is.
   * @param {Point} start
   */
  move([x, y]) {
    this.node.style.left = `${this.camera.x(x)}px`;
    this.node.style.top = `${this.camera.y(y)}px`;
    const text = `Starting point ${number(x)}, ${number(y)}; arrow keys move it`;
    if (this.node.getAttribute("aria-label") !== text) {
      this.node.setAttribute("aria-label", text);
    }
  }
}
