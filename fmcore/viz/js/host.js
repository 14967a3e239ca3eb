// Light or dark? Asked of the page a figure stands on; a figure in a frame is told by that page.

/** "light", "dark", or null where the page does not say. */
export function pageTheme() {
  const [html, body] = [document.documentElement, document.body];
  const named = html.dataset.theme ?? html.getAttribute("theme"); // this book; Colab
  if (named === "light" || named === "dark") return named;
  const jupyter = body?.dataset.jpThemeLight;
  if (jupyter) return jupyter === "false" ? "dark" : "light";
  const code = body?.dataset.vscodeThemeKind;
  if (code) return /dark|contrast(?!-light)/.test(code) ? "dark" : "light";
  return null;
}

/** Calls tell() whenever the page may have changed its theme. */
export function watchPage(tell) {
  const watch = new MutationObserver(tell);
  const attributeFilter = ["data-theme", "theme", "data-jp-theme-light", "data-vscode-theme-kind"];
  for (const node of [document.documentElement, document.body]) {
    watch.observe(node, { attributes: true, attributeFilter });
  }
  return () => watch.disconnect();
}

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
