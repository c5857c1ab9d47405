"""Base and head as one model in a file of its own. One format a file: the folder is the registry.

A format module has the constants and functions of :class:`pipeline.serving.export._format.Format`; the first
line of its docstring says what the format is and what runs it.
"""

from pipeline.serving.export._exported import Exported
from pipeline.serving.export._exporting import export_model
from pipeline.serving.export._sampling import Sample, sample_rows

__all__ = ["Exported", "Sample", "export_model", "sample_rows"]
