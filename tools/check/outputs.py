"""Do the stored outputs of a notebook equal those of a new run? Text is compared, pictures are not.

Numbers with a decimal point may differ by one percent or by two units of their last printed digit, because another
processor adds up in another order; whole numbers and words must be the same. Times, temporary folders and addresses
never count. A cell marked `#| volatile` is not compared.
"""
import re

NUMBER = re.compile(r"[-+−]?(?:\d[\d,_]*)?\.?\d+(?:e[-+]?\d+)?")
UNITS = "s|ms|µs|us|ns|min|seconds?|minutes?|hours?|it/s|rows/s|tokens/s|MB|MiB|GB|GiB"
PASSING = [  # what differs from run to run, and the word for it
    (r"\b\d+:\d\d:\d\d\b", "TIME"),
    (r"/tmp/[\w./-]+|/var/folders/[\w./-]+", "FOLDER"),
    (r" at 0x[0-9a-f]{6,}", ""),        # nbdev_clean takes it out of what is stored
    (rf"\b\d[\d.,:]*(?:e[-+]?\d+)? ?(?:{UNITS})\b", "MEASURED"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?", "DATE"),
    (r"[-─—=]{3,}", "---"),
    (r"\s+", " "),
    (r" (?=[\]),])", ""),               # numpy pads a shorter number before what follows it
]
UNSTABLE = {"image/png", "image/jpeg", "image/svg+xml", "application/vnd.plotly.v1+json"}


def texts(outputs):
    "What a cell shows as text: one entry for all it prints, one for each value and each piece of markdown."
    printed = "".join("".join(o["text"]) for o in outputs if o["output_type"] == "stream" and o.get("name") == "stdout")
    shown = [printed] if printed.strip() else []
    for data in (o["data"] for o in outputs if "data" in o):
        if data.keys() & UNSTABLE: continue
        kind = next((kind for kind in ("text/markdown", "text/plain") if kind in data), None)
        if kind: shown.append("".join(data[kind]))
    return shown


def stable(text):
    "Without what differs from run to run."
    for pattern, word in PASSING: text = re.sub(pattern, word, text)
    return text.strip()


def close(a, b):
    "Whether two printed numbers are the same up to rounding and the order of a sum."
    if a == b: return True
    if "." not in a + b and "e" not in a + b: return False
    x, y = (float(re.sub("[,_]", "", n).replace("−", "-")) for n in (a, b))
    digits = min(len(n.split("e")[0].partition(".")[2]) for n in (a, b))
    power = max(int((re.search(r"e([-+]?\d+)", n) or [0, 0])[1]) for n in (a, b))
    largest, last_digit = max(abs(x), abs(y)), 10.0 ** (power - digits)
    return largest < 1e-5 or abs(x - y) <= max(0.01 * largest, 2.01 * last_digit)


def difference(stored, new):
    "'' if two outputs show the same text, else where they first part."
    old, new = texts(stored), texts(new)
    if len(old) != len(new): return f"{len(old)} outputs are stored, and the run gave {len(new)}"
    for a, b in zip(map(stable, old), map(stable, new)):
        if a == b: continue
        words, numbers = (NUMBER.split(t) for t in (a, b)), (NUMBER.findall(t) for t in (a, b))
        if len(set(map(tuple, words))) == 1 and all(close(m, n) for m, n in zip(*numbers)): continue
        at = next((i for i, (m, n) in enumerate(zip(a, b)) if m != n), min(len(a), len(b)))
        start = max(0, at - 30)
        return f"stored …{a[start:at + 50]!r}, the run gave …{b[start:at + 50]!r}"
    return ""


def first_difference(stored, new, ran):
    "The first cell of those that were run whose stored text is not that of the run: '' or a line that names it."
    for old, cell in zip(stored, new):
        text = "".join(old["source"])
        if old["cell_type"] != "code" or old["id"] not in ran or re.search(r"^#\|\s*volatile", text, re.M): continue
        if found := difference(old["outputs"], cell["outputs"]): return f"cell {old['id']}: {found}"
    return ""
