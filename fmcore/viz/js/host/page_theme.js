// Light or dark? Asked of the page.

/**
 * "light" or "dark", as the page says or is; null where it leaves the choice to the system.
 * @returns {Theme | null}
 */
export function pageTheme() {
  const [html, body] = [document.documentElement, document.body];
  const named = html.dataset.theme ?? html.getAttribute("theme"); // this book; Colab
  if (named === "light" || named === "dark") return named;
  const jupyter = body?.dataset.jpThemeLight;
  if (jupyter) return jupyter === "false" ? "dark" : "light";
  const code = body?.dataset.vscodeThemeKind;
  if (code) return /dark|contrast(?!-light)/.test(code) ? "dark" : "light";
  for (const node of [body, html]) {
    const color = getComputedStyle(node).backgroundColor;
    const channels = color.startsWith("rgb") ? color.match(/[\d.]+/g) : null;
    const [r, g, b, opacity = 1] = channels?.map(Number) ?? [0, 0, 0, 0];
    if (opacity > 0) return 0.3 * r + 0.6 * g + 0.1 * b < 128 ? "dark" : "light"; // its brightness
  }
  return getComputedStyle(html).colorScheme.includes("dark") ? null : "light";
}

/**
 * Calls onChange() whenever the page may have changed its theme. Returns what ends it.
 * @param {() => void} onChange
 */
export function watchPage(onChange) {
  const watch = new MutationObserver(onChange);
  const attributeFilter = ["data-theme", "theme", "data-jp-theme-light", "data-vscode-theme-kind"];
  for (const node of [document.documentElement, document.body]) {
    watch.observe(node, { attributes: true, attributeFilter });
  }
  return () => watch.disconnect();
}
