"""The script that MLflow keeps beside a model and runs to load it, in place of a pickled object."""

from mlflow.models import set_model

from flows.serving import ModelServer

set_model(ModelServer())
