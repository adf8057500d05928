"""Weights of other frameworks, read without running code and converted by explicit tables."""

from zoo.weights.architectures import list_architectures
from zoo.weights.classifiers import classifier_rows, classifier_weights
from zoo.weights.convert import convert_into
from zoo.weights.imagenet_classes import imagenet_classes
from zoo.weights.keras_vgg import keras_vgg_weights
from zoo.weights.pip_files import imagenet_weights, pip_weights_file
from zoo.weights.state_dicts import load_state_dict

__all__ = [
    "classifier_rows",
    "classifier_weights",
    "convert_into",
    "imagenet_classes",
    "imagenet_weights",
    "keras_vgg_weights",
    "list_architectures",
    "load_state_dict",
    "pip_weights_file",
]
