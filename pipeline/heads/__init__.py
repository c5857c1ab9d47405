"""Stage two: features -> trained head. One head a file: the folder is the registry.

A head module holds one frozen dataclass and names it in the constant ``HEAD``. Its fields are the head's
options with their types and defaults, the first line of its docstring is what ``pipeline heads`` prints.
"""

from pipeline.heads._catalog import HeadInfo, describe_head, layered_heads, make_head
from pipeline.heads._class_balance import RARE, ClassBalance
from pipeline.heads._examples import Examples
from pipeline.heads._head import Head, Layered, Model, Task
from pipeline.heads._prepared import Prepared, prepare
from pipeline.heads._saving import load_head, read_seen, run_folder, save_head, save_temperature
from pipeline.heads._seen import SeenImages
from pipeline.heads._temperature import Temperature, fit_temperature
from pipeline.heads._trained import TrainedHead, classes_not_found, measured
from pipeline.heads._training import fit_head, fit_prepared, train_head

__all__ = [
    "RARE",
    "ClassBalance",
    "Examples",
    "Head",
    "HeadInfo",
    "Layered",
    "Model",
    "Prepared",
    "SeenImages",
    "Task",
    "Temperature",
    "TrainedHead",
    "classes_not_found",
    "describe_head",
    "fit_head",
    "fit_prepared",
    "fit_temperature",
    "layered_heads",
    "load_head",
    "make_head",
    "measured",
    "prepare",
    "read_seen",
    "run_folder",
    "save_head",
    "save_temperature",
    "train_head",
]
