// Time that plays, pauses and is scrubbed, and pictures that are drawn only when something changed
// and the figure is in sight.

const SECONDS = 7; // from the source to the target
const HOLD = 1.6; // at the end, before it begins anew

export class Player {
  /** state.share of the whole time and state.playing are kept here; paint() draws the state. */
  constructor(state, fail, paint) {
    Object.assign(this, { state, fail, visible: true });
    if (paint) this.paint = paint;
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) state.playing = false;
  }

  /** Takes over what has changed, and asks for a new picture. */
  set(changes) {
    Object.assign(this.state, changes);
    this.ask();
  }

  /** Plays on, from the start if it is over, or pauses. */
  toggle() {
    const { playing, share } = this.state;
    this.hold = 0;
    this.set({ playing: !playing, share: !playing && share >= 1 ? 0 : share });
  }

  ask() {
    this.asked ||= this.visible && requestAnimationFrame((now) => this.frame(now));
  }

  /** Off-screen figures stop. */
  show(visible) {
    this.visible = visible;
    this.ask();
  }

  stop() {
    cancelAnimationFrame(this.asked);
    this.asked = this.visible = false;
  }

  frame(now) {
    this.asked = 0;
    if (!this.visible) return (this.last = undefined);
    const { state } = this;
    if (state.playing) this.advance(Math.min((now - (this.last ?? now)) / 1000, 0.1));
    this.last = state.playing ? now : undefined;
    try {
      this.paint();
    } catch (error) {
      return this.fail(error);
    }
    // Whoever has more to do for the next picture than a frame allows is `pending`.
    if (state.playing || this.pending) this.ask();
  }

  /** Whether a picture is due that is not drawn yet. (While it plays, one always is.) */
  get due() {
    return Boolean(this.asked) && !this.state.playing;
  }

  advance(seconds) {
    const { share } = this.state;
    if (share >= 1) {
      this.hold = (this.hold || 0) + seconds;
      if (this.hold < HOLD) return;
    }
    this.hold = 0;
    this.state.share = share >= 1 ? 0 : Math.min(1, share + seconds / SECONDS);
  }
}
