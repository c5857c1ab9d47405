"""The seam between the stages: features on disk."""

from pipeline.cache.features import FeatureSet

__all__ = ["FeatureSet"]
