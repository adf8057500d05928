"""Held-out accuracies while a classifier trains."""

import io

import keras
import numpy as np
from cases import colours, small_classifier
from PIL import Image

from zoo.training import EvaluateClasses, classify_all


def encoded(count, seed=0):
    """Records (image id, PNG, label) of coloured pictures."""
    images, labels = colours(count, seed=seed)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        yield f"picture_{number}", file.getvalue(), int(label)


def test_it_reports_scores_and_draws_the_confusion(tmp_path):
    reports = []
    images, labels = colours(6)
    task = small_classifier()
    task.compile(optimizer=keras.optimizers.Adam(1e-3))
    evaluate = EvaluateClasses(
        lambda kind, **fields: reports.append((kind, fields)),
        lambda: encoded(4, seed=1),
        every_epochs=2,
        epochs=3,
        steps_per_epoch=2,
        samples=tmp_path / "samples",
    )
    task.fit(images, {"labels": labels}, batch_size=3, epochs=3, callbacks=[evaluate], verbose=0)
    found = [fields for kind, fields in reports if kind == "evaluation"]
    assert [(one["step"], one["epoch"]) for one in found] == [(4, 2), (6, 3)]
    metrics = found[-1]["metrics"]
    _, predictions = classify_all(task, encoded(4, seed=1))
    right = [one.label for one in predictions] == np.array([0, 1, 2, 0])
    assert metrics["val/top1"] == right.mean()
    assert metrics["val/trivial_top1"] == 0.5
    assert "val/accuracy_class/red" in metrics
    drawn = [fields["path"] for kind, fields in reports if kind == "sample"]
    assert drawn == ["samples/000004-confusion.png", "samples/000006-confusion.png"]
    assert all((tmp_path / path).is_file() for path in drawn)
