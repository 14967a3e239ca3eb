// From the plane to the pixels of a stage of any shape: the extent is always in full view, in the
// middle, at one scale for both axes; where the stage is wider or taller there is more to see.

export class Camera {
  constructor([xmin, xmax, ymin, ymax]) {
    this.extent = [xmin, xmax, ymin, ymax];
    this.middle = [(xmin + xmax) / 2, (ymin + ymax) / 2];
    this.fit(1, 1);
  }

  fit(width, height) {
    const [xmin, xmax, ymin, ymax] = this.extent;
    this.scale = Math.max(Math.min(width / (xmax - xmin), height / (ymax - ymin)), 1e-6);
    Object.assign(this, { width, height });
    this.dx = width / 2 - this.middle[0] * this.scale;
    this.dy = height / 2 + this.middle[1] * this.scale;
  }

  x(x) {
    return this.dx + x * this.scale;
  }

  y(y) {
    return this.dy - y * this.scale;
  }

  /** The point of the plane under a pixel. */
  plane(px, py) {
    return [(px - this.dx) / this.scale, (this.dy - py) / this.scale];
  }

  /** What the stage shows, and no more than the field knows. */
  view(d = [-Infinity, Infinity, -Infinity, Infinity]) {
    const [xmin, ymin] = this.plane(0, this.height);
    const [xmax, ymax] = this.plane(this.width, 0);
    return [Math.max(xmin, d[0]), Math.min(xmax, d[1]), Math.max(ymin, d[2]), Math.min(ymax, d[3])];
  }
}
