"""Random weights of every architecture of transformers that reads texts: what the package makes of each.

    python tools/bench/architectures.py [TYPE …] [--table nbs/tables/architectures.csv]

Each type of model gets a small random checkpoint and goes through the checks below, one function a check. A check
returns the values of its columns; what it raises as a `ConfigError` is the architecture's refusal, in one sentence.
"""
import argparse
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from w2s_nb.data.runtime import ConfigError, Execution  # noqa: E402  (declares torchvision's operators first)

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import CONFIG_MAPPING, AutoModel  # noqa: E402
from transformers.models.auto import modeling_auto as auto  # noqa: E402

from w2s_nb.data.tokens import Batch  # noqa: E402
from w2s_nb.models.features import weights_fingerprint  # noqa: E402
from w2s_nb.models.text_models import (ModelSettings, context_length, load_classifier, load_config,  # noqa: E402
                                       load_trained)
from w2s_nb.models.text_models import model_spec, save_classifier  # noqa: E402

TABLE = Path(__file__).parents[2] / "nbs" / "tables" / "architectures.csv"
CPU = Execution(device="cpu")
VOCAB = 99
TOLERANCE = 1e-5   # of features, relative to their mean size
LIMIT = 90         # seconds an architecture

WIDTHS = dict(hidden_size=32, d_model=32, n_embd=32, dim=32, emb_dim=32, embedding_size=16, word_embed_proj_dim=16,
              intermediate_size=64, ffn_dim=64, d_ff=64, d_inner=64, n_inner=64, hidden_dim=64, encoder_ffn_dim=64,
              decoder_ffn_dim=64, ffn_hidden_size=64, moe_intermediate_size=32, shared_expert_intermediate_size=32,
              attention_hidden_size=32, lru_width=32, out_hidden_size=32, projection_dim=16, true_hidden_size=32,
              intra_bottleneck_size=32, embed_dim=32)
DEPTHS = dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers",
                        "depth"), 2)
HEADS = dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads",
                       "decoder_attention_heads", "attention_heads"), 4)
PARTS = dict(num_key_value_heads=2, head_dim=8, d_kv=8, d_head=8, rotary_dim=4, num_experts=4, num_local_experts=4,
             n_routed_experts=4, num_experts_per_tok=2, n_group=1, topk_group=1, n_shared_experts=1, q_lora_rank=16,
             kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8, qk_head_dim=16, state_size=8,
             ssm_state_size=8, mamba_d_state=8, time_step_rank=4, mamba_n_heads=8, mamba_d_head=8,
             first_k_dense_replace=1, image_size=16, patch_size=4, mm_tokens_per_image=4, vision_use_head=False)
LENGTHS = dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length",
                         "max_sequence_length", "context_length"), 64)
SMALL = WIDTHS | DEPTHS | HEADS | PARTS | LENGTHS | dict(vocab_size=VOCAB)
#: what some configurations need beside
TURNED = dict(rope_parameters=dict(rope_type="default", rope_theta=1e4, mrope_section=[2, 1, 1]))
ALSO = dict(mamba2=dict(num_heads=8, head_dim=8, n_groups=2), esm=dict(pad_token_id=1),
            squeezebert=dict(embedding_size=32),
            qwen2_vl_text=TURNED, qwen2_5_vl_text=TURNED, glm4v_text=TURNED, paddleocr_vl_text=TURNED,
            gpt_neo=dict(attention_types=[[["global", "local"], 1]]))


def types() -> list[str]:
    "The types of models that transformers knows as causal, masked, or encoders of texts, and those with a text part."
    return sorted({*auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
                   *auto.MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES, *auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES})


def small_config(kind: type):
    "A configuration of a few thousand parameters: every size that it has, made small; also in its parts."
    start = kind()
    stated = start.to_dict()
    plain = {name for name, value in stated.items() if not isinstance(value, (list, dict))}
    chosen = {name: value for name, value in SMALL.items() if name in plain}
    for name, default in dict(bos_token_id=1, eos_token_id=2, pad_token_id=0).items():
        if isinstance(stated.get(name), list): chosen[name] = default
        elif isinstance(stated.get(name), int) and not 0 <= stated[name] < VOCAB: chosen[name] = default
    if "kv_lora_rank" in stated: chosen["num_key_value_heads"] = HEADS["n_head"]
    for name in getattr(kind, "sub_configs", None) or {}:
        if getattr(start, name, None) is not None: chosen[name] = small_config(type(getattr(start, name)))
    return kind(**chosen | ALSO.get(kind.model_type, {}))


def checkpoint(name: str, folder: Path) -> dict:
    "Write random weights of an architecture; how many parameters it has, and its class."
    config = small_config(CONFIG_MAPPING[name])
    with torch.device("meta"): n_params = sum(p.numel() for p in AutoModel.from_config(config).parameters())
    if n_params > 2e7: raise ValueError(f"its smallest configuration has {n_params:,} parameters")
    torch.manual_seed(0)
    encoder = auto.MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES.get(name, "")
    if config.is_encoder_decoder and encoder.endswith("EncoderModel"): model = getattr(transformers, encoder)(config)
    else: model = AutoModel.from_config(config)
    model.save_pretrained(folder)
    return dict(architecture=type(model).__name__, n_params=n_params)


def rows(lengths=(5, 9, 3, 12, 7), seed: int = 0) -> Batch:
    "Random rows, padded with 0 to the longest."
    longest, rng = max(lengths), np.random.default_rng(seed)
    ids = torch.from_numpy(rng.integers(5, VOCAB - 9, (len(lengths), longest)))
    lengths = torch.tensor(lengths)
    ids[torch.arange(longest) >= lengths[:, None]] = 0
    return Batch(np.arange(len(lengths)).astype(str), ids, lengths, torch.eye(2)[torch.arange(len(lengths)) % 2])


