let last = null;  // where the visitor was: one page shows one such place at a time

export default function ({ data, parentElement }) {
  const before = last;
  last = data.place;
  if (before === null || before === data.place) return;  // the page has just been opened, or is the same still
  parentElement.querySelector(".arrival").textContent = data.says;
  const heading = document.querySelector(`.st-key-${data.within} :is(h1, h2, h3)`);
  if (!heading) return;
  heading.tabIndex = -1;
  heading.style.outline = "none";  // it is read from here on, not operated
  heading.focus({ preventScroll: true });
  document.querySelector('[data-testid="stMain"]')?.scrollTo({ top: 0 });
}
