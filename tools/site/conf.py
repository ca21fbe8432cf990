"""Sphinx's settings. The pages are made by tools/site/build.py."""
import json
from configparser import ConfigParser
from pathlib import Path

from docutils import nodes

root = Path(__file__).resolve().parent.parent.parent
cfg = ConfigParser(delimiters=["="])
cfg.read(root / "settings.ini", encoding="utf8")
cfg = cfg["DEFAULT"]
sources = json.loads((root / "_proc" / "sources.json").read_text(encoding="utf8"))

project, author, copyright, release = cfg["title"], cfg["author"], cfg["copyright"], cfg["version"]
extensions = ["myst_nb", "sphinx.ext.mathjax", "sphinx.ext.linkcode"]
root_doc, exclude_patterns = "index", ["_static"]

# notebooks
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_text_lexer = "none"
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath", "html_image"]
myst_dmath_double_inline = True
myst_heading_anchors = 4
mathjax_path = "tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}

# API entries
add_module_names = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
html_permalinks_icon = "#"

# the theme
html_theme = "sphinx_book_theme"
html_title = cfg["title"]
html_favicon = "static/logo.svg"
html_static_path = [str(root / "_proc" / "site" / "_static")]
html_css_files, html_js_files = ["site.css"], [("site.js", {"defer": "defer"})]
html_context = {"default_mode": "auto"}
html_use_index = False
html_copy_source, html_show_sourcelink = False, False
html_theme_options = {
    "repository_url": cfg["git_url"], "repository_branch": cfg["branch"], "use_repository_button": True,
    "use_download_button": False, "show_toc_level": 2, "show_navbar_depth": 1, "home_page_in_toc": False,
    "logo": {"text": cfg["title"], "image_light": "static/logo.svg", "image_dark": "static/logo.svg", "alt_text": ""},
    "navbar_start": [], "navbar_center": [], "navbar_end": [], "navbar_persistent": [],
    "footer_content_items": ["copyright.html"],
}


def fold_checks(app, doctree, page):
    "Fold what stands below the heading `Checks`."
    for section in list(doctree.findall(nodes.section)):
        if section["ids"][:1] != ["checks"] or app.builder.format != "html": continue
        opening = '<details class="checks"><summary>Errors, edge cases and comparisons that guard this code</summary>'
        section.insert(1, nodes.raw("", opening, format="html"))
        section.append(nodes.raw("", "</details>", format="html"))


def setup(app):
    app.connect("doctree-resolved", fold_checks)


def linkcode_resolve(domain, info):
    "The address of an entry's source."
    return sources.get(f"{info['module']}.{info['fullname']}")
