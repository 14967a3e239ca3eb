// From a host to a figure: reads the data, and shows in the figure's place what is wrong with them.

import { make } from "../ui/controls.js";
import { unpack } from "../fields/fields.js";
import { followTheme } from "../layers/look.js";

/**
 * `model.get("spec")` is the figure's data, an object or its JSON. build(spec, fail) returns
 * { node, resize, show, theme, stop } and calls fail(error) should something break later.
 */
export function mount({ model, el }, build) {
  const ends = [];
  const end = () => {
    ends.splice(0).forEach((one) => one());
    el.replaceChildren();
  };
  const fail = (error) => {
    end();
    const text = `This figure cannot be shown: ${error.message}.`;
    el.append(make("p", { className: "fm-error", role: "alert" }, text));
  };
  try {
    const given = model.get("spec");
    const spec = unpack(typeof given === "string" ? JSON.parse(given) : given);
    if (!spec) throw new Error("its data are missing");
    const { node, resize, show, theme, stop } = build(spec, fail);
    el.append(node);
    const sizes = new ResizeObserver(resize);
    const sight = new IntersectionObserver((seen) => show(seen.at(-1).isIntersecting));
    for (const observer of [sizes, sight]) observer.observe(node);
    const unfollow = followTheme((name) => {
      node.dataset.theme = name;
      theme(name);
    });
    ends.push(() => sizes.disconnect(), () => sight.disconnect(), unfollow, stop);
    resize();
  } catch (error) {
    fail(error);
  }
  return end;
}
