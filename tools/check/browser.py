"""The site and JupyterLab in a real browser: headless Chromium over local servers. Ends with `N passed, N failed`.

    python tools/site/build.py && python tools/check/browser.py          # screenshots go to _proc/screenshots
    python tools/check/browser.py jupyterlab                       # one test
    W2S_CHROMIUM=/path/to/chrome python tools/check/browser.py     # a browser that is not on the path
"""
import argparse
import contextlib
import functools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import ROOT
from notebooks import SKIP

SITE, SHOTS = ROOT / "_docs", ROOT / "_proc" / "screenshots"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
API, FIGURE = "3_learning/30_losses.html", "9_studies/97_main_results.html"
TUTORIAL = "0_start/05_reading_pgr.html"
CLEAR = "3_learning/32_training.html"  # its figures have no ground of their own
PICTURED = ["index.html", "gallery.html", "404.html", "0_start/00_tour.html", "0_start/06_cookbook.html", TUTORIAL, API,
            "5_runs/50_config.html", "5_runs/53_runs.html", "6_results/65_transfer.html", "6_results/67_figures.html",
            FIGURE, "9_studies/99_paper.html", "docs/glossary.html"]
LOOKS = dict(light=dict(color_scheme="light"), dark=dict(color_scheme="dark"),
             phone=dict(viewport=dict(width=390, height=844), is_mobile=True))
IN_LAB = ["1_data/11_text_world.ipynb", "5_runs/53_runs.ipynb", "9_studies/97_main_results.ipynb"]


def chromium():
    "The path of a Chromium or Chrome, or None."
    named = os.environ.get("W2S_CHROMIUM")
    return named or next(filter(None, map(shutil.which, BROWSERS)), None)


class Quiet(SimpleHTTPRequestHandler):
    "A server of files that logs nothing."
    def log_message(self, *args): pass


def serve(folder):
    "Serve a folder in a thread: -> address."
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    server.handle_error = lambda request, address: None    # a browser that leaves a page breaks off its downloads
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


class Visit:
    "A page in a fresh context that notes console errors and requests to any other host."
    def __init__(self, browser, home, **options):
        self.context = browser.new_context(**dict(viewport=dict(width=1280, height=900)) | options)
        self.home, self.problems = home, []
        self.page = self.context.new_page()
        self.page.set_default_timeout(120_000)
        self.page.on("console", lambda m: m.type == "error" and self.problems.append(f"console: {m.text}"))
        self.page.on("pageerror", lambda e: self.problems.append(f"error: {e}"))
        ours = (home, "data:", "blob:")
        self.page.on("request", lambda r: r.url.startswith(ours) or self.problems.append(f"request: {r.url}"))
        self.page.on("response", lambda r: r.status < 400 or self.problems.append(f"{r.status}: {r.url}"))

    def __enter__(self): return self
    def __exit__(self, *_): self.context.close()

    def open(self, name):
        self.page.goto(self.home + name, wait_until="load")
        return self.page


def test_pages_load(browser, home):
    "Every page loads, shows its title, logs no error and asks nothing of another host."
    with Visit(browser, home) as visit:
        for path in sorted(SITE.rglob("*.html")):
            page = visit.open(path.relative_to(SITE).as_posix())
            page.wait_for_timeout(150)
            assert page.locator("h1").first.inner_text().strip(), f"{path.name} has no title"
    assert not visit.problems, "\n".join(visit.problems)


def test_from_disk(browser, home):
    "The site can be read from disk, without a server."
    with Visit(browser, "file://") as visit:
        page = visit.open(f"{SITE}/{FIGURE}")
        page.locator(".figure-plotly").first.scroll_into_view_if_needed()
        page.locator(".figure-plotly .main-svg").first.wait_for()
    assert not visit.problems, "\n".join(visit.problems)


def test_search(browser, home):
    "Searching for logconf leads to the page of the losses."
    with Visit(browser, home) as visit:
        page = visit.open("search.html?q=logconf")
        page.locator("#search-results li a").first.wait_for()
        links = page.locator("#search-results li a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
        assert any(link.startswith(API) for link in links), f"found only {links}"
        page.screenshot(path=SHOTS / "search.png")
    assert not visit.problems, "\n".join(visit.problems)


def test_figure_hover(browser, home):
    "A figure is drawn and tells its values where the pointer is."
    with Visit(browser, home) as visit:
        page = visit.open(FIGURE)
        figure = page.locator(".figure-plotly").first
        figure.scroll_into_view_if_needed()
        figure.locator(".main-svg").first.wait_for()
        box = figure.locator(".nsewdrag").first.bounding_box()
        for share in [i / 20 for i in range(1, 20)]:
            page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] * (0.2 + 0.6 * share))
            page.wait_for_timeout(60)
            if figure.locator(".hoverlayer text").count(): break
        else: raise AssertionError("no value appeared under the pointer")
        buttons = figure.locator(".modebar-btn").evaluate_all("buttons => buttons.map(b => b.dataset.title)")
        assert buttons, "the figure has no buttons"
        assert not any(re.search("share|cloud", b, re.I) for b in buttons), f"a button sends the figure away: {buttons}"
        page.screenshot(path=SHOTS / "hover.png")
    assert not visit.problems, "\n".join(visit.problems)


