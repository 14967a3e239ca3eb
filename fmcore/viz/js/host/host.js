// What a page does for the frames on it: a figure in a frame cannot see whether the page is light or
// dark, so it asks, and the page tells it.

import { pageTheme, watchPage } from "./page_theme.js";

/** Answers every figure's frame on this page that asks, and tells them all of a change. */
export function hostFigures() {
  if (window.fmFigureHost) return;
  window.fmFigureHost = true;
  const frames = new Set();
  const tell = (frame) => {
    const theme = pageTheme();
    frame?.postMessage({ fmTheme: theme }, "*");
    // A frame whose colour scheme differs from that of its document gets an opaque background.
    for (const element of document.querySelectorAll("iframe.fm-frame")) {
      if (element.contentWindow === frame) element.style.colorScheme = theme ?? "light dark";
    }
  };
  window.addEventListener("message", ({ data, source }) => {
    if (data?.fmFigure !== "theme?") return;
    frames.add(source);
    tell(source);
  });
  watchPage(() => frames.forEach(tell));
}
