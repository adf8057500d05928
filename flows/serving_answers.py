"""The MLflow signature of a served model, by its kind; `flows.answer_forms` has the answers.

Imports neither Keras nor zoo: the registry, which computes nothing, looks up signatures here.
"""

from dataclasses import dataclass

from mlflow.models import ModelSignature
from mlflow.types.schema import (
    Array,
    ColSpec,
    DataType,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
)

from flows.answer_forms import FORMS, AnswerForm
from flows.serving_request import REQUEST

_TEXT, _WHOLE, _NUMBER = DataType.string, DataType.long, DataType.double
_RUN_LENGTHS = Object([Property("size", Array(_WHOLE)), Property("counts", _TEXT)])


@dataclass(frozen=True)
class ServedKind:
    """How models of a kind are served.

    Args:
        signature: what MLflow keeps and checks requests against.
        form: of the answers.
    """

    signature: ModelSignature
    form: AnswerForm


def _served(kind: str, *outputs: ColSpec) -> ServedKind:
    form = FORMS[kind]
    specs = [
        ParamSpec(name, _WHOLE if isinstance(default, int) else _NUMBER, default)
        for name, default in form.defaults.items()
    ]
    params = ParamSchema(specs) if specs else None
    # MLflow's annotation lacks the None that is its own default.
    return ServedKind(ModelSignature(REQUEST, Schema(list(outputs)), params), form)  # type: ignore[arg-type]


KINDS = {
    "detection": _served(
        "detection",
        ColSpec(Array(Array(_NUMBER)), "boxes"),
        ColSpec(Array(_NUMBER), "scores"),
        ColSpec(Array(_WHOLE), "labels"),
        ColSpec(Array(_TEXT), "names"),
        ColSpec(Array(_RUN_LENGTHS), "masks", required=False),
    ),
    "segmentation": _served(
        "segmentation",
        ColSpec(_TEXT, "class_map"),
        ColSpec(Array(_WHOLE), "labels"),
        ColSpec(Array(_TEXT), "names"),
        ColSpec(Array(_NUMBER), "shares"),
        ColSpec(Array(Array(_WHOLE)), "colors"),
    ),
    "classification": _served(
        "classification",
        ColSpec(Array(_WHOLE), "labels"),
        ColSpec(Array(_TEXT), "names"),
        ColSpec(Array(_NUMBER), "probabilities"),
    ),
    "style": _served("style", ColSpec(_TEXT, "picture")),
}
