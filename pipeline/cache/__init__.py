"""The seam between the stages: features on disk."""

from pipeline.cache.entries import Entry
from pipeline.cache.features import FeatureSet, open_features
from pipeline.cache.finding import find_entries, only_entry

__all__ = ["Entry", "FeatureSet", "find_entries", "only_entry", "open_features"]
