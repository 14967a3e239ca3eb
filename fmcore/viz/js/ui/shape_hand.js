// A hand that draws a shape on the stage: a line becomes points at even distances, a tap one point.

import { listenToPen } from "./pen.js";

/** @typedef {import("../train/tab.js").PlaySpec} PlaySpec */

const APART = 1.1; // widths of the pen, between two points of a line

/**
 * While it draws, a finger does not scroll the page.
 *
 * @param {{ node: HTMLElement, camera: import("../layers/camera.js").Camera }} panel
 * @param {PlaySpec} spec
 * @param {(points: Point[]) => void} onPoints  all that there are
 */
export function listenToShape({ node, camera }, { pen, extent }, onPoints) {
  /** @type {Point[]} */
  let points = [];
  /** @type {Point | null} the last point of the line that is drawn */
  let last = null;
  /** @type {(event: PointerEvent) => Point} */
  const place = (event) => {
    const box = node.getBoundingClientRect();
    const [x, y] = camera.plane(event.clientX - box.left, event.clientY - box.top);
    const [xmin, xmax, ymin, ymax] = extent;
    return [Math.min(Math.max(x, xmin), xmax), Math.min(Math.max(y, ymin), ymax)];
  };
  /** @param {Point} point */
  const add = (point) => {
    last = point;
    if (points.length < pen.most) points.push(point);
  };
  /** @type {(from: Point, to: Point) => void} */
  const lineTo = (from, to) => {
    const step = APART * pen.width;
    const far = Math.hypot(to[0] - from[0], to[1] - from[1]);
    const [dx, dy] = [(to[0] - from[0]) / far, (to[1] - from[1]) / far];
    for (let k = 1; k * step <= far; k++) {
      add([from[0] + k * step * dx, from[1] + k * step * dy]);
    }
  };
  listenToPen(
    { canvas: node, point: place },
    {
      onStart() {
        last = null;
      },
      onLine(_, to) {
        if (last) lineTo(last, to);
        else add(to);
        onPoints(points);
      },
      onEnd() {},
    },
  );
  return {
    begin() {
      [points, last] = [[], null];
      node.classList.add("fm-drawing");
    },
    /** The points, x, y, x, y, ...; null if they are too few for a shape. */
    end() {
      node.classList.remove("fm-drawing");
      return points.length < pen.fewest ? null : points.flat();
    },
  };
}
