// Time that plays, pauses and is scrubbed, and pictures that are drawn only when something changed
// and the figure is in sight.

const SECONDS = 7; // from the source to the target
const HOLD = 1.6; // seconds at the end, before it begins anew
const LONGEST_FRAME = 0.1; // seconds: after a pause of the browser time goes on where it was

export class Player {
  /**
   * Draws the state; true if there is more to do for the next picture than a frame allows.
   * @type {() => boolean | void}
   */
  onPaint = () => {};
  visible = true;
  /** @type {number | null} the picture that is asked for */
  request = null;
  /** @type {number | null} when the last picture was, while it plays */
  lastFrame = null;
  held = 0; // seconds at the end

  /**
   * @param {{ share: number, playing: boolean }} state  share: of the whole time
   * @param {(error: Error) => void} fail
   */
  constructor(state, fail) {
    this.state = state;
    this.fail = fail;
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) state.playing = false;
  }

  /** Plays on, from the start if it is over, or pauses. */
  toggle() {
    const { state } = this;
    if (!state.playing && state.share >= 1) state.share = 0;
    state.playing = !state.playing;
    this.held = 0;
    this.requestPaint();
  }

  requestPaint() {
    if (this.visible && this.request === null) {
      this.request = requestAnimationFrame((now) => this.#frame(now));
    }
  }

  /** Whether a picture is to come that is not drawn yet. (While it plays, one always is.) */
  get scheduled() {
    return this.request !== null && !this.state.playing;
  }

  /**
   * Off-screen figures stop.
   * @param {boolean} visible
   */
  show(visible) {
    this.visible = visible;
    this.requestPaint();
  }

  stop() {
    if (this.request !== null) cancelAnimationFrame(this.request);
    this.request = null;
    this.visible = false;
  }

  /** @param {number} now  milliseconds */
  #frame(now) {
    this.request = null;
    if (!this.visible) {
      this.lastFrame = null;
      return;
    }
    const { state } = this;
    if (state.playing) this.#advance((now - (this.lastFrame ?? now)) / 1000);
    this.lastFrame = state.playing ? now : null;
    try {
      const more = this.onPaint();
      if (state.playing || more) this.requestPaint();
    } catch (error) {
      this.fail(/** @type {Error} */ (error));
    }
  }

  /** @param {number} passed  seconds */
  #advance(passed) {
    const { state } = this;
    const seconds = Math.min(passed, LONGEST_FRAME);
    if (state.share < 1) {
      state.share = Math.min(1, state.share + seconds / SECONDS);
      return;
    }
    this.held += seconds;
    if (this.held < HOLD) return;
    this.held = 0;
    state.share = 0;
  }
}
