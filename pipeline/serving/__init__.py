"""Answers out: a trained head and its base on images that nobody has extracted."""

from pipeline.serving.predictions import Predictions, predict
from pipeline.serving.predictor import Answer, Predictor

__all__ = ["Answer", "Predictions", "Predictor", "predict"]
