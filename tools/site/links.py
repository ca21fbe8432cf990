"""Checks of the built site: every link leads somewhere, no page asks another host, every exported name has an entry."""
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import api
import llms

NO_LOAD = {"canonical", "index", "search", "next", "prev", "author", "license"}  # a <link> of this kind loads nothing
LOADING = ("script", "img", "iframe", "source", "audio", "video", "embed")


class Page(HTMLParser):
    "The ids of a page, the links it offers and the files it loads."
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs[k] for k in ("id", "name") if attrs.get(k) and (k == "id" or tag == "a")}
        if tag == "a" and attrs.get("href"): self.links.add(attrs["href"])
        if tag == "link" and attrs.get("href") and not NO_LOAD & set(attrs.get("rel", "").split()):
            self.loads.add(attrs["href"])
        if tag in LOADING and attrs.get("src"): self.loads.add(attrs["src"])


def broken_links(site, pages):
    "-> (links checked, the broken ones): files and fragments within the site."
    checked, broken = 0, []
    for path, page in pages.items():
        for link in sorted(page.links | page.loads):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc: continue
            checked += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir(): target = target / "index.html"
            fragment = unquote(parts.fragment)
            if not target.is_file(): broken.append(f"{path.relative_to(site)}: {link}: no such file")
            elif fragment and target in pages and fragment not in pages[target].ids:
                broken.append(f"{path.relative_to(site)}: {link}: no such place in the page")
    return checked, broken


def outside_requests(site, pages):
    "What a page or a style sheet would load from another host."
    loads = [(path, load) for path, page in pages.items() for load in sorted(page.loads)]
    found = [(path, load) for path, load in loads if re.match(r"(https?:)?//", load)]
    for path in site.rglob("*.css"):
        addresses = re.findall(r"(?:url\(|@import )[\"']?((?:https?:)?//[^\"')]+)", path.read_text(encoding="utf8"))
        found += [(path, address) for address in addresses]
    return [f"{path.relative_to(site)}: {load}" for path, load in found]


def check_site(site, mods):
    "Print what was checked and what is wrong; return 1 if anything is."
    site = site.resolve()
    pages = {path.resolve(): Page(path.read_text(encoding="utf8")) for path in site.rglob("*.html")}
    checked, broken = broken_links(site, pages)
    ids = set().union(*(page.ids for page in pages.values()))
    names = sorted({api.home(mod, name) for mod in mods.values() for name in mod.__all__})
    problems = {
        "broken links": broken,
        "outside requests": outside_requests(site, pages),
        "addresses in llms.txt without a page": llms.without_page(site),
        "names without an entry": [n for n in names if n not in ids],
        "names without comments": api.undocumented(mods),
    }
    print(f"checked {len(pages)} pages, {checked} links within the site, {len(names)} exported names")
    for what, found in problems.items(): print(f"{len(found)} {what}", *(f"  {f}" for f in found), sep="\n")
    return int(any(problems.values()))
