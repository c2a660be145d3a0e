// The canvas's own toolbar lies over its upper edge, unseen, where a finger begins a stroke.
const noToolbar = new CSSStyleSheet();
noToolbar.replaceSync(".dc-toolbar { display: none !important; }");
const ends = new Map();  // by a canvas's name: how to stop listening for it

export default function ({ data, parentElement }) {
  const box = () => document.querySelector(`.st-key-canvas-${data.name}`);
  const canvas = () =>
    [...(box()?.querySelectorAll('[data-testid="stBidiComponentIsolated"]') ?? [])]
      .map((host) => host.shadowRoot)
      .find((root) => root?.querySelector(".dc-toolbar"));
  const press = (label) => canvas()?.querySelector(`.dc-toolbar [aria-label^="${label}"]`)?.click();

  const hideToolbar = () => {
    const root = canvas();
    if (root && !root.adoptedStyleSheets.includes(noToolbar)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, noToolbar];
  };
  // Cleared here, at once: until the server had sent a new canvas, a stroke would be lost with the old one.
  const clear = (event) => {
    const button = event.target.closest?.("button");
    if (!data.empties || !canvas() || !box()?.contains(button) || !button.textContent.includes("Clear")) return;
    event.stopPropagation();
    press("Reset");
  };

  ends.get(data.name)?.();
  const observer = new MutationObserver(hideToolbar);
  observer.observe(document.body, { childList: true, subtree: true });
  document.addEventListener("click", clear, true);
  const end = () => {
    observer.disconnect();
    document.removeEventListener("click", clear, true);
  };
  ends.set(data.name, end);
  hideToolbar();
  parentElement.querySelector(".undo").onclick = () => press("Undo");
  return end;
}
