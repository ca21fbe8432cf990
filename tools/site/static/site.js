// Draw the stored plotly figures when they come into view, in the colors of the page.
const here = document.currentScript.src;
const figures = document.querySelectorAll(".figure-plotly");
const CLEAR = "rgba(0,0,0,0)";
const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["sendChartToCloud"] };  // figures stay on this page
let library = null;

function plotly() {  // loaded once, and only on pages that have a figure
  return library ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    Object.assign(script, { src: new URL("plotly.min.js", here).href, onload: () => done(window.Plotly), onerror: failed });
    document.head.append(script);
  });
}

// Colors of the light theme of w2s_nb.results.drawing -> those of its dark theme.
const DARK = { "#000000": "#f5f5f5", "#333333": "#c9ccd1", "#e6e6e6": "#343a42" };

function lightened(color) {  // a color that a dark page would swallow
  const parts = /^rgba?\((\d+), ?(\d+), ?(\d+)(.*)\)$/.exec(color);
  if (!parts) return color;
  const [red, green, blue] = parts.slice(1, 4).map(Number), light = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  if (light > 85) return color;
  const mixed = [red, green, blue].map((part) => Math.round(part + 0.45 * (255 - part)));
  return `${parts[4] ? "rgba" : "rgb"}(${mixed.join(", ")}${parts[4]})`;
}

function darkened(value, name = "") {  // a figure, or a part of it; bars and the text in them keep theirs
  if (/(inside)?textfont$/.test(name)) return value;
  if (/^(paper|plot)_bgcolor$/.test(name)) return CLEAR;
  if (typeof value === "string") return DARK[value] ?? lightened(value);
  if (Array.isArray(value)) return value.length > 500 ? value : value.map((part) => darkened(part));
  if (value === null || typeof value !== "object") return value;
  const whole = Object.fromEntries(Object.entries(value).map(([key, part]) => [key, darkened(part, key)]));
  if (value.type === "bar") whole.marker = { ...value.marker, line: { color: DARK["#333333"], width: 1 } };
  return whole;
}

function forPage({ data, layout }) {  // a figure with a white ground follows a dark page too
  const dark = document.documentElement.dataset.theme === "dark" && layout.paper_bgcolor === "#ffffff";
  return dark ? { data: darkened(data), layout: darkened(layout) } : { data, layout };
}

function inPageColors({ width, ...layout }) {  // a figure with a ground of its own keeps it
  if (layout.paper_bgcolor && !/rgba\(.*, ?0\)/.test(layout.paper_bgcolor)) return layout;
  const text = getComputedStyle(document.body).color, line = "rgba(128,128,128,.6)", grid = "rgba(128,128,128,.25)";
  const template = structuredClone(layout.template ?? {});
  template.layout = { ...template.layout, paper_bgcolor: CLEAR, plot_bgcolor: CLEAR, modebar: { bgcolor: CLEAR, color: line, activecolor: text } };
  for (const axis of ["xaxis", "yaxis"]) {
    template.layout[axis] = { ...template.layout[axis], gridcolor: grid, zerolinecolor: line, linecolor: line, tickcolor: line };
  }
  return { ...layout, template, font: { ...layout.font, color: text } };
}

async function draw(figure) {
  const { data, layout } = forPage(JSON.parse(figure.querySelector("script").textContent));
  const Plotly = await plotly();
  await Plotly.react(figure.firstElementChild, data, inPageColors(layout), CONFIG);
  figure.classList.add("drawn");
}

const inView = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    inView.unobserve(target);
    draw(target);
  }
}, { rootMargin: "600px" });
figures.forEach((figure) => inView.observe(figure));

new MutationObserver(() => document.querySelectorAll(".figure-plotly.drawn").forEach(draw))
  .observe(document.documentElement, { attributeFilter: ["data-theme"] });

// A link into a folded section opens it.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && (target.closest("details") ?? target.querySelector(":scope > details.checks"));
  if (!folded || folded.open) return;
  folded.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", unfold);
addEventListener("load", unfold);

// What must be scrolled can be scrolled with the keyboard as well.
function reachable() {
  for (const box of document.querySelectorAll("mjx-container, .pst-scrollable-table-container, div.cell_output, div.highlight pre")) {
    if (box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1) box.tabIndex = 0;
  }
}
addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(reachable));
