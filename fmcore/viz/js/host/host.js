// What a page does for the figures on it. A figure arrives as its still, and becomes a frame where
// scripts run; a figure in a frame cannot see whether the page is light or dark, so it asks, and the
// page answers. The weights of a network come by the page too: a frame makes no request. What the
// reader sets stands in the page's address, if the figure is the only one there.

import { sendNetwork } from "./network.js";
import { pageTheme, watchPage } from "./page_theme.js";

const PATIENCE = 2000; // milliseconds in which a frame that has loaded must have asked
const WORDS = "The living figure does not run in this browser; the picture shows one moment of it.";
const FOR_FIGURES = /^#playground\b/; // what a figure may write into the address
const STYLE =
  "@media print{.fm-frame{display:none!important}" +
  ".fm-still{visibility:visible!important;width:auto!important;height:auto!important}}";

/**
 * Returns what puts a figure in the place of its still, over it and of its size. The source of its
 * frame, or the address of a file with it, is in the attribute `data-fm-frame` of the element before.
 * The still stays in print, and with a sentence where the figure fails or nothing is heard of it.
 */
export function figureHost() {
  /** @type {Set<HTMLIFrameElement>} */
  const frames = new Set();
  /** @param {HTMLIFrameElement} frame */
  const sendTheme = (frame) => {
    const theme = pageTheme();
    frame.contentWindow?.postMessage({ fmTheme: theme }, "*");
    // A frame whose colour scheme differs from that of its document gets an opaque background.
    frame.style.colorScheme = theme ?? "light dark";
  };
  const alone = () => document.querySelectorAll(".fm-still").length === 1;
  /** The address of a notebook is no page that could be sent. @param {HTMLIFrameElement} frame */
  const sendAddress = (frame) => {
    if (document.body.dataset.jpThemeLight) return;
    frame.contentWindow?.postMessage({ fmAddress: location.href, alone: alone() }, "*");
  };
  /** @type {(frame: HTMLIFrameElement) => HTMLElement} */
  const still = (frame) => /** @type {HTMLElement} */ (frame.previousElementSibling);
  /** @type {(image: HTMLElement) => HTMLElement} what holds the data of a figure */
  const sourceOf = (image) => /** @type {HTMLElement} */ (image.previousElementSibling);
  /** @param {HTMLIFrameElement} frame */
  const giveUp = (frame) => {
    Object.assign(still(frame).style, { visibility: "", height: "auto" });
    const note = Object.assign(document.createElement("p"), { textContent: WORDS });
    if (frames.delete(frame)) frame.replaceWith(note);
  };
  window.addEventListener("message", ({ data, source }) => {
    const frame = source && [...frames].find(({ contentWindow }) => contentWindow === source);
    if (!frame) return;
    if (data?.fmFigure === "failed") giveUp(frame);
    if (data?.fmFigure === "network?") {
      const { fmNetwork = "" } = sourceOf(still(frame)).dataset;
      sendNetwork(fmNetwork, (said) => frame.contentWindow?.postMessage({ fmNetwork: said }, "*"));
    }
    if (data?.fmFigure === "address?") sendAddress(frame);
    if (data?.fmFigure === "address" && FOR_FIGURES.test(data.hash)) {
      history.replaceState(null, "", data.hash);
    }
    if (data?.fmFigure !== "theme?") return;
    still(frame).style.visibility = "hidden";
    sendTheme(frame);
  });
  watchPage(() => frames.forEach(sendTheme));
  window.addEventListener("hashchange", () => frames.forEach(sendAddress));
  document.head.append(Object.assign(document.createElement("style"), { textContent: STYLE }));

  /** @param {HTMLImageElement} image */
  return (image) => {
    const source = sourceOf(image).dataset.fmFrame ?? "";
    const frame = document.createElement("iframe");
    const given = { className: "fm-frame", title: image.alt, scrolling: "no", loading: "lazy" };
    Object.assign(frame, given, source.startsWith("<") ? { srcdoc: source } : { src: source });
    frame.style.cssText =
      "position:absolute;inset:0;border:0;background:none;width:100%;height:100%";
    frame.addEventListener("load", () => {
      const unheard = () => still(frame)?.style.visibility !== "hidden";
      setTimeout(() => frame.isConnected && unheard() && giveUp(frame), PATIENCE);
    });
    frames.add(frame);
    image.after(frame);
  };
}
