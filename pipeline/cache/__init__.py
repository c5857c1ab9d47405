"""The seam between the stages: features on disk."""

from pipeline.cache.entries import Entry
from pipeline.cache.features import FeatureSet
from pipeline.cache.finding import find_entries, only_entry
from pipeline.cache.opening import open_features

__all__ = ["Entry", "FeatureSet", "find_entries", "only_entry", "open_features"]