BRIGHT = """() => {
  const t = document.querySelector('.figure-plotly .ytick text');
  return t && !/^rgb\\((\\d|[1-9]\\d), /.test(getComputedStyle(t).fill);
}"""


def test_dark_mode(browser, home):
    "The button in the header makes the page dark, and with it the figures that have no ground of their own."
    with Visit(browser, home, color_scheme="light") as visit:
        page = visit.open(CLEAR)
        look = "() => [document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor]"
        light = page.evaluate(look)
        page.locator(".figure-plotly").first.scroll_into_view_if_needed()
        page.locator(".figure-plotly .main-svg").first.wait_for()
        page.locator(".theme-switch-button:visible").first.click()
        page.locator(".theme-change-button[data-mode=dark]:visible").first.click()
        dark = page.evaluate(look)
        assert dark[0] == "dark" and dark[1] != light[1], f"{light} -> {dark}"
        text = page.locator(".figure-plotly .ytick text").first
        with contextlib.suppress(Exception): page.wait_for_function(BRIGHT, timeout=20_000)  # figures are drawn again
        fill = text.evaluate("t => getComputedStyle(t).fill")
        ground = text.evaluate("t => getComputedStyle(t.closest('.text_html')).backgroundColor")
        assert ground == "rgba(0, 0, 0, 0)", f"the figure stands on {ground}"
        assert sum(map(int, re.findall(r"\d+", fill)[:3])) > 450, f"the figure's text is {fill} on a dark page"
    assert not visit.problems, "\n".join(visit.problems)


def test_phone(browser, home):
    "On a phone nothing sticks out of the page."
    with Visit(browser, home, viewport=dict(width=390, height=844), is_mobile=True) as visit:
        wide = []
        for path in sorted(SITE.rglob("*.html")):
            page = visit.open(path.relative_to(SITE).as_posix())
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > 391: wide.append(f"{path.name}: {width} pixels")
    assert not wide, ", ".join(wide)


def test_accessibility(browser, home):
    "axe-core finds no serious violation on the front page, a tutorial, pages of entries and of figures."
    import axe_playwright_python
    axe = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf8")
    found = []
    for scheme in ("light", "dark"):
        with Visit(browser, home, color_scheme=scheme) as visit:
            for name in ("index.html", API, FIGURE, TUTORIAL):
                page = visit.open(name)
                page.wait_for_timeout(1500)
                page.evaluate(axe)
                for v in page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]:
                    if v["impact"] in ("serious", "critical"):
                        first = v["nodes"][0]["html"][:160]
                        found.append(f"{name} ({scheme}): {v['id']}: {v['help']}: {len(v['nodes'])}, first {first}")
    assert not found, "\n".join(found)


def test_screenshots(browser, home):
    "A page of each kind is pictured in light, dark and on a phone."
    for look, options in LOOKS.items():
        with Visit(browser, home, **options) as visit:
            for name in [n for n in PICTURED if (SITE / n).exists()]:
                page = visit.open(name)
                page.wait_for_timeout(1500)
                page.screenshot(path=SHOTS / f"{Path(name).stem}-{look}.png")


@contextlib.contextmanager
def jupyterlab(folder):
    "JupyterLab over a folder: -> address."
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    no_news = ["--LabApp.news_url=None",
               "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate"]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", f"--ServerApp.root_dir={folder}",
               "--IdentityProvider.token=", "--allow-root", "--expose-app-in-browser", *no_news]
    env = os.environ | dict(OMP_NUM_THREADS="1", PYTHONWARNINGS="ignore", JUPYTER_CONFIG_DIR=f"{folder}/.jupyter",
                            HF_HUB_DISABLE_PROGRESS_BARS="1")
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    try:
        for _ in range(600):                                     # a busy machine takes a minute and more
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1): break
            time.sleep(0.5)
        else: raise RuntimeError("JupyterLab did not start within five minutes")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        try: server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def lab_copy(folder):
    "The notebooks without outputs, in a folder of their own; cells that the tests skip become text."
    left_out = shutil.ignore_patterns(".ipynb_checkpoints", "results")
    shutil.copytree(ROOT / "nbs", folder, ignore=left_out, dirs_exist_ok=True)
    for path in Path(folder).rglob("*.ipynb"):
        nb = json.loads(path.read_text(encoding="utf8"))
        for cell in nb["cells"]:
            if cell["cell_type"] != "code": continue
            flags = set(re.findall(r"^#\|\s*(\w+(?:: *false)?)", "".join(cell["source"]), re.M))
            if flags & SKIP or "eval: false" in flags:
                cell["cell_type"] = "raw"
                del cell["outputs"], cell["execution_count"]
            else: cell["outputs"], cell["execution_count"] = [], None
        path.write_text(json.dumps(nb), encoding="utf8")


