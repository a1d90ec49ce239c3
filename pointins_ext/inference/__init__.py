"""Instances of one scan: from pretraining, without any label, or with classes from a fine-tuned checkpoint."""

from pointins_ext.inference.finetuned import FinetunedPredictor, LabeledScan, load_segmenter
from pointins_ext.inference.load import experiment_config, load_backbone, load_predictor
from pointins_ext.inference.prediction import Prediction
from pointins_ext.inference.predictor import Predictor
from pointins_ext.inference.scan import at_all_points, fit, segment

__all__ = [
    "FinetunedPredictor",
    "LabeledScan",
    "Prediction",
    "Predictor",
    "at_all_points",
    "experiment_config",
    "fit",
    "load_backbone",
    "load_predictor",
    "load_segmenter",
    "segment",
]
