// The training in a worker. It is told to begin, to go on, to pause, or which solver to judge by; it
// says how far it is, several times a second. In between it looks whether it has been told something.

import { breather } from "../net/breather.js";
import { Judge } from "./judge.js";
import { Trainer } from "./trainer.js";

/** @typedef {import("./trainer.js").Settings} Settings */
/** @typedef {import("./judge.js").Look} Look */

/**
 * What the page says; each part may be missing.
 * @typedef {object} Told
 * @property {{ run: number, settings: Settings, tableau: Tableau }} [begin]  tableau: of the judge
 * @property {boolean} [go]
 * @property {Look} [look]
 * @property {boolean} [back]  to the last good state, and more slowly
 */

/**
 * What the worker says.
 * @typedef {object} Report
 * @property {number} run  as it was told to begin it
 * @property {number} step
 * @property {number} seconds  of training
 * @property {number} lr  the highest
 * @property {number | null} loss  of the batches since the last report
 * @property {number} test  loss on the test pairs, with averaged weights
 * @property {number | null} floor  of that, where it is known
 * @property {{ distance: number, straightness: number } | null} measured
 * @property {number} apart  the distance of data from data
 * @property {Float32Array[]} weights  the averages
 * @property {boolean} done
 * @property {boolean} reflowed
 * @property {number | null} diverged  the step of the last good state, if the training has diverged
 */

const SLICE = 25; // milliseconds of training at a time
const LONGEST = 4 * SLICE; // more than this the page slept
const REPORT = 120; // milliseconds of training between two reports,
const MEASURE = 700; // and between two measurements of samples
const GOOD = 2; // times the best loss on the test pairs: no longer a good state

/** @param {{ onmessage: ((event: { data: Told }) => void) | null, postMessage: (message: any) => void }} scope */
export function serveTraining(scope) {
  const breathe = breather();
  /** @type {Session | null} */
  let session = null;
  /** @type {Look | null} */
  let look = null;
  let going = false;
  let busy = false;

  const work = async () => {
    if (busy) return;
    busy = true;
    while (going && session?.more) {
      try {
        const report = session.work(look);
        if (report) scope.postMessage(report);
      } catch (error) {
        going = false;
        scope.postMessage({ failed: /** @type {Error} */ (error).message });
      }
      await breathe();
    }
    busy = false;
  };

  scope.onmessage = ({ data }) => {
    try {
      if (data.look) look = data.look;
      if (data.begin) {
        const { run, settings, tableau } = data.begin;
        session = new Session(run, settings, tableau);
      }
      if (data.back) session?.back();
      going = data.go ?? going;
      if (session && (data.begin || data.look || data.back)) {
        scope.postMessage(session.report(look));
      }
      void work();
    } catch (error) {
      scope.postMessage({ failed: /** @type {Error} */ (error).message });
    }
  };
}

/** A training with its clock, its judge, and its last good state. */
export class Session {
  seconds = 0;
  losses = { sum: 0, count: 0 };
  sinceReport = 0;
  sinceMeasured = Infinity;
  /** @type {Report["measured"]} */
  measured = null;
  good = { step: 0, best: Infinity, weights: /** @type {Float32Array[]} */ ([]) };
  reflowed = false;

  /**
   * @param {number} run
   * @param {Settings} settings
   * @param {Tableau} tableau  of the judge
   */
  constructor(run, settings, tableau) {
    this.run = run;
    this.trainer = new Trainer(settings);
    this.judge = new Judge(settings, tableau);
    this.good.weights = this.trainer.learner.read("averages");
  }

  get more() {
    const { trainer } = this;
    return !trainer.diverged && trainer.step < trainer.settings.steps;
  }

  /** Whether a part of the training is over. */
  get ends() {
    return this.trainer.step === this.trainer.end;
  }

  /**
   * Trains for a while; a report, if one is due.
   * @param {Look | null} look
   */
  work(look) {
    const { trainer, losses } = this;
    const begun = performance.now();
    let passed;
    do {
      losses.sum += trainer.advance();
      losses.count++;
      passed = performance.now() - begun;
    } while (this.more && !this.ends && passed < SLICE);
    const counted = Math.min(passed, LONGEST);
    this.seconds += counted / 1000;
    this.sinceReport += counted;
    this.sinceMeasured += counted;
    if (this.more && !this.ends && this.sinceReport < REPORT) return null;
    const report = this.report(look);
    if (this.more && this.ends) {
      trainer.reflow(this.judge.pairs(report.weights, trainer.draws));
      this.good.best = Infinity;
      this.reflowed = true;
    }
    return report;
  }

  /**
   * @param {Look | null} look
   * @returns {Report}
   */
  report(look) {
    const { trainer, judge, losses, good } = this;
    const { step, diverged, floor, lr } = trainer;
    const test = trainer.examine();
    const weights = trainer.learner.read("averages");
    if (!diverged && test < GOOD * good.best) {
      Object.assign(good, { step, weights, best: Math.min(test, good.best) });
    }
    if (look && !diverged && (this.sinceMeasured >= MEASURE || this.ends)) {
      this.measured = judge.measure(weights, look);
      this.sinceMeasured = 0;
    }
    const loss = losses.count ? losses.sum / losses.count : null;
    this.losses = { sum: 0, count: 0 };
    this.sinceReport = 0;
    const { run, seconds, measured, reflowed } = this;
    return {
      ...{ run, step, seconds, lr, loss, test, floor, measured, weights, reflowed },
      apart: judge.floor,
      done: step >= trainer.settings.steps,
      diverged: diverged ? good.step : null,
    };
  }

  back() {
    this.trainer.restore(this.good.weights);
    this.sinceMeasured = Infinity;
  }
}
