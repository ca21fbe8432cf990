# The names of the package itself: the module of each, for editors and for lazy_loader, which reads this file.
from .data.runtime import ConfigError as ConfigError
from .models.ladder import MICRO_LADDER as MICRO_LADDER
from .data.text_world import MICRO_TASKS as MICRO_TASKS
from .data.paper_tasks import TASKS as TASKS
from .data.tasks import Task as Task
from .data.tasks import register_task as register_task
from .data.tasks import task_from_hub as task_from_hub
from .data.tasks import task_from_images as task_from_images
from .data.tasks import task_from_rows as task_from_rows
from .data.rows import load_task as load_task
from .data.rows import split_halves as split_halves
from .models.text_models import MODELS as MODELS
from .models.text_models import ModelSpec as ModelSpec
from .models.text_models import register_model as register_model
from .learning.more_losses import LOSSES as LOSSES
from .measuring.evaluation import Estimate as Estimate
from .measuring.evaluation import Predictions as Predictions
from .measuring.evaluation import accuracy as accuracy
from .measuring.evaluation import agreement as agreement
from .measuring.evaluation import pgr as pgr
from .measuring.intervals import accuracy_interval as accuracy_interval
from .measuring.intervals import pgr_interval as pgr_interval
from .runs.config import PRESETS as PRESETS
from .runs.config import RunConfig as RunConfig
from .runs.store import Run as Run
from .runs.store import load_run as load_run
from .runs.runs import train_run as train_run
from .runs.sweeps import sweep as sweep
from .results.pgr import compare_methods as compare_methods
from .results.pgr import median_pgr_table as median_pgr_table
from .results.pgr import pgr_table as pgr_table
from .results.transfer import plot_transfer as plot_transfer
from .results.collect import results_table as results_table
from .results.tables import save_table as save_table
from .results.drawing import save_figure as save_figure

__version__: str
