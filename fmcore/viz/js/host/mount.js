// From a host to a figure: reads the data, and shows in the figure's place what is wrong with them.

import { unpack } from "../fields/fields.js";
import { make } from "../ui/controls.js";
import { followTheme } from "./theme.js";

/**
 * `model.get("spec")` is the figure's data, an object or its JSON. build(spec, fail) calls
 * fail(error) should something break later. Returns what takes the figure away.
 *
 * @param {Host} host
 * @param {(spec: any, fail: (error: Error) => void) => Mounted} build
 */
export function mount({ model, el }, build) {
  /** @type {(() => void)[]} */
  const ends = [];
  const end = () => {
    for (const stop of ends.splice(0)) stop();
    el.replaceChildren();
  };
  /** @param {Error} error */
  const fail = (error) => {
    end();
    const text = `This figure cannot be shown: ${error.message}.`;
    el.append(make("p", { className: "fm-error", role: "alert" }, text));
    window.parent.postMessage({ fmFigure: "failed" }, "*"); // the page shows the still
  };
  try {
    const given = model.get("spec");
    const spec = unpack(typeof given === "string" ? JSON.parse(given) : given);
    if (!spec) throw new Error("its data are missing");
    const { node, resize, show, theme, stop } = build(spec, fail);
    ends.push(stop);
    el.append(node);
    const sizes = new ResizeObserver(resize);
    const sight = new IntersectionObserver((seen) => show(seen[seen.length - 1].isIntersecting));
    for (const observer of [sizes, sight]) {
      observer.observe(node);
      ends.push(() => observer.disconnect());
    }
    const unfollow = followTheme((name) => {
      node.dataset.theme = name;
      theme(name);
    });
    ends.push(unfollow);
    resize();
  } catch (error) {
    fail(/** @type {Error} */ (error));
  }
  return end;
}
