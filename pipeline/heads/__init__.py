"""Stage two: features -> trained head. One head a file: the folder is the registry.

A head module holds one frozen dataclass and names it in the constant ``HEAD``. Its fields are the head's
options with their types and defaults, the first line of its docstring is what ``pipeline heads`` prints.
"""

from pipeline.heads._core.class_balance import ClassBalance, is_rare
from pipeline.heads._core.examples import Examples
from pipeline.heads._core.familiarity import Familiarity
from pipeline.heads._core.folds import (
    Fold,
    keep_labels,
    most_folds,
    notes_on_folds,
    out_of_fold,
    row_groups,
    split_folds,
)
from pipeline.heads._core.head import (
    ExamplesModel,
    GridHead,
    Head,
    HeadInfo,
    Layered,
    Model,
    Task,
    describe_head,
    layered_heads,
    make_head,
)
from pipeline.heads._core.saving import load_head, read_seen, run_folder, save_head, save_temperature
from pipeline.heads._core.seen import SeenImages
from pipeline.heads._core.target_figures import FIGURES, IN_WORDS
from pipeline.heads._core.temperature import Temperature, fit_temperature
from pipeline.heads._core.trained import TrainedHead
from pipeline.heads._core.training import TrainingData, fit_head, fit_on, train_head, with_familiarity
from pipeline.heads._core.validation import classes_not_found, judged, measured, with_val_score

__all__ = [
    "FIGURES",
    "IN_WORDS",
    "ClassBalance",
    "Examples",
    "ExamplesModel",
    "Familiarity",
    "Fold",
    "GridHead",
    "Head",
    "HeadInfo",
    "Layered",
    "Model",
    "SeenImages",
    "Task",
    "Temperature",
    "TrainedHead",
    "TrainingData",
    "classes_not_found",
    "describe_head",
    "fit_head",
    "fit_on",
    "fit_temperature",
    "is_rare",
    "judged",
    "keep_labels",
    "layered_heads",
    "load_head",
    "make_head",
    "measured",
    "most_folds",
    "notes_on_folds",
    "out_of_fold",
    "read_seen",
    "row_groups",
    "run_folder",
    "save_head",
    "save_temperature",
    "split_folds",
    "train_head",
    "with_familiarity",
    "with_val_score",
]
