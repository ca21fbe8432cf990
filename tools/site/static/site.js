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
  const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
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
