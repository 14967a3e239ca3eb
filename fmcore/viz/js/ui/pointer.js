// Mouse, finger and pen on the stage, and the keys on the starting point's handle.
//
// A finger that moves over the stage scrolls the page; it is a tap that speaks to the figure, and the
// handle that can be dragged.

/** @type {Record<string, Point>} */
const DIRECTIONS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};
const STEPS_ACROSS = 60; // steps of a key from one edge of the extent to the other
const WITH_SHIFT = 5;
const STILL = 8; // pixels a tap may move

/**
 * @typedef {object} Listener
 * @property {(to: Point) => void} onMove  the starting point goes there
 * @property {(by: Point) => void} onNudge  or moves by that
 * @property {(at: Point | null) => void} onHover  the field is asked for
 */

/**
 * @param {{ node: HTMLElement, handle: import("../layers/handle.js").Handle }} panel
 * @param {Listener} listener
 */
export function listen({ node: stage, handle: ring }, { onMove, onNudge, onHover }) {
  const { node: handle, camera } = ring;
  /** @param {PointerEvent} event */
  const pointOf = (event) => {
    const box = stage.getBoundingClientRect();
    return camera.plane(event.clientX - box.left, event.clientY - box.top);
  };
  /** @type {PointerEvent | null} */
  let down = null;
  stage.addEventListener("pointerdown", (event) => {
    down = event;
  });
  stage.addEventListener("pointerup", (event) => {
    const moved = down && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY);
    down = null;
    if (moved === null || moved >= STILL) return;
    onMove(pointOf(event));
    if (event.pointerType !== "mouse") onHover(pointOf(event));
  });
  stage.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") onHover(pointOf(event));
  });
  stage.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") onHover(null);
  });
  stage.addEventListener("pointercancel", () => {
    down = null;
    onHover(null);
  });

  // What happens on the handle is no tap on the stage.
  handle.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    handle.setPointerCapture(event.pointerId);
    onHover(null);
  });
  handle.addEventListener("pointermove", (event) => {
    event.stopPropagation();
    if (handle.hasPointerCapture(event.pointerId)) onMove(pointOf(event));
  });
  handle.addEventListener("pointerup", (event) => event.stopPropagation());
  handle.addEventListener("keydown", (event) => {
    const direction = DIRECTIONS[event.key];
    if (!direction) return;
    event.preventDefault();
    const [xmin, xmax] = camera.extent;
    const size = ((xmax - xmin) / STEPS_ACROSS) * (event.shiftKey ? WITH_SHIFT : 1);
    onNudge([direction[0] * size, direction[1] * size]);
  });
}