def relative(found: torch.Tensor, true: torch.Tensor) -> float:
    "The largest difference, relative to the mean size of the true values."
    return ((found - true).abs().max() / true.abs().mean()).item()


# The checks: (folder, classifier) -> the values of some columns

def check_padding(folder: Path, model) -> dict:
    "Features of a row alone, in a padded batch, and with other ids as padding."
    batch = rows()
    other = batch.input_ids.masked_fill(batch.mask == 0, 7)
    with torch.no_grad():
        together = model.features(batch)
        alone = torch.cat([model.features(part) for _, part in batch.split(1)])
        order = torch.cat([at for at, _ in batch.split(1)])
        filled = model.features(replace(batch, input_ids=other))
    return dict(width=together.shape[1], pooling=model.pooling, layout=model.layout.name,
                padding=max(relative(alone, together[order]), relative(filled, together)))


def check_longest(folder: Path, model) -> dict:
    "Rows as long as the model's context, and no longer, are read."
    n = context_length(load_config(model_spec(str(folder))))
    with torch.no_grad(): model.features(rows((n or 64, 3)))
    return dict(context=n)


def check_training(folder: Path, model) -> dict:
    "A training step in training mode gives the logits of evaluation mode, and reaches the backbone; buffers stay."
    batch = rows()
    torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(0))
    before = weights_fingerprint(model.backbone)
    logits = model.train()(batch)
    logits.square().sum().backward()
    reached = sum(p.grad is not None and bool(p.grad.abs().max() > 0) for p in model.backbone.parameters())
    with torch.no_grad(): same = relative(model.eval()(batch), logits.detach())
    return dict(training=same, trained=round(reached / len(list(model.backbone.parameters())), 2),
                still=weights_fingerprint(model.backbone) == before)


def check_stored(folder: Path, model) -> dict:
    "A stored classifier gives the same logits again."
    save_classifier(model, folder / "trained")
    again = load_trained(folder / "trained", model_spec(str(folder)), execution=CPU)
    with torch.no_grad(): return dict(stored=relative(again(rows()), model(rows())))


def check_lora(folder: Path, model) -> dict:
    "Adapters: fresh ones change nothing; or a sentence."
    adapted = load_classifier(model_spec(str(folder)), 2, ModelSettings(tune="lora"), execution=CPU).eval()
    with torch.no_grad(): return dict(lora=relative(adapted.features(rows()), model.features(rows())))


def check_checkpointing(folder: Path, model) -> dict:
    "Recomputed activations give the same logits; or a sentence."
    again = load_classifier(model_spec(str(folder)), 2, execution=replace(CPU, checkpointing=True))
    again.head.load_state_dict(model.head.state_dict())
    logits = again(rows())
    logits.sum().backward()
    with torch.no_grad(): return dict(checkpointing=relative(logits, model(rows())))


CHECKS: tuple[Callable, ...] = (check_padding, check_longest, check_training, check_stored, check_lora,
                                check_checkpointing)


def tried(name: str) -> dict:
    "An architecture through all checks; the first refusal of a check that matters to every run is its outcome."
    folder, found = Path(tempfile.mkdtemp()), dict(type=name, family=family(name))
    signal.alarm(LIMIT)
    try:
        try: found |= checkpoint(name, folder)
        except Exception as e: return found | dict(outcome="not made", sentence=one_line(e, folder))
        try: model = load_classifier(model_spec(str(folder)), 2, execution=CPU).eval()
        except ConfigError as e: return found | dict(outcome="refused", sentence=one_line(e, folder))
        except Exception as e: return found | dict(outcome="error", sentence=one_line(e, folder))
        said = []
        for check in CHECKS:
            try: found |= check(folder, model)
            except ConfigError as e: said.append(f"{check.__name__[6:]}: {one_line(e, folder)}")
            except Exception as e:
                return found | dict(outcome="error", sentence=f"{check.__name__[6:]}: {one_line(e, folder)}")
        return found | dict(outcome=outcome(found), sentence=" ".join(said))
    finally:
        signal.alarm(0)
        shutil.rmtree(folder, ignore_errors=True)


def family(name: str) -> str:
    "What transformers uses this type of model for."
    if name in auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES: return "masked"
    if name in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES: return "causal"
    return "encoder" if name in auto.MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES else "images and text"


def outcome(found: dict) -> str:
    "equal: everything that was compared is equal; else what is not."
    compared = ("padding", "training", "stored", "lora", "checkpointing")
    wrong = [name for name in compared if found.get(name, 0.0) > TOLERANCE]
    return "equal" if not wrong else f"differs: {', '.join(wrong)}"


def one_line(e: Exception, folder: Path) -> str:
    kind = "" if isinstance(e, ConfigError) else f"{type(e).__name__}: "
    return kind + re.sub(r"\s+", " ", str(e).replace(str(folder), "FOLDER"))[:300]


def rows_of_table(names: list[str]) -> Iterator[dict]:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError(f"not finished after {LIMIT} s")))
    for name in names:
        row = tried(name)
        print(f"{row['outcome']:10} {name}  {row.get('sentence', '')}", flush=True)
        yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("types", nargs="*", help="types of models; none: all")
    parser.add_argument("--table", type=Path, help=f"write the outcomes here, for all: {TABLE}")
    options = parser.parse_args()
    table = pd.DataFrame(rows_of_table(options.types or types()))
    print(table.outcome.value_counts().to_string())
    where = options.table or (None if options.types else TABLE)
    if where: table.to_csv(where, index=False, float_format="%.1e")


if __name__ == "__main__": main()
