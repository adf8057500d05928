"""A published model as MLflow serves it: pictures in a request, what the model makes of them back.

`flows.request_rows` says what a request may hold, `flows.answer_forms` what each kind of model
answers.

    mlflow.pyfunc.load_model("models:/smoke@champion").predict([{"image": base64_text}])
    mlflow models serve -m models:/smoke@champion --env-manager local
    curl 127.0.0.1:5000/invocations -H 'Content-Type: application/json'
         -d '{"dataframe_records": [{"pixels": [[[0, 0, 0], ...]]}], "params": {"min_score": 0.5}}'

Keras is imported when the model is loaded, on the backend that KERAS_BACKEND names, else on the one
that trained the model where it is installed.
"""

import os
import sys
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel

from flows.answer_forms import FORMS
from flows.serving_request import read_pictures

ARTIFACT = "keras"  # the name of the .keras file among the model's artifacts


class ModelServer(PythonModel):
    """Answers requests with the model of the `.keras` file among its artifacts."""

    def load_context(self, context) -> None:
        """Open the file; called once by MLflow."""
        if "keras" not in sys.modules:
            _prepare(context.model_config["backend"])
        import zoo

        self._task = zoo.load(context.artifacts[ARTIFACT])

    def predict(
        self, context, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict]:
        """Answer every picture of the table.

        Args:
            context: unused.
            model_input: with the columns `image` and `pixels`, one of them in each row.
            params: those of the signature.

        Raises:
            MlflowException: a picture cannot be read, or a parameter is out of its range; the
                server answers 400 with the reason.
        """
        try:
            pictures = read_pictures(model_input)
            form = FORMS[self._task.kind]
            return form.answers(self._task, pictures, params or {}) if pictures else []
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error


def _prepare(trained_on: str) -> None:
    from flows.runtime import installed_backends, prepare_process

    choice = os.environ.get("KERAS_BACKEND")
    prepare_process(choice or (trained_on if trained_on in installed_backends() else "auto"))
