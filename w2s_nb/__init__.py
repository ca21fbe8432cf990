"Weak-to-strong generalization as a notebook-first research package."
__version__ = "0.1.0"

from importlib import import_module as _import_module

#: name -> its module; each is imported when a name of it is first used, so that `--help` stays quick
_HOMES = {name: module for module, names in (
    ("data.runtime", "ConfigError"),
    ("data.text_world", "MICRO_TASKS"),
    ("data.rows", "TASKS Task load_task split_halves register_task task_from_hub task_from_rows"),
    ("models.ladder", "MICRO_LADDER"),
    ("models.text_models", "MODELS ModelSpec register_model"),
    ("learning.more_losses", "LOSSES"),
    ("measuring.evaluation", "Predictions accuracy agreement pgr"),
    ("measuring.intervals", "accuracy_interval pgr_interval"),
    ("runs.config", "PRESETS RunConfig"),
    ("runs.runs", "Run load_run train_run"),
    ("results.tables", "save_table"),
    ("results.collect", "results_table"),
    ("results.pgr", "pgr_table median_pgr_table compare_methods"),
    ("results.drawing", "save_figure"),
    ("results.transfer", "plot_transfer"),
) for name in names.split()}
__all__ = list(_HOMES)   # not `sweep`, whose module has the same name: from w2s_nb.runs.sweeps import sweep


def __getattr__(name):
    if name not in _HOMES: raise AttributeError(f"module 'w2s_nb' has no attribute {name!r}")
    return getattr(_import_module(f"w2s_nb.{_HOMES[name]}"), name)


def __dir__(): return [*globals(), *__all__]
