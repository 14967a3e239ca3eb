// From the plane to the pixels of a stage of any shape: the extent is always in full view, in the
// middle, at one scale for both axes; where the stage is wider or taller there is more to see.

const LEAST_SCALE = 1e-6; // of a stage without a size: what divides by the scale stays finite

export class Camera {
  width = 1; // CSS pixels
  height = 1;
  scale = 1; // pixels for one unit of the plane
  dx = 0; // the pixel of the origin
  dy = 0;

  /** @param {Box} extent */
  constructor(extent) {
    this.extent = extent;
    this.fit(1, 1);
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  fit(width, height) {
    const [xmin, xmax, ymin, ymax] = this.extent;
    this.width = width;
    this.height = height;
    this.scale = Math.max(Math.min(width / (xmax - xmin), height / (ymax - ymin)), LEAST_SCALE);
    this.dx = width / 2 - ((xmin + xmax) / 2) * this.scale;
    this.dy = height / 2 + ((ymin + ymax) / 2) * this.scale;
  }

  /** @param {number} x */
  x(x) {
    return this.dx + x * this.scale;
  }

  /** @param {number} y */
  y(y) {
    return this.dy - y * this.scale;
  }

  /**
   * The point of the plane under a pixel.
   * @param {number} px
   * @param {number} py
   * @returns {Point}
   */
  plane(px, py) {
    return [(px - this.dx) / this.scale, (this.dy - py) / this.scale];
  }

  /**
   * What the stage shows, and no more than the field knows.
   * @param {Box} [domain]
   * @returns {Box}
   */
  view(domain = [-Infinity, Infinity, -Infinity, Infinity]) {
    const [xmin, ymin] = this.plane(0, this.height);
    const [xmax, ymax] = this.plane(this.width, 0);
    return [
      Math.max(xmin, domain[0]),
      Math.min(xmax, domain[1]),
      Math.max(ymin, domain[2]),
      Math.min(ymax, domain[3]),
    ];
  }

  /**
   * The nearest point in view.
   * @param {Point} point
   * @returns {Point}
   */
  clamp([x, y]) {
    const [xmin, xmax, ymin, ymax] = this.view();
    return [Math.min(Math.max(x, xmin), xmax), Math.min(Math.max(y, ymin), ymax)];
  }
}
