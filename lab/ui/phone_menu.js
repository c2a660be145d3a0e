const PHONE = 768;  // pixels, up to which Streamlit lays the menu over the page
let last = null;  // the page that was shown before

export default function ({ data }) {
  const before = last;
  last = data.page;
  if (before === null || before === data.page || window.innerWidth > PHONE) return;
  document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
}
