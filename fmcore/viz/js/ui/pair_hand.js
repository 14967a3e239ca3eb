// The hand that pairs: drag from a point to one of the other kind, or choose one after the other, by
// mouse, finger, pen or keys. A finger that sets out from no point scrolls the page.

/** @typedef {import("../layers/pair_panel.js").PairPanel} PairPanel */
/** @typedef {import("../layers/pair_layer.js").Mark} Mark */

const STILL = 8; // pixels a tap may move
const [NEAR, NEAR_FINGER] = [16, 26]; // pixels from a point that count as on it
/** @type {Record<string, [axis: 0 | 1, sign: 1 | -1]>} */
const DIRECTIONS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowDown: [1, -1],
  ArrowUp: [1, 1],
};

/**
 * @typedef {object} Held
 * @property {Mark | null} picked  the point that waits for a partner
 * @property {Mark | null} goal  the one that it would get
 * @property {Mark | null} hover  the one that is looked at
 * @property {Point | null} hand  the pixel of the pointer, while it leads a line
 */

/**
 * @param {PairPanel} panel
 * @param {object} listener
 * @param {Held} listener.held  what the hand holds: kept up to date here
 * @param {(mark: Mark) => Mark} listener.partner
 * @param {() => void} listener.onHold  it holds something else
 * @param {(i: number, j: number) => void} listener.onJoin  noise i and data j become a pair
 */
export function listenToHand(panel, { held, partner, onHold, onJoin }) {
  const { node: stage, cursor } = panel;
  /** @type {Mark} where the keys begin */
  const FIRST = { side: 0, i: 0 };
  /** @type {{ at: Point, again: boolean } | null} where the pointer went down on a point */
  let down = null;

  /** @type {(event: { clientX: number, clientY: number }) => Point} */
  const pixel = ({ clientX, clientY }) => {
    const box = stage.getBoundingClientRect();
    return [clientX - box.left, clientY - box.top];
  };
  /** @type {(event: PointerEvent) => number} */
  const reach = ({ pointerType }) => (pointerType === "mouse" ? NEAR : NEAR_FINGER);
  /** @param {Partial<Held>} changes */
  const hold = (changes) => {
    Object.assign(held, { goal: null, hand: null, hover: null }, changes);
    onHold();
  };
  /** @type {(picked: Mark, mark: Mark) => void} */
  const join = (picked, mark) => {
    const [noise, data] = picked.side === 0 ? [picked, mark] : [mark, picked];
    hold({ picked: null, hover: mark });
    onJoin(noise.i, data.i);
  };

  stage.addEventListener("pointerdown", (event) => {
    cursor.blur(); // which lets go: before, not after
    const { picked } = held;
    const near = /** @type {const} */ ([...pixel(event), reach(event)]);
    const other = picked && panel.find(...near, 1 - picked.side);
    const mark = other ?? panel.find(...near);
    if (picked && other) join(picked, other);
    else if (mark) {
      down = { at: pixel(event), again: picked?.i === mark.i };
      stage.setPointerCapture(event.pointerId);
      hold({ picked: mark });
    } else hold({ picked: null });
  });
  stage.addEventListener("pointermove", (event) => {
    const { picked } = held;
    const [px, py] = pixel(event);
    if (picked && (down || event.pointerType === "mouse")) {
      hold({ hand: [px, py], goal: panel.find(px, py, reach(event), 1 - picked.side) });
    } else if (event.pointerType === "mouse") hold({ hover: panel.find(px, py, NEAR) });
  });
  stage.addEventListener("pointerup", (event) => {
    if (!down) return;
    const { picked, goal } = held;
    const [px, py] = pixel(event);
    const moved = Math.hypot(px - down.at[0], py - down.at[1]) >= STILL;
    const drop = moved || down.again;
    down = null;
    if (picked && goal && moved) join(picked, goal);
    else hold({ picked: drop ? null : picked });
  });
  stage.addEventListener("pointercancel", () => {
    down = null;
    hold({ picked: null });
  });
  stage.addEventListener("pointerleave", () => {
    if (!down) hold({});
  });
  // The finger that takes hold of a point does not scroll.
  const options = { passive: false };
  stage.addEventListener(
    "touchstart",
    (event) => {
      const near = panel.find(...pixel(event.touches[0]), NEAR_FINGER);
      if (near && event.touches.length === 1) event.preventDefault();
    },
    options,
  );

  cursor.addEventListener("focus", () => hold({ hover: FIRST }));
  cursor.addEventListener("blur", () => hold({ picked: null }));
  cursor.addEventListener("keydown", (event) => {
    const { picked } = held;
    const at = held.hover ?? FIRST;
    const direction = DIRECTIONS[event.key];
    const pressed = event.key === "Enter" || event.key === " ";
    const goal = picked && picked.side !== at.side;
    if (direction) {
      const next = neighbour(panel, at, ...direction);
      hold({ hover: next, goal: goal ? next : null });
    } else if (event.key === "Escape") hold({ picked: null, hover: picked ?? at });
    else if (pressed && picked && goal) join(picked, at);
    else if (pressed) hold({ picked: at, hover: partner(at), goal: partner(at) });
    else return;
    event.preventDefault();
  });
}

/**
 * The next point of its kind along an axis; after the last comes the first.
 * @param {PairPanel} panel
 * @param {Mark} mark
 * @param {0 | 1} axis
 * @param {1 | -1} sign
 * @returns {Mark}
 */
function neighbour(panel, { side, i }, axis, sign) {
  const order = Array.from({ length: panel.n }, (_, k) => k).sort(
    (a, b) => panel.place({ side, i: a })[axis] - panel.place({ side, i: b })[axis] || a - b,
  );
  return { side, i: order[(order.indexOf(i) + sign + panel.n) % panel.n] };
}
