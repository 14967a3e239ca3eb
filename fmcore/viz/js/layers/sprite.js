// Where the digits come from: a picture of all states. A row of it holds one state of all noises:
// first where each solver arrives in each number of steps, then those at even times of an accurate
// solution.
//
// A network that runs in the browser can stand in its place: what it takes is ready, arrived(solver,
// steps), atShare(share) and draw().

/** @typedef {{ rows: { row: number, opacity: number }[] }} DigitPicture  rows, one over the other */

export class Sprite {
  /** @param {DigitSpec} spec */
  constructor(spec) {
    this.spec = spec;
    const [count, height, width] = spec.shape;
    this.count = count;
    this.height = height;
    this.width = width;
    this.image = new Image();
    this.image.src = `data:image/png;base64,${spec.picture}`;
    this.ready = this.image.decode();
  }

  /**
   * Where a solver arrives, and what it took.
   * @param {string} solver
   * @param {number} steps
   */
  arrived(solver, steps) {
    const { spec } = this;
    const s = spec.solvers.findIndex(({ id }) => id === solver);
    const row = s * spec.steps.length + spec.steps.indexOf(steps);
    return { rows: [{ row, opacity: 1 }], nfe: spec.nfe[row], rms: spec.rms[row] };
  }

  /**
   * The state at a share of the whole time: two near ones, and how much of the second shows through.
   * @param {number} share
   */
  atShare(share) {
    const { times, nfe } = this.spec;
    const at = share * (times.length - 1);
    const first = Math.min(Math.floor(at), times.length - 2);
    const row = nfe.length + first;
    return {
      rows: [
        { row, opacity: 1 },
        { row: row + 1, opacity: at - first },
      ],
    };
  }

  /**
   * Draws digit i of a state, enlarged so many times.
   * @param {Context} ctx
   * @param {DigitPicture} picture
   * @param {number} i
   * @param {number} x
   * @param {number} y
   * @param {number} scale
   */
  draw(ctx, { rows }, i, x, y, scale) {
    const { image, width, height } = this;
    const [left, wide, high] = [i * width, scale * width, scale * height];
    for (const { row, opacity } of rows) {
      if (opacity === 0) continue;
      ctx.globalAlpha = opacity;
      ctx.drawImage(image, left, row * height, width, height, x, y, wide, high);
    }
    ctx.globalAlpha = 1;
  }
}
