"""What a run's report shows beyond its metrics, worked out beside the scores: worker side.

`score --report FOLDER` writes FOLDER/details.json and FOLDER/pictures/: the curves and the
confusion, the pictures that were answered worst and best with truth and answer drawn, and what the
splits hold. The controller makes the page of them (`flows.report`) and computes nothing.
"""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.run_folder import DETAILS, PICTURES
from flows.whole_files import write_json

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Picture

    from zoo.data import Source

SHOWN = 6  # pictures of the worst, and of the best
SIDE = 480  # pixels, the longer side of a drawn picture
_LARGEST = 120_000  # bytes of a JPEG: 24 of them within a page stay below 4 MB
_QUALITIES = (85, 60, 40, 20)  # of JPEGs, until one is no larger
_COUNTED = 5000  # records of a split that are looked at for its statistics
_MAPS_COUNTED = 200  # the same of segmented pictures, whose class maps have to be decoded


def write(
    folder: Path,
    answers,
    sheet,
    *,
    ask: Callable[[list], list],
    source: "Source",
    split: str,
    limit: int | None,
) -> None:
    """Write the details of a scored split.

    Args:
        folder: made where missing.
        answers: how the model is asked, of `zoo.answers`.
        sheet: the scores of the split.
        ask: encoded pictures -> answers in the data's labels; where the sheet keeps none, as
            nobody knew before which pictures would be shown.
        source, split, limit: what was scored.
    """
    details = sheet.details()
    chosen = details.extremes(SHOWN)
    records = _records(answers.truths(source, split, limit), [*chosen["worst"], *chosen["best"]])
    shown = []
    for group, indices in chosen.items():
        found = [details.answers[index] for index in indices if details.answers]
        found = found or ask([records[index][1] for index in indices])
        for rank, (index, answer) in enumerate(zip(indices, found, strict=True), start=1):
            certain = answers.certain(answer, details.least_score)
            panels = _draw(answers, records[index], certain)
            shown.append(
                {
                    "group": group,
                    "image_id": records[index][0],
                    "quality": float(details.qualities[index]),
                    "told": answers.told(certain),
                    "panels": _keep(panels, folder / PICTURES, f"{group}-{rank}"),
                }
            )
    values = details.plain() | {"pictures": shown, "data": _count(source, split, limit)}
    write_json(folder / DETAILS, values)


def _records(truths: Iterator, indices: list[int]) -> dict[int, tuple]:
    """Return the records at the indices; reading ends with the last of them."""
    wanted, found = set(indices), {}
    for index, record in enumerate(truths):
        if index in wanted:
            found[index] = record
        if len(found) == len(wanted):
            break
    return found


def _draw(answers, record: tuple, answer) -> "dict[str, np.ndarray]":
    from zoo.pictures import read_picture

    _, picture, truth = record
    return answers.panels(read_picture(picture), answer, truth)


def _keep(panels: "dict[str, np.ndarray]", folder: Path, stem: str) -> dict[str, str]:
    """Write drawn pictures as small JPEGs; return caption -> file name."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for caption, pixels in panels.items():
        picture = Image.fromarray(pixels)
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        files[caption] = f"{stem}-{caption}.jpg"
        (folder / files[caption]).write_bytes(_small_jpeg(picture))
    return files


def _small_jpeg(picture: "Picture") -> bytes:
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= _LARGEST:
            break
    return buffer.getvalue()


def _count(source: "Source", split: str, limit: int | None) -> dict[str, dict[str, Any]]:
    """Return what the training records and the scored ones hold, of large splits of the first."""
    from zoo.data import count_records

    # How many there are is in the journal: to ask the source may mean to read all of it.
    most = _MAPS_COUNTED if source.palette else _COUNTED
    return {
        name: count_records(source, name, min(most, limit or most))
        for name in dict.fromkeys(("train", split))
        if name in source.splits
    }
