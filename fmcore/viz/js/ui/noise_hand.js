// A hand on the noise: a pointer, or the keys, that paint it anew in a circle.

const STRIDE = 4; // pixels of a digit that an arrow moves the circle
/** @type {Record<string, [number, number]>} */
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const WORDS = "The noise: arrows move a circle, Enter draws the noise in it anew";

/** @typedef {import("../layers/digit_grid.js").DigitGrid} DigitGrid */
/** @typedef {NonNullable<DigitGrid["cursor"]>} Place */

/**
 * Returns what lets the hand in, or not. onPaint is told where, onMove that the circle has moved.
 *
 * @param {DigitGrid} grid
 * @param {(place: Place) => void} onPaint
 * @param {() => void} onMove
 */
export function noiseHand(grid, onPaint, onMove) {
  const { canvas } = grid;
  let active = false;
  /** @param {PointerEvent} event */
  const paint = (event) => {
    const place = active ? grid.at(event) : null;
    if (place) onPaint(place);
  };
  /** @param {Place | null} cursor */
  const mark = (cursor) => {
    grid.cursor = cursor;
    onMove();
  };
  canvas.addEventListener("pointerdown", paint);
  canvas.addEventListener("pointermove", (event) => event.buttons && paint(event));
  canvas.addEventListener("keydown", (event) => {
    const [dx, dy] = MOVES[event.key] ?? [0, 0];
    const press = event.key === "Enter" || event.key === " ";
    if (!active || !(dx || dy || press)) return;
    event.preventDefault();
    grid.move(STRIDE * dx, STRIDE * dy);
    if (press && grid.cursor) onPaint(grid.cursor);
    onMove();
  });
  canvas.addEventListener("focus", () => {
    if (!active || !canvas.matches(":focus-visible")) return;
    grid.move(0, 0);
    onMove();
  });
  canvas.addEventListener("blur", () => mark(null));

  /** @param {boolean} allowed */
  const allow = (allowed) => {
    active = allowed;
    canvas.classList.toggle("fm-paper", allowed);
    const attributes = { tabindex: "0", role: "application", "aria-label": WORDS };
    for (const [name, value] of Object.entries(attributes)) {
      if (allowed) canvas.setAttribute(name, value);
      else canvas.removeAttribute(name);
    }
    if (allowed) canvas.removeAttribute("aria-hidden");
    else canvas.setAttribute("aria-hidden", "true");
    mark(null);
  };
  allow(false);
  return allow;
}
