"""What users bring: odd files, numbers, models, pictures, options and machines. Ends with `N passed, N failed`.

    python tools/check/door.py                    # every input
    python tools/check/door.py csv numbers        # those whose names hold one of these words
    python tools/check/door.py --short            # the rows
    python tools/check/door.py --table CHECKOUT   # as a table for docs/door.md, beside what another checkout does

Each function is one input. Its docstring says what the input is, it runs in a process and a folder of its own, and it
returns what happened or raises. What cannot be used must be refused by a `ConfigError`, whose sentence is returned.
"""
import argparse
import gzip
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

INPUTS, CPU = {}, dict(W2S_DEVICE="cpu", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", PYTHONWARNINGS="ignore")
WORDS = ["the soup was good", "the film was dull", "a warm and clever book", "nobody liked the service"]


def member(kind):
    "Register a function as one input of a kind."
    def put(function):
        INPUTS[function.__name__] = (kind, function)
        return function
    return put


# What the functions share ---------------------------------------------------------------------------------------------

def rows(n=24): return [dict(text=f"{WORDS[i % 4]} {i}", label=i % 2) for i in range(n)]
def lines(data): return "".join(json.dumps(row) + "\n" for row in data)


def task(source, **columns):
    "Register rows as 'mine' and load them: -> texts and classes of all rows."
    from w2s_nb import load_task, task_from_rows
    task_from_rows("mine", source, **(dict(text="text") | columns))
    splits = load_task("mine")
    both = [(t, y) for part in splits.values() for t, y in zip(part["txt"], part["hard_label"])]
    return [t for t, _ in both], [y for _, y in both]


def refusal(call, *words):
    "The sentence with which a call is refused; an AssertionError if it is not, or if a word is not in it."
    from w2s_nb import ConfigError
    try: result = call()
    except ConfigError as e: said = str(e)
    else: raise AssertionError(f"not refused: {str(result)[:60]}")
    missing = [word for word in words if str(word).lower() not in said.lower()]
    assert not missing, f"refused without naming {missing}: {said}"
    assert "Traceback" not in said
    return said


def left_out(source, *words):
    "What is said when one of 24 rows is left out; an AssertionError if another number is, or a word is not said."
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        texts, _ = task(source)
    assert len(texts) == 23, f"{len(texts)} of 24 rows are used"
    text = " ".join(str(w.message) for w in said)
    assert all(word in text for word in words), f"a row is left out, and this is said: {text!r}"
    return text


def file(name, content):
    "Write a text or bytes: -> path."
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


def config(model="micro-8k", **more):
    from w2s_nb import RunConfig
    return RunConfig("micro-grammar", model, **(dict(n_docs=60, n_test_docs=40, epochs=1) | more))


def place(c):
    "Where a configuration's run is stored, once it is trained."
    from w2s_nb import train_run
    return Path(train_run(c, "results").path)


def same_run(*configs):
    "All configurations are one run."
    places = [place(c) for c in configs]
    assert len(set(places)) == 1, f"{len(set(places))} runs are stored"
    return "one run"


def ladder_model(folder="model", name="micro-8k"):
    "A copy of a built-in checkpoint."
    from w2s_nb import MICRO_LADDER
    shutil.copytree(MICRO_LADDER[name]["path"], folder)
    return folder


def command(*words, status=0, **env):
    "Run a command in a process of its own: -> what it printed. Only its one sentence where it must fail."
    start = f"import sys; sys.argv = {[str(w) for w in words]!r}; from {_CLI} import {words[0]}; {words[0]}()"
    done = subprocess.run([sys.executable, "-c", start], env=os.environ | env, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr.strip().splitlines()[-1]
    assert done.returncode == status, f"status {done.returncode}: {(done.stderr.strip() or 'nothing')[-150:]}"
    return done.stdout + done.stderr if status == 0 else done.stderr.strip().splitlines()[-1]


_CLI = "w2s_nb.commands.cli"
FEW = ["--model_sizes", "micro-8k", "--n_docs", 40, "--n_test_docs", 20, "--epochs", 1, "--results_folder", "out"]


def swept(*words, **env):
    "A short sweep by command: -> number of stored runs."
    command("w2s_sweep", *words, *FEW, "--seeds", 0, **env)
    n = len(list(Path("out").rglob("results_summary.json")))
    assert n, "no run is stored"
    return f"{n} runs"


# Rows -----------------------------------------------------------------------------------------------------------------

@member("rows")
def csv_of_a_german_spreadsheet():
    "CSV with semicolons, a byte-order mark and Windows line ends, as spreadsheets write it in Europe"
    text = "text;label\r\n" + "".join(f"{r['text']}, really;{r['label']}\r\n" for r in rows())
    texts, _ = task(file("a.csv", b"\xef\xbb\xbf" + text.encode()))
    assert sorted(texts) == sorted(f"{r['text']}, really" for r in rows()), texts[:2]
    return "read"


@member("rows")
def csv_line_breaks():
    "CSV with line breaks and doubled quotation marks inside cells"
    data = pd.DataFrame(rows()).assign(text=lambda t: t.text + '\nhe said "no"')
    data.to_csv("a.csv", index=False)
    texts, _ = task("a.csv")
    assert set(texts) == set(data.text), texts[:1]
    return "read"


@member("rows")
def csv_yes_and_no():
    "CSV whose labels are the words yes and no"
    pd.DataFrame(rows()).replace(dict(label={0: "no", 1: "yes"})).to_csv("a.csv", index=False)
    _, labels = task("a.csv")
    assert sorted(labels) == [0] * 12 + [1] * 12
    return "two classes"


@member("rows")
def csv_true_and_false():
    "CSV whose labels are True and False, as pandas writes booleans"
    pd.DataFrame(rows()).assign(label=lambda t: t.label == 1).to_csv("a.csv", index=False)
    texts, labels = task("a.csv")
    assert all(int(t.split()[-1]) % 2 == y for t, y in zip(texts, labels)), list(zip(texts, labels))[:3]
    return "True is class 1"


@member("rows")
def csv_header_only():
    "CSV that holds a header and no row"
    return refusal(lambda: task(file("a.csv", "text,label\n")), "a.csv", "row")


@member("rows")
def file_empty():
    "An empty file"
    return refusal(lambda: task(file("a.jsonl", "")), "a.jsonl")


@member("rows")
def file_of_tabs():
    "A table of tabs that is named .tsv"
    pd.DataFrame(rows()).to_csv("a.tsv", sep="\t", index=False)
    assert len(task("a.tsv")[0]) == 24
    return "read"


@member("rows")
def file_compressed():
    "JSON lines, compressed by gzip"
    assert len(task(file("a.jsonl.gz", gzip.compress(lines(rows()).encode())))[0]) == 24
    return "read"


@member("rows")
def file_of_an_unknown_ending():
    "A spreadsheet's own file, .xlsx"
    return refusal(lambda: task(file("a.xlsx", b"PK\x03\x04")), "xlsx")


@member("rows")
def json_absent_key():
    "JSON lines in which one row has no label at all"
    data = rows()
    del data[6]["label"]
    return left_out(file("a.jsonl", lines(data)), "label", "7")


@member("rows")
def json_broken_line():
    "JSON lines whose last line was cut"
    return refusal(lambda: task(file("a.jsonl", lines(rows())[:-9])), "a.jsonl", "24")


@member("rows")
def json_nested():
    "JSON lines whose text lies inside another object, named with a dot"
    data = [dict(doc=dict(body=r["text"]), label=r["label"]) for r in rows()]
    texts, _ = task(file("a.jsonl", lines(data)), text="{doc[body]}")
    assert sorted(texts) == sorted(r["text"] for r in rows())
    return "read"


@member("rows")
def frame_unknown_numbers():
    "DataFrame with pandas' nullable integers, one of them unknown"
    data = pd.DataFrame(rows())
    data["label"] = data.label.astype("Int64")
    data.loc[3, "label"] = pd.NA
    return left_out(data, "label", "row 3")


@member("rows")
def frame_unused_dates():
    "DataFrame with missing dates in a column that no task reads"
    data = pd.DataFrame(rows())
    data["seen"] = pd.to_datetime(["2026-01-01", None] * 12)
    assert len(task(data)[0]) == 24
    return "read"


@member("rows")
def frame_filtered():
    "DataFrame that was filtered, so that its index has gaps"
    data = pd.DataFrame(rows(48))
    texts, _ = task(data[data.index % 2 == 0].assign(label=[0, 1] * 12))
    assert len(texts) == 24 and all(int(t.split()[-1]) % 2 == 0 for t in texts)
    return "read"


@member("rows")
def frame_categories():
    "DataFrame whose labels are a categorical column"
    data = pd.DataFrame(rows())
    data["label"] = pd.Categorical(np.where(data.label == 1, "pos", "neg"))
    _, labels = task(data)
    assert sorted(labels) == [0] * 12 + [1] * 12
    return "two classes"


@member("rows")
def text_of_half_a_pair():
    "A text that holds half a surrogate pair, as cut emoji leave it"
    data = rows()
    data[2]["text"] = "good \ud83d film"
    return refusal(lambda: task(data), "text", "2")


@member("rows")
def text_of_spaces():
    "A text of blanks only: it is a text, and is used as it is"
    data = rows()
    data[2]["text"] = "   "
    assert "   " in task(data)[0]
    return "read"


@member("rows")
def labels_of_other_numbers():
    "Labels 1 and 2 instead of 0 and 1"
    _, labels = task([r | dict(label=r["label"] + 1) for r in rows()], classes=(1, 2))
    assert sorted(set(labels)) == [0, 1]
    return "two classes"


@member("rows")
def labels_marked_unlabeled():
    "Labels of which some are -1, the hub's mark of an unlabeled row"
    data = rows()
    data[3]["label"] = -1
    return refusal(lambda: task(data), "label", "-1", "3")


# Freshness ------------------------------------------------------------------------------------------------------------

@member("freshness")
def file_corrected():
    "A file of rows that is corrected to another text of the same length"
    before = task(file("a.jsonl", lines(rows())))[0]
    after = task(file("a.jsonl", lines(rows()).replace("dull", "good")))[0]
    assert any("dull" in t for t in before) and not any("dull" in t for t in after)
    return "read again"


@member("freshness")
def file_restored_with_its_time():
    "A file of rows that is replaced by one with an older time of change"
    task(file("a.jsonl", lines(rows())))
    file("b.jsonl", lines(rows()).replace("dull", "bleak"))
    os.utime("b.jsonl", (1e9, 1e9))
    os.replace("b.jsonl", "a.jsonl")
    assert any("bleak" in t for t in task("a.jsonl")[0])
    return "read again"


@member("freshness")
def link_turned():
    "A link to a file of rows that is turned to another file"
    file("a.jsonl", lines(rows()))
    file("b.jsonl", lines(rows()).replace("dull", "long"))
    for name in ("a.jsonl", "b.jsonl"):
        Path("now.jsonl").unlink(missing_ok=True)
        Path("now.jsonl").symlink_to(name)
        found = any("long" in t for t in task("now.jsonl")[0])
    assert found
    return "read again"


@member("freshness")
def frame_registered_again():
    "A DataFrame that is changed and registered again under its name"
    data = pd.DataFrame(rows())
    task(data)
    data["text"] = data.text + "!"
    assert all(t.endswith("!") for t in task(data)[0])
    return "read again"


@member("freshness")
def rows_in_two_places():
    "The same rows, copied to another file: one experiment"
    from w2s_nb import RunConfig, task_from_rows
    found = []
    for name in ("a.jsonl", "b.jsonl"):
        task_from_rows("mine", file(name, lines(rows(80))), text="text")
        found.append(place(RunConfig("mine", "micro-8k", n_docs=40, n_test_docs=16, epochs=1)))
    assert found[0] == found[1], "two runs"
    return "one run"


@member("freshness")
def weights_replaced():
    "A folder of a model whose weights are trained on and saved again"
    import torch
    from safetensors.torch import load_file, save_file
    path = ladder_model()
    first = place(config(path))
    weights = load_file(f"{path}/model.safetensors")
    save_file({k: v + 0.01 * torch.ones_like(v) for k, v in weights.items()}, f"{path}/model.safetensors",
              metadata={"format": "pt"})
    assert place(config(path)) != first, "the old run was taken"
    return "another run"


@member("freshness")
def file_touched():
    "A file of rows that is touched, or copied over itself: nothing has changed"
    from w2s_nb import RunConfig, task_from_rows
    found = []
    for _ in range(2):
        task_from_rows("mine", file("a.jsonl", lines(rows(80))), text="text")
        found.append(place(RunConfig("mine", "micro-8k", n_docs=40, n_test_docs=16, epochs=1)))
    assert found[0] == found[1]
    return "one run"


# Names and numbers ----------------------------------------------------------------------------------------------------

@member("names and numbers")
def numbers_of_numpy():
    "Seeds, epochs and learning rates of numpy's types"
    return same_run(config(lr=1e-3, seed=1), config(lr=np.float64(1e-3), seed=np.int64(1), epochs=np.int32(1)))


@member("names and numbers")
def numbers_of_torch():
    "A learning rate that is a tensor"
    import torch
    return same_run(config(lr=0.5), config(lr=torch.tensor(0.5)))


@member("names and numbers")
def numbers_as_text():
    "Numbers as text: '1e-3', '2'"
    return same_run(config(lr=1e-3, seed=2), config(lr="1e-3", seed="2"))


@member("names and numbers")
def numbers_as_whole_floats():
    "2.0 passes and 16.0 rows a batch"
    return same_run(config(epochs=2, batch_size=16, lr=1), config(epochs=2.0, batch_size=16.0, lr=1.0))


@member("names and numbers")
def numbers_between():
    "2.5 passes over the rows"
    return refusal(lambda: config(epochs=2.5), "epochs", "2.5")


@member("names and numbers")
def numbers_true():
    "True where a number is wanted"
    return refusal(lambda: config(epochs=True), "epochs", "True")


@member("names and numbers")
def numbers_not_finite():
    "A learning rate that is not a number, from a table with a hole"
    return refusal(lambda: config(lr=float("nan")), "lr", "nan")


@member("names and numbers")
def name_of_a_loss_in_capitals():
    "A loss named XENT"
    return refusal(lambda: config(loss="XENT"), "XENT", "xent")


@member("names and numbers")
def path_with_a_slash():
    "One folder of a model as text, as a Path, with a slash at its end, absolute, and with a dot"
    path = ladder_model("models/one")
    forms = (path, Path(path), f"{path}/", str(Path(path).absolute()), f"./models/../{path}")
    return same_run(*(config(form) for form in forms))


@member("names and numbers")
def path_from_home():
    "A folder of a model under ~"
    os.environ["HOME"] = str(Path.cwd())
    path = ladder_model("models/one")
    return same_run(config(path), config("~/models/one"))


@member("names and numbers")
def path_that_is_missing():
    "A folder of a model with a typing error in its name"
    ladder_model("models/one")
    return refusal(lambda: place(config("models/onee")), "models/onee")


# Models ---------------------------------------------------------------------------------------------------------------

@member("models")
def weights_cut():
    "A file of weights that was cut while it was copied"
    path = Path(ladder_model(), "model.safetensors")
    path.write_bytes(path.read_bytes()[:-1000])
    return refusal(lambda: place(config("model")), "model.safetensors")


@member("models")
def weights_in_halves():
    "Weights saved in 16-bit halves"
    import torch
    from safetensors.torch import load_file, save_file
    path = ladder_model()
    weights = load_file(f"{path}/model.safetensors")
    save_file({k: v.to(torch.bfloat16) for k, v in weights.items()}, f"{path}/model.safetensors",
              metadata={"format": "pt"})
    place(config(path))
    return "trained in fp32"


@member("models")
def weights_in_shards():
    "Weights in several files with an index"
    from transformers import AutoModelForCausalLM
    path = ladder_model("model", "micro-171k")
    whole = place(config(path, n_docs=40, n_test_docs=20))
    AutoModelForCausalLM.from_pretrained(path).save_pretrained("shards", max_shard_size="200KB")
    for name in os.listdir(path):
        if name.startswith(("tok", "vocab", "special", "merges")): shutil.copy(f"{path}/{name}", "shards")
    assert len(list(Path("shards").glob("*.safetensors"))) > 1
    sizes = [json.loads((p / "results_summary.json").read_text())["n_params"] for p in (whole, place(config("shards")))]
    assert sizes[0] == sizes[1], sizes
    return f"{sizes[0]:,} weights, counted once"


@member("models")
def weights_missing():
    "A folder with a configuration and no weights"
    path = ladder_model()
    Path(path, "model.safetensors").unlink()
    return refusal(lambda: place(config(path)), "model")


@member("models")
def weights_of_pickle():
    "Weights in torch's old format, pytorch_model.bin"
    import torch
    from safetensors.torch import load_file
    path = ladder_model()
    torch.save(load_file(f"{path}/model.safetensors"), f"{path}/pytorch_model.bin")
    Path(path, "model.safetensors").unlink()
    return refusal(lambda: place(config(path)), "pickle", "save_pretrained")


@member("models")
def configuration_broken():
    "A config.json that is no JSON"
    path = ladder_model()
    file(f"{path}/config.json", '{"model_type": "gpt2",')
    return refusal(lambda: place(config(path)), "config.json")


@member("models")
def configuration_of_an_unknown_kind():
    "A model of a type that the installed transformers does not know"
    path = ladder_model()
    known = json.loads(Path(path, "config.json").read_text())
    file(f"{path}/config.json", json.dumps(known | dict(model_type="gpt9", architectures=["GPT9Model"])))
    return refusal(lambda: place(config(path)), "gpt9")


@member("models")
def tokenizer_with_more_words():
    "A tokenizer with more words than the model has vectors"
    from transformers import AutoTokenizer
    path = ladder_model()
    tokenizer = AutoTokenizer.from_pretrained(path)
    tokenizer.add_tokens([f"word{i}" for i in range(5000)] + ["soup"])
    tokenizer.save_pretrained(path)
    from w2s_nb import RunConfig, task_from_rows
    task_from_rows("mine", [r | dict(text=f"soup word{4000 + i} word77") for i, r in enumerate(rows(80))], text="text")
    return refusal(lambda: place(RunConfig("mine", path, n_docs=40, n_test_docs=16, epochs=1)), "token")


@member("models")
def model_of_images_for_texts():
    "A vision transformer where a model of texts is wanted"
    from transformers import ViTConfig, ViTModel
    ViTModel(ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=16,
                       patch_size=8)).save_pretrained("vit")
    return refusal(lambda: place(config("vit")), "vit")


@member("models")
def adapter_alone():
    "A folder that peft wrote: an adapter without its base model"
    path = Path(ladder_model())
    (path / "model.safetensors").rename(path / "adapter_model.safetensors")
    (path / "config.json").rename(path / "adapter_config.json")
    return refusal(lambda: place(config(str(path))), "adapter")


# Images ---------------------------------------------------------------------------------------------------------------

def pictures(folder="pictures", n=48, change=lambda path, image, i: image.save(path)):
    "A folder for each of two classes of tiny pictures."
    from PIL import Image
    rng = np.random.default_rng(0)
    for i in range(n):
        path = Path(folder, "cats" if i % 2 else "dogs", f"{i}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        change(path, Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)), i)
    return folder


def seen(folder="pictures", n=48, classes=2, learn=True):
    "Read a folder of pictures, and learn them."
    try: from w2s_nb.data.images import load_images
    except ImportError: from w2s_nb.images import load_images
    images = load_images(folder)
    assert len(images) == n, f"{len(images)} images"
    assert len(images.classes) == classes, f"classes {images.classes}"
    if learn:
        from w2s_nb import RunConfig, task_from_images, train_run
        task_from_images("mine", folder, n_docs=2 * n // 3, weak_share=0.5)
        train_run(RunConfig("mine", "signs_cnn4", optimizer="lbfgs"), "results")
    return f"{n} images, {classes} classes{' are learned' * learn}"


@member("images")
def folder_with_marks_of_a_system():
    "Folders with .DS_Store, Thumbs.db and a hidden folder of previews"
    pictures()
    file("pictures/.DS_Store", "x")
    file("pictures/cats/Thumbs.db", "x")
    shutil.copytree("pictures/cats", "pictures/.previews")
    return seen()


@member("images")
def endings_in_capitals():
    "Pictures named .PNG and .JPG"
    pictures(change=lambda path, image, i: image.save(path.with_suffix(".JPG" if i % 3 else ".PNG")))
    return seen()


@member("images")
def colors_of_print():
    "A picture in the four colors of print (CMYK), gray ones, and ones with a palette"
    kinds = ["CMYK", "L", "P", "RGB"]
    pictures(change=lambda path, image, i: image.convert(kinds[i % 4]).save(
        path.with_suffix(".jpg" if kinds[i % 4] == "CMYK" else ".png")))
    return seen()


@member("images")
def picture_cut():
    "A picture that was cut while it was copied"
    pictures()
    path = Path("pictures/cats/3.png")
    path.write_bytes(path.read_bytes()[:60])
    return refusal(seen, "3.png")


@member("images")
def text_named_as_a_picture():
    "A text file named .png"
    pictures()
    file("pictures/cats/3.png", "not found")
    return refusal(seen, "3.png")


@member("images")
def class_without_pictures():
    "A class whose folder is empty"
    pictures()
    Path("pictures/birds").mkdir()
    return refusal(lambda: seen(learn=False), "birds")


@member("images")
def pictures_without_classes():
    "Pictures that lie in one folder, without a folder for each class"
    pictures()
    for path in Path("pictures").rglob("*.png"): path.rename(Path("pictures", path.name))
    for name in ("cats", "dogs"): Path("pictures", name).rmdir()
    return refusal(lambda: seen(learn=False), "folder")


# Own things from the command line -------------------------------------------------------------------------------------

@member("command line")
def option_of_a_file():
    "--ds_name with a file of rows"
    return swept("--ds_name", file("mine.jsonl", lines(rows(80))))


@member("command line")
def option_of_columns():
    "--ds_name with a file whose columns have names of one's own"
    data = [dict(opinion=r["text"], verdict=r["label"]) for r in rows(80)]
    return swept("--ds_name", file("mine.jsonl", lines(data)), "--text_column", "opinion", "--label_column", "verdict")


@member("command line")
def option_of_a_wrong_column():
    "--text_column with a column that the file does not have"
    path = file("mine.jsonl", lines(rows(80)))
    said = command("w2s_sweep", "--ds_name", path, "--text_column", "opinion", *FEW, status=2)
    assert "opinion" in said and "text" in said, said
    return said


@member("command line")
def option_of_a_missing_file():
    "--ds_name with a file that is not there"
    said = command("w2s_sweep", "--ds_name", "nowhere/mine.jsonl", *FEW, status=2)
    assert "mine.jsonl" in said, said
    return said


@member("command line")
def plugin_with_an_error():
    "--plugin with a file that has a typing error"
    own = file("own.py", "def loss(:\n")
    said = command("w2s_sweep", "--ds_name", "micro-grammar", "--plugin", own, *FEW, status=2)
    assert "own.py" in said, said
    return said


@member("command line")
def plugin_from_the_environment():
    "W2S_PLUGINS with a file that registers a loss"
    file("own.py", "from w2s_nb import LOSSES\n"
         "LOSSES['half'] = lambda z, y, step_frac: LOSSES['xent'](z, y, step_frac) / 2\n")
    return swept("--ds_name", "micro-grammar", "--losses", "half", W2S_PLUGINS="own.py")


@member("command line")
def config_file_unknown_key():
    "--config with a key that no option has"
    said = command("w2s_sweep", "--config", file("a.yaml", "ds_names: [micro-grammar]\nlearning_rate: 0.1\n"), *FEW,
                   status=2)
    assert "learning_rate" in said, said
    return said


@member("command line")
def config_file_broken():
    "--config with a file that is no YAML"
    said = command("w2s_sweep", "--config", file("a.yaml", "ds_names: [micro-grammar\n\tlr: 1"), *FEW, status=2)
    assert "a.yaml" in said, said
    return said


@member("command line")
def config_file_toml():
    "--config with TOML"
    return swept("--config", file("a.toml", 'ds_names = ["micro-grammar"]\nlosses = ["xent"]\n'))


@member("command line")
def checkpoints_by_pattern():
    "--model_sizes with a pattern of checkpoints of one model"
    for step in (10, 200): ladder_model(f"runs/checkpoint-{step}", "micro-8k" if step == 10 else "micro-12k")
    few = [w if w != "micro-8k" else "runs/checkpoint-*" for w in FEW]
    command("w2s_sweep", "--ds_name", "micro-grammar", "--seeds", 0, *few)
    n = len(list(Path("out").rglob("results_summary.json")))
    assert n == 5, f"{n} runs of the 5 of a ladder of two"
    return f"{n} runs"


@member("command line")
def checkpoints_by_a_pattern_of_nothing():
    "--model_sizes with a pattern that nothing matches"
    few = [w if w != "micro-8k" else "runs/checkpoint-*" for w in FEW]
    said = command("w2s_sweep", "--ds_name", "micro-grammar", *few, status=2)
    assert "runs/checkpoint-*" in said, said
    return said


@member("command line")
def option_misspelled():
    "An option with a typing error"
    said = command("w2s_sweep", "--ds_name", "micro-grammar", "--n_doc", 40, "--epoch_s", 3, status=2)
    assert "epoch_s" in said, said
    return said


# Machines -------------------------------------------------------------------------------------------------------------

@member("machines")
def folder_with_blanks_and_umlauts():
    "A folder of results with blanks, umlauts and an apostrophe in its name"
    from w2s_nb import results_table, train_run
    train_run(config(), "Müllers runs/it's März")
    assert len(results_table("Müllers runs/it's März")) == 1
    return "trained, stored and read"


@member("machines")
def terminal_of_ascii():
    "A terminal that knows ASCII only"
    words = ["--ds_name", "micro-grammar", *FEW, "--seeds", "0"]
    said = command("w2s_sweep", *words, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert said.isascii()
    return "trained"


@member("machines")
def no_resource_module():
    "Windows has no module `resource`"
    sys.modules["resource"] = None
    place(config())
    return "trained"


@member("machines")
def no_locks():
    "Windows has no module `fcntl`"
    sys.modules["fcntl"] = None
    place(config())
    return "trained"


@member("machines")
def name_with_a_colon():
    "A task whose name holds characters that Windows does not allow in names"
    from w2s_nb import RunConfig, task_from_rows
    task_from_rows("mine: a/b?", rows(80), text="text")
    path = place(RunConfig("mine: a/b?", "micro-8k", n_docs=40, n_test_docs=16, epochs=1))
    inside = str(path.absolute().relative_to(Path("results").absolute()))
    assert not set(inside) & set('<>:"|?*'), inside
    return f"stored in {inside.rpartition('/')[0]}"


@member("machines")
def cache_that_cannot_be_written():
    "A cache whose place is a file"
    os.environ["W2S_CACHE_DIR"] = file("cache", "x")
    place(config())
    return "trained without it"


@member("machines")
def no_home():
    "No HOME, as in many containers"
    for name in ("HOME", "W2S_CACHE_DIR", "XDG_CACHE_HOME", "HF_HOME"): os.environ.pop(name, None)
    place(config())
    return "trained"


@member("machines")
def no_main_guard():
    "A script without a main guard that asks for workers"
    file("mine.py", "from w2s_nb import RunConfig\n"
         "from w2s_nb.runs.sweeps import run_all\n"
         "few = dict(n_docs=40, n_test_docs=20, epochs=1)\n"
         "runs = [RunConfig('micro-grammar', 'micro-8k', seed=s, **few) for s in (0, 1)]\n"
         "print(len(run_all(runs, 'out', workers=2)))\n")
    done = subprocess.run([sys.executable, "mine.py"], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 or "__main__" in done.stderr.strip().splitlines()[-1], done.stderr[-200:]
    return "trained" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


# Running them ---------------------------------------------------------------------------------------------------------

def outcome(function):
    "Run one input in a child and a folder of its own: -> (right?, what happened)."
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer")
        if pid := os.fork():
            os.waitpid(pid, 0)
            return pickle.loads(answer.read_bytes()) if answer.exists() else (False, "the process died")
        try:
            home = Path(folder, "home")
            home.mkdir()
            os.chdir(home)
            os.environ.update(CPU, W2S_CACHE_DIR=str(Path(folder, "cache")))
            with open(os.devnull, "w") as nowhere:
                for stream in (1, 2): os.dup2(nowhere.fileno(), stream)
            try: found = True, function() or "works"
            except AssertionError as e: found = False, str(e) or "another result"
            except ImportError as e: found = False, f"not possible: {str(e).partition(' (')[0]}"
            except BaseException as e: found = False, f"{type(e).__name__}: {e}"
            found = found[0], " ".join(str(found[1]).replace(str(home), "…").replace(folder, "…").split())
            answer.write_bytes(pickle.dumps(found))
        finally: os._exit(0)


def before(checkout, names):
    "What another checkout does with the same inputs: {name: (right?, what happened)}."
    code = f"import sys; sys.path[:0] = [{str(checkout)!r}, {str(Path(__file__).parent)!r}]; import door, json; " \
           f"door.prepare(); print(json.dumps({{n: door.outcome(door.INPUTS[n][1]) for n in {names!r}}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=checkout,
                          env=os.environ | dict(PYTHONPATH=str(checkout)))
    return json.loads(done.stdout.strip().splitlines()[-1])


def prepare():
    "Import once what every child needs; where the commands lie."
    global _CLI
    import transformers
    import w2s_nb
    for name in w2s_nb.__all__: getattr(w2s_nb, name)
    transformers.AutoTokenizer, transformers.GPT2Model, transformers.PreTrainedTokenizerFast
    if Path(w2s_nb.__file__).with_name("cli.py").is_file(): _CLI = "w2s_nb.cli"     # where it lay before the chapters


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="words of the names of inputs (default: all)")
    parser.add_argument("--table", metavar="CHECKOUT", type=Path, help="print a table beside what this checkout does")
    parser.add_argument("--short", action="store_true", help="odd rows only")
    args = parser.parse_args()
    names = [name for name in INPUTS if not args.words or any(word in name for word in args.words)]
    if args.short: names = [name for name in names if INPUTS[name][0] == "rows"]
    prepare()
    found, failed = {}, 0
    for name in names:
        found[name] = right, said = outcome(INPUTS[name][1])
        failed += not right
        if args.table: continue
        print(f"{'passed' if right else 'FAILED'}  {name}: {textwrap.shorten(said, 160)}", flush=True)
    if args.table:
        earlier = before(args.table.resolve(), names)
        print("| kind | input | before | now |\n| --- | --- | --- | --- |")
        cell = lambda right, said: f"{'' if right else '**wrong** '}{textwrap.shorten(said, 200)}".replace("|", "\\|")
        for name in names:
            kind, function = INPUTS[name]
            print(f"| {kind} | {function.__doc__} | {cell(*earlier[name])} | {cell(*found[name])} |")
    print(f"{len(names) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__": main()
