"""README.md from nbs/index.ipynb: its text, the code a reader should see, and what that code showed. No Quarto needed.

    python tools/site/readme.py            # write README.md; a new plotly figure is drawn by kaleido
    python tools/site/readme.py --check    # exit status 1 if README.md is not what the notebook says
"""
import argparse
import base64
import hashlib
import json
import re
import sys
from pathlib import Path

from execnb.nbio import read_nb
from nbdev.process import extract_directives

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import ROOT, with_list

NOTEBOOK, README = ROOT / "nbs" / "index.ipynb", ROOT / "README.md"
NOTE = "<!-- Made from nbs/index.ipynb by tools/site/readme.py; edit the notebook. -->"


def from_root(text):
    "Relative links and images of the notebook, as seen from the folder above."
    def moved(match):
        before, path, after = match.groups()
        if re.match(r"[a-z]+:|#|/", path): return match[0]
        parts = f"nbs/{path}".split("/")
        while ".." in parts:
            at = parts.index("..")
            del parts[at - 1:at + 1]
        return before + "/".join(p for p in parts if p != ".") + after
    text = re.sub(r"(\]\()([^)\s]+)((?:\s+\"[^\"]*\")?\))", moved, text)
    return re.sub(r"(<(?:img|source|a)\b[^>]*?(?:src|srcset|href)=\")([^\"]+)(\")", moved, text)


def shown(output, images):
    "A stored output as markdown: text as a block, markdown and HTML as they are, a picture as a file in nbs/images."
    if figure := output.get("data", {}).get("application/vnd.plotly.v1+json"):
        drawn = {key: figure[key] for key in ("data", "layout")}
        mark = hashlib.sha256(json.dumps(drawn, sort_keys=True).encode()).hexdigest()[:8]
        path = f"nbs/images/index-{mark}.svg"  # another figure, another name
        images[path] = (ROOT / path).read_bytes() if (ROOT / path).exists() else drawn
        return f"![figure]({path})"
    if output["output_type"] == "stream": return "```text\n" + "".join(output["text"]).rstrip() + "\n```"
    data = {kind: "".join(value) for kind, value in output.get("data", {}).items() if isinstance(value, (str, list))}
    if "text/markdown" in data: return from_root(data["text/markdown"].strip())
    for kind, suffix in {"image/svg+xml": "svg", "image/png": "png"}.items():
        if kind in data:
            path = f"nbs/images/index-{len(images)}.{suffix}"
            images[path] = data[kind].encode() if suffix == "svg" else base64.b64decode(data[kind])
            return f"![figure]({path})"
    if "text/html" in data: return re.sub(r"<style.*?</style>\s*", "", data["text/html"], flags=re.S).strip()
    return "```text\n" + data["text/plain"].rstrip() + "\n```" if "text/plain" in data else ""


def render(nb):
    "The README as text, and the pictures it needs as {path: bytes}."
    parts, images = [NOTE], {}
    for cell in nb.cells:
        if cell.cell_type == "markdown": parts.append(from_root(with_list(cell["source"].strip())))
        if cell.cell_type != "code": continue
        directives = extract_directives(cell)
        flag = lambda name: (directives.get(name + ":") or [""])[0].lower()
        code = "\n".join(line for line in cell["source"].split("\n") if not line.startswith("#|")).strip()
        if {"hide", "export", "default_exp"} & directives.keys() or flag("include") == "false" or not code: continue
        if flag("echo") != "false": parts.append(f"```python\n{code}\n```")
        if flag("output") == "false": continue
        parts += [text for output in cell.get("outputs", []) if (text := shown(output, images))]
    return "\n\n".join(parts) + "\n", images


def draw(figure):
    "A plotly figure as SVG, on a light ground."
    import plotly.graph_objects as go
    return go.Figure(figure).update_layout(paper_bgcolor="white", plot_bgcolor="white").to_image("svg")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true",
                        help="change nothing; exit status 1 if README.md is stale or a file it links to is missing")
    args = parser.parse_args()
    text, images = render(read_nb(NOTEBOOK))
    if not args.check:
        for old in set((ROOT / "nbs" / "images").glob("index-*")) - {ROOT / path for path in images}: old.unlink()
        images = {path: draw(stored) if isinstance(stored, dict) else stored for path, stored in images.items()}
    wanted = {README: text.encode()} | {ROOT / path: content for path, content in images.items()}
    stale = [path for path, content in wanted.items() if not path.exists() or path.read_bytes() != content]
    if not args.check:
        for path, content in wanted.items():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        stale = []
    links = re.findall(r"\]\(([^)\s#]+)|(?:src|href|srcset)=\"([^\"#]+)", text)
    local = {link for pair in links for link in pair if link and not re.match(r"[a-z]+:", link)}
    missing = sorted(link for link in local if not (ROOT / link).exists())
    if stale: print(f"{', '.join(p.name for p in stale)}: not what nbs/index.ipynb says; run tools/site/readme.py")
    if missing: print(f"README.md links to files that do not exist: {', '.join(missing)}")
    sys.exit(bool(stale or missing))


if __name__ == "__main__": main()
