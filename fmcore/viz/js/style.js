// The figure's style sheet. Everything lies under .fm, so that a page and a figure leave each other
// in peace.

export const STYLE = `
.fm { --line: #c9ced4; --paper: #fff; --ink: #26292d; --quiet: #5d636a; --stage: #f5f7f8;
  --accent: #37699c; display: flex; flex-direction: column; box-sizing: border-box;
  height: var(--fm-height, 100%); min-height: 0; color: var(--ink); color-scheme: light;
  font: 14px/1.35 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
.fm[data-theme=dark] { --line: #444b54; --paper: #1f252c; --ink: #e3e6ea; --quiet: #a4abb3;
  --stage: #161b21; --accent: #83b2e0; color-scheme: dark; }
.fm *, .fm *::before { box-sizing: border-box; }
.fm-stage { position: relative; flex: 1 1 0; min-height: 150px; overflow: hidden;
  border-radius: 8px; background: var(--stage); cursor: crosshair; touch-action: pan-y;
  user-select: none; -webkit-user-select: none; }
.fm-stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
.fm-handle { position: absolute; width: 44px; height: 44px; margin: -22px 0 0 -22px; padding: 0;
  border: 0; border-radius: 50%; background: none; cursor: grab; touch-action: none; }
.fm-handle::before { content: ""; position: absolute; inset: 14px; border-radius: 50%;
  border: 2.5px solid var(--ink); background: var(--stage); transition: inset .12s; }
.fm-handle:hover::before { inset: 11px; }
.fm-handle:active { cursor: grabbing; }
.fm-note { position: absolute; right: 8px; top: 8px; max-width: calc(100% - 16px);
  padding: 3px 8px; border-radius: 5px; background: color-mix(in srgb, var(--stage) 86%, transparent);
  font-size: 12.5px; font-variant-numeric: tabular-nums; pointer-events: none; }
.fm-note:empty { display: none; }
.fm-row { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 18px; margin-top: 4px; }
.fm-row.fm-time { flex-wrap: nowrap; gap: 10px; }
.fm-control { display: flex; align-items: center; gap: 8px; min-height: 40px; margin: 0;
  white-space: nowrap; }
.fm-control > span { color: var(--quiet); }
.fm-time .fm-range { flex: 1; }
.fm-range > span { position: absolute; clip-path: inset(50%); width: 1px; height: 1px;
  overflow: hidden; }
.fm-range input { width: 84px; min-width: 40px; height: 40px; margin: 0; flex: 1 1 auto;
  accent-color: var(--accent); cursor: pointer; }
.fm-range output { min-width: 4.4em; font-variant-numeric: tabular-nums; }
.fm-select select, .fm-button { height: 40px; font: inherit; color: inherit; border-radius: 6px;
  border: 1px solid var(--line); background: var(--paper); cursor: pointer; }
.fm-select select { padding: 0 6px; width: 8em; }
.fm-choice { display: flex; align-items: center; gap: 10px; }
.fm-button { padding: 0 12px; }
.fm-button:hover, .fm-select select:hover { border-color: var(--quiet); }
.fm-play { width: 44px; padding: 0; flex: none; display: grid; place-items: center; }
.fm-play svg { width: 16px; height: 16px; fill: currentColor; }
.fm-check { cursor: pointer; gap: 6px; }
.fm-check > span { color: inherit; }
.fm-check input { width: 18px; height: 18px; margin: 0; accent-color: var(--accent); }
.fm-group { display: flex; flex-wrap: wrap; align-items: center; gap: 0 14px; }
.fm :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.fm-handle:focus-visible { outline-offset: -6px; }
.fm-readout { min-height: 2.7em; padding-top: 4px; margin: 0; color: var(--quiet);
  font-size: 13px; font-variant-numeric: tabular-nums; }
.fm-readout b { color: var(--ink); font-weight: 600; }
.fm-readout i { display: inline-block; width: 9px; height: 9px; margin-right: 5px;
  border-radius: 50%; }
.fm-live { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.fm-error { display: block; margin: 0; padding: 14px 16px; border-radius: 8px;
  border: 1px solid #c43a0c; font: 15px/1.5 system-ui, sans-serif; color: #777a7e; }
.fm [hidden] { display: none; }
@media (max-width: 560px) {
  .fm-row { gap: 4px 12px; }
  .fm-choice, .fm-group { width: 100%; gap: 0 4px; justify-content: space-between; }
  .fm-group .fm-check { gap: 4px; }
  .fm-group .fm-check input { width: 16px; }
  .fm-choice { gap: 10px; }
  .fm-choice .fm-range { flex: 1; }
  .fm-choice .fm-select > span { width: 4.4em; }
  .fm-group { font-size: 13px; }
  .fm-group .fm-button { padding: 0 6px; }
  .fm-readout { min-height: 4em; }
}
@media (prefers-reduced-motion: reduce) { .fm * { transition: none !important; } }
`;