CELLS = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = panel.content.widgets.filter(w => w.model.type === "code" && w.model.sharedModel.getSource().trim());
  const outputs = cells.flatMap(w => w.model.outputs.toJSON());
  return {cells: cells.length, done: cells.filter(w => w.model.executionCount).length,
          status: panel.sessionContext.session?.kernel?.status,
          errors: outputs.filter(o => o.output_type === "error").map(o => `${o.ename}: ${o.evalue}`),
          figures: outputs.filter(o => o.data && "application/vnd.plotly.v1+json" in o.data).length};
}"""
FIND_FIGURE = """async () => {
  const content = window.jupyterapp.shell.currentWidget.content;
  const drawn = o => o.data && "application/vnd.plotly.v1+json" in o.data;
  const at = content.widgets.findIndex(w => w.model.type === "code" && w.model.outputs.toJSON().some(drawn));
  content.activeCellIndex = at; await content.scrollToItem(at, "start");
}"""


SESSION = "window.jupyterapp.shell.currentWidget?.sessionContext"
OPEN = "async path => await window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'}) && null"


def run_in_lab(page, path, limit=900):
    "Open a notebook in JupyterLab and run all its cells; -> what became of them."
    page.evaluate(OPEN, path)
    page.wait_for_function(f"{SESSION}?.session?.kernel?.status === 'idle'", timeout=120_000)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    found, start = {}, time.time()
    while time.time() - start < limit:
        page.wait_for_timeout(1000)
        found = page.evaluate(CELLS)
        if found["errors"] or found["done"] == found["cells"] and found["status"] == "idle": break
    return found


def test_jupyterlab(browser, home):
    "JupyterLab runs the built-in world, the runs and the paper's figures from top to bottom, and draws their figures."
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        lab_copy(folder)
        with jupyterlab(folder) as address, Visit(browser, address, viewport=dict(width=1280, height=900)) as visit:
            page = visit.open("lab?reset")
            page.wait_for_function("window.jupyterapp?.started", timeout=120_000)
            page.evaluate("async () => { await window.jupyterapp.started; await window.jupyterapp.restored }")
            for name in [n for n in IN_LAB if (Path(folder) / n).exists()]:
                found = run_in_lab(page, name)
                if found["errors"] or found["done"] < found["cells"]: problems.append(f"{name}: {found}")
                if found["figures"]:
                    page.evaluate(FIND_FIGURE)
                    try: page.locator(".jp-OutputArea .main-svg:visible").first.wait_for(timeout=60_000)
                    except Exception as error: problems.append(f"{name}: no figure is drawn ({error})")
                page.screenshot(path=SHOTS / f"jupyterlab-{Path(name).stem}.png")
                page.evaluate(f"async () => {{ await {SESSION}.shutdown() }}")
    assert not problems, "\n".join(problems)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="tests to run (default: all)")
    names = parser.parse_args().names
    found = {name.removeprefix("test_"): f for name, f in globals().items() if name.startswith("test_")}
    tests = [f for name, f in found.items() if not names or name in names]
    path, failed = chromium(), 0
    if path is None: sys.exit("No test was run: there is no Chromium. Install one, or name it in W2S_CHROMIUM.")
    if not (SITE / "index.html").exists(): sys.exit("No test was run: there is no site. Run `make test-browser`.")
    from playwright.sync_api import sync_playwright
    if not names: shutil.rmtree(SHOTS, ignore_errors=True)
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser, home = playwright.chromium.launch(executable_path=path, args=FLAGS), serve(SITE)
        for test in tests:
            try: problem = test(browser, home)
            except Exception as error: problem = str(error) or traceback.format_exc()
            failed += bool(problem)
            print(f"{'FAILED' if problem else 'passed'}  {test.__name__}", flush=True)
            if problem: print(problem, flush=True)
        browser.close()
    print(f"{len(tests) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__": main()
