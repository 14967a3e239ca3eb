// Light or dark: the page decides, or the system where the page has no say.

import { pageTheme, watchPage } from "./page_theme.js";

/**
 * Calls onTheme("light" | "dark") now and on each change. Returns what ends it.
 *
 * A figure in a frame cannot see its page; it asks, and host.js answers.
 *
 * @param {(theme: Theme) => void} onTheme
 */
export function followTheme(onTheme) {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const framed = window.parent !== window;
  /** @type {Theme | null} */
  let answer = null;
  const decide = () => {
    const theme = answer ?? (framed ? null : pageTheme()) ?? (system.matches ? "dark" : "light");
    if (framed) document.documentElement.style.colorScheme = theme;
    onTheme(theme);
  };
  /** @param {MessageEvent} event */
  const receive = ({ data, source }) => {
    if (source !== window.parent || data?.fmTheme === undefined) return;
    answer = data.fmTheme;
    decide();
  };
  decide();
  system.addEventListener("change", decide);
  const unwatch = watchPage(decide);
  if (framed) {
    window.addEventListener("message", receive);
    window.parent.postMessage({ fmFigure: "theme?" }, "*");
  }
  return () => {
    system.removeEventListener("change", decide);
    window.removeEventListener("message", receive);
    unwatch();
  };
}
