// Ink on a sheet of pixels, from -1, paper, to 1: lines of a pen, and what is done to all of it.

/** @typedef {{ width: number, height: number }} Size */

const RADIUS = 0.75; // of the pen's full ink, in pixels
const EDGE = 1.1; // over which it fades
export const BOX = 20 / 28; // the share of a picture that MNIST lets a digit fill
const MOST_SCALE = 1.6;

/**
 * Draws a line from one point to another; a point is in pixels, [0, 0] the corner above on the left.
 *
 * @param {Float32Array} sheet
 * @param {Size} size
 * @param {Point} from
 * @param {Point} to
 */
export function inkLine(sheet, { width, height }, [x0, y0], [x1, y1]) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const square = dx * dx + dy * dy;
  for (let p = 0; p < width * height; p++) {
    const [x, y] = [(p % width) + 0.5 - x0, Math.floor(p / width) + 0.5 - y0];
    const s = square ? Math.max(0, Math.min(1, (x * dx + y * dy) / square)) : 0;
    const share = (RADIUS + EDGE - Math.hypot(x - s * dx, y - s * dy)) / EDGE;
    sheet[p] = Math.max(sheet[p], 2 * Math.min(1, Math.max(0, share)) - 1);
  }
}

/**
 * How much ink there is, where its middle is, and the edges of what it fills.
 * @param {Float32Array} sheet
 * @param {Size} size
 */
export function inkOf(sheet, { width, height }) {
  let [sum, x, y] = [0, 0, 0];
  let [left, right, top, bottom] = [width, 0, height, 0];
  for (let p = 0; p < width * height; p++) {
    const ink = (sheet[p] + 1) / 2;
    const [column, row] = [p % width, Math.floor(p / width)];
    sum += ink;
    x += ink * (column + 0.5);
    y += ink * (row + 0.5);
    if (ink < 0.1) continue;
    [left, right] = [Math.min(left, column), Math.max(right, column + 1)];
    [top, bottom] = [Math.min(top, row), Math.max(bottom, row + 1)];
  }
  const empty = right <= left;
  /** @type {Point} */
  const middle = empty ? [width / 2, height / 2] : [x / sum, y / sum];
  return { empty, middle, wide: empty ? 0 : right - left, high: empty ? 0 : bottom - top };
}

/**
 * The drawing as MNIST places its digits: as large as fits the box, its centre of mass in the middle.
 *
 * @param {Float32Array} sheet
 * @param {Size} size
 * @returns {Float32Array}
 */
export function centred(sheet, size) {
  const { width, height } = size;
  const { empty, middle, wide, high } = inkOf(sheet, size);
  if (empty) return sheet.slice();
  const scale = Math.min(MOST_SCALE, BOX * Math.min(width / wide, height / high));
  /** @type {(x: number, y: number) => number} */
  const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? -1 : sheet[y * width + x]);
  return sheet.map((_, p) => {
    const x = middle[0] - 0.5 + ((p % width) + 0.5 - width / 2) / scale;
    const y = middle[1] - 0.5 + (Math.floor(p / width) + 0.5 - height / 2) / scale;
    const [i, j] = [Math.floor(x), Math.floor(y)];
    const [u, v] = [x - i, y - j];
    const above = (1 - u) * at(i, j) + u * at(i + 1, j);
    return (1 - v) * above + v * ((1 - u) * at(i, j + 1) + u * at(i + 1, j + 1));
  });
}

/**
 * The drawing without its lower half.
 * @param {Float32Array} sheet
 */
export const upperHalf = (sheet) => sheet.map((z, p) => (p < sheet.length / 2 ? z : -1));
