// A grid of digits on a canvas, from a picture computed beforehand or from numbers.

const SCALE = 6; // pixels of the canvas for one of a digit; the page makes it fit
const GAP = 1; // between two digits, in pixels of a digit
const [PAPER, INK] = [
  [246, 243, 236],
  [23, 24, 28],
];
const [MORE, LESS] = [
  [0, 114, 255],
  [255, 120, 0],
]; // what a stroke that is new, or gone, is tinted with

/** @typedef {(ctx: Context, i: number, x: number, y: number, scale: number) => void} DrawDigit */

export class DigitGrid {
  canvas = document.createElement("canvas");
  /** @type {{ i: number, x: number, y: number } | null} a pixel of a digit, marked */
  cursor = null;

  marked = false; // in the last picture
  /** @type {any[][]} of the last picture */
  keys = [];

  /**
   * @param {DigitSpec["shape"]} shape
   * @param {number} scale  pixels of the canvas for one of a digit
   */
  constructor([count, height, width], scale = SCALE) {
    this.scale = scale;
    this.columns = Math.ceil(Math.sqrt(count));
    this.rows = Math.ceil(count / this.columns);
    this.count = count;
    this.height = height;
    this.width = width;
    this.one = Object.assign(document.createElement("canvas"), { width, height });
  }

  /**
   * @param {DrawDigit} drawDigit
   * @param {(i: number) => any[]} [keyOf]  a digit is drawn anew where one of these has changed
   */
  draw(drawDigit, keyOf) {
    const { canvas, columns, rows, width, height, scale } = this;
    const [pitchX, pitchY] = [scale * (width + GAP), scale * (height + GAP)];
    const marked = this.cursor !== null;
    const [wide, high] = [columns * pitchX - scale * GAP, rows * pitchY - scale * GAP];
    if (!keyOf || marked || this.marked || canvas.width !== wide || canvas.height !== high) {
      Object.assign(canvas, { width: wide, height: high }); // which also clears it
      this.keys = [];
    }
    this.marked = marked;
    const ctx = /** @type {Context} */ (canvas.getContext("2d"));
    ctx.imageSmoothingEnabled = false;
    for (let i = 0; i < this.count; i++) {
      const [old, key] = [this.keys[i], keyOf?.(i) ?? []];
      this.keys[i] = key;
      if (old?.length && old.every((part, k) => part === key[k])) continue;
      drawDigit(ctx, i, (i % columns) * pitchX, Math.floor(i / columns) * pitchY, scale);
    }
    if (!this.cursor) return;
    const { i, x, y } = this.cursor;
    const centre = [(i % columns) * pitchX + scale * (x + 0.5), Math.floor(i / columns) * pitchY + scale * (y + 0.5)]; // prettier-ignore
    for (const [color, line] of /** @type {[string, number][]} */ ([
      ["#fff", 6],
      ["#0072ff", 3],
    ])) {
      // prettier-ignore
      Object.assign(ctx, { strokeStyle: color, lineWidth: line });
      ctx.beginPath();
      ctx.arc(centre[0], centre[1], 4.5 * scale, 0, 2 * Math.PI);
      ctx.stroke();
    }
  }

  /**
   * Draws numbers in [-1, 1], from paper to ink; where they differ from `before`, with a tint.
   *
   * @param {Float32Array | null} values
   * @param {Float32Array | null} [before]
   * @returns {DrawDigit}
   */
  numbers(values, before) {
    return (ctx, _, x, y, scale) => {
      const one = /** @type {Context} */ (this.one.getContext("2d"));
      const image = one.createImageData(this.width, this.height);
      for (let p = 0; p < this.width * this.height; p++) {
        const ink = shade(values?.[p] ?? -1);
        const change = before && values ? ink - shade(before[p]) : 0;
        const tint = Math.min(1, 1.5 * Math.abs(change));
        for (let c = 0; c < 3; c++) {
          const plain = PAPER[c] + ink * (INK[c] - PAPER[c]);
          image.data[4 * p + c] = plain + tint * ((change > 0 ? MORE : LESS)[c] - plain);
        }
        image.data[4 * p + 3] = 255;
      }
      one.putImageData(image, 0, 0);
      ctx.drawImage(this.one, x, y, scale * this.width, scale * this.height);
    };
  }

  /**
   * The point under a pointer, in pixels of the digits. The picture lies left and on top within the
   * canvas, as large as fits.
   * @param {{ clientX: number, clientY: number }} event
   * @returns {Point}
   */
  point({ clientX, clientY }) {
    const { canvas, scale } = this;
    const box = canvas.getBoundingClientRect();
    const fit = Math.min(box.width / canvas.width, box.height / canvas.height) * scale;
    return [(clientX - box.left) / fit, (clientY - box.top) / fit];
  }

  /**
   * The pixel of a digit under a pointer, if there is one.
   * @param {PointerEvent} event
   */
  at(event) {
    const [x, y] = this.point(event);
    const [column, row] = [Math.floor(x / (this.width + GAP)), Math.floor(y / (this.height + GAP))];
    const i = row * this.columns + column;
    if (x < 0 || y < 0 || column >= this.columns || i >= this.count) return null;
    const inside = [x - column * (this.width + GAP), y - row * (this.height + GAP)];
    return { i, x: Math.floor(inside[0]), y: Math.floor(inside[1]) };
  }

  /**
   * Moves the cursor by so many pixels, from digit to digit.
   * @param {number} dx
   * @param {number} dy
   */
  move(dx, dy) {
    const { i, x, y } = this.cursor ?? { i: 0, x: this.width >> 1, y: this.height >> 1 };
    /** @type {(z: number, most: number) => number} */
    const within = (z, most) => Math.max(0, Math.min(most - 1, z));
    const column = i % this.columns;
    const allX = within(column * this.width + x + dx, this.columns * this.width);
    const allY = within(Math.floor(i / this.columns) * this.height + y + dy, this.rows * this.height); // prettier-ignore
    const to = Math.floor(allY / this.height) * this.columns + Math.floor(allX / this.width);
    if (to < this.count) this.cursor = { i: to, x: allX % this.width, y: allY % this.height };
  }
}

/** @param {number} z */
const shade = (z) => (Math.max(-1, Math.min(1, z)) + 1) / 2;
