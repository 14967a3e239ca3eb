// Where the digits come from: a picture of all states. A row of it holds one state of all noises:
// first where each solver arrives in each number of steps, then those on the way, at even times.
//
// A network that runs in the browser can stand in its place: what it takes is ready, arrived(solver,
// steps), onTheWay(share) and draw().

export class Sprite {
  constructor({ picture, shape, solvers, steps, times, nfe, rms }) {
    Object.assign(this, { solvers, steps, times, nfe, rms });
    [this.count, this.height, this.width] = shape;
    this.image = new Image();
    this.image.src = `data:image/png;base64,${picture}`;
    this.ready = this.image.decode();
  }

  /** Where a solver arrives, and what it took: { rows, nfe, rms }. */
  arrived(solver, steps) {
    const s = this.solvers.findIndex(({ id }) => id === solver);
    const row = s * this.steps.length + this.steps.indexOf(steps);
    return { rows: [[row, 1]], nfe: this.nfe[row], rms: this.rms[row] };
  }

  /** A state on the way: two near ones, and how much of the second shows through. */
  onTheWay(share) {
    const at = share * (this.times.length - 1);
    const first = Math.min(Math.floor(at), this.times.length - 2);
    const row = this.nfe.length + first;
    return { rows: [[row, 1], [row + 1, at - first]] };
  }

  /** Draws digit i of a state, enlarged so many times. */
  draw(ctx, { rows }, i, x, y, scale) {
    const { image, width, height } = this;
    for (const [row, opacity] of rows) {
      if (opacity === 0) continue;
      ctx.globalAlpha = opacity;
      const place = [x, y, scale * width, scale * height];
      ctx.drawImage(image, i * width, row * height, width, height, ...place);
    }
    ctx.globalAlpha = 1;
  }
}
