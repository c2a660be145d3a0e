// The canvas's own toolbar lies over its upper edge, unseen, where a finger begins a stroke.
const noToolbar = new CSSStyleSheet();
noToolbar.replaceSync(".dc-toolbar { display: none !important; }");
const ends = new Map();  // by a canvas's name: how to stop listening for it

export default function ({ data, parentElement }) {
  const box = () => document.querySelector(`.st-key-canvas-${data.name}`);
  const components = () =>
    [...(box()?.querySelectorAll('[data-testid="stBidiComponentIsolated"]') ?? [])].filter((host) => host.shadowRoot);
  const hosts = () => components().filter((host) => host.shadowRoot.querySelector(".dc-toolbar"));
  const seen = () => hosts().filter((host) => host.style.visibility !== "hidden").at(-1);  // the upper one comes last
  const press = (label) => seen()?.shadowRoot.querySelector(`.dc-toolbar [aria-label^="${label}"]`)?.click();

  const prepare = () => {
    for (const { shadowRoot: root } of components()) {  // before the toolbar is there
      if (root.adoptedStyleSheets.includes(noToolbar)) continue;
      root.adoptedStyleSheets = [...root.adoptedStyleSheets, noToolbar];
      observer.observe(root, { childList: true, subtree: true });
    }
    // Until each sheet is there, Clear could not tell which to take away, and a stroke would be lost with the other.
    if (hosts().length === (data.covered ? 2 : 1)) box().dataset.ready = "yes";
  };
  // Cleared here, at once: until the server had sent a new canvas, a stroke would be lost with the old one.
  const clear = (event) => {
    const button = event.target.closest?.("button");
    if (!seen() || !box()?.contains(button) || !button.textContent.includes("Clear")) return;
    if (data.covered && hosts().length > 1 && hosts().every((host) => host.style.visibility !== "hidden")) {
      seen().style.visibility = "hidden";  // the server hears of it and takes it away
      return;
    }
    event.stopPropagation();
    press("Reset");
  };

  ends.get(data.name)?.();
  const observer = new MutationObserver(prepare);
  observer.observe(document.body, { childList: true, subtree: true });
  document.addEventListener("click", clear, true);
  const end = () => {
    observer.disconnect();
    document.removeEventListener("click", clear, true);
  };
  ends.set(data.name, end);
  prepare();
  parentElement.querySelector(".undo").onclick = () => press("Undo");
  return end;
}
