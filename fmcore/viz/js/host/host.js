// What a page does for the frames on it: a figure in a frame cannot see whether the page is light or
// dark, so it asks, and the page answers.

import { pageTheme, watchPage } from "./page_theme.js";

/** Answers every figure's frame on this page that asks, and sends them all each change. */
export function hostFigures() {
  const page = /** @type {Window & { fmFigureHost?: boolean }} */ (window);
  if (page.fmFigureHost) return;
  page.fmFigureHost = true;
  /** @type {Set<Window>} */
  const frames = new Set();
  /** @param {Window} frame */
  const sendTheme = (frame) => {
    const theme = pageTheme();
    frame.postMessage({ fmTheme: theme }, "*");
    // A frame whose colour scheme differs from that of its document gets an opaque background.
    const found = document.querySelectorAll("iframe.fm-frame");
    for (const element of /** @type {NodeListOf<HTMLIFrameElement>} */ (found)) {
      if (element.contentWindow === frame) element.style.colorScheme = theme ?? "light dark";
    }
  };
  window.addEventListener("message", ({ data, source }) => {
    if (data?.fmFigure !== "theme?" || !source) return;
    const frame = /** @type {Window} */ (source);
    frames.add(frame);
    sendTheme(frame);
  });
  watchPage(() => frames.forEach(sendTheme));
}
