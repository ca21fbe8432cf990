"""Run the Python of CONTRIBUTING.md from top to bottom, in an empty folder, on the built-in models.

    python tools/check/examples.py
"""
import os
import re
import sys
import tempfile
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import ROOT


def blocks(path):
    "The fenced Python of a markdown file: [(line, source)]."
    text = path.read_text(encoding="utf8")
    return [(text[:m.start(1)].count("\n") + 1, m[1]) for m in re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S)]


def main():
    "Run the blocks one after the other in one namespace; exit status 1 where one raises."
    page, names = ROOT / "CONTRIBUTING.md", {"__name__": "examples"}
    os.chdir(tempfile.mkdtemp())
    for line, source in blocks(page):
        try: exec(compile("\n" * (line - 1) + source, str(page), "exec"), names)
        except Exception:
            traceback.print_exc()
            sys.exit(f"{page.name}:{line}: this example does not run")
    print(f"{len(blocks(page))} examples of {page.name}: passed")


if __name__ == "__main__": main()
