"""Worker verb `predict`: pictures and videos -> annotated copies, predictions.json, images.json.

`predictions.json` is a COCO results file: a list of {image_id, category_id, score} with, of a
detector, bbox [x, y, w, h], of a segmenter the segmentation of each class that is there, of a
classifier the name of each of the most probable classes. `images.json` is its counterpart, the
tables `images` and `categories`, so that `COCO("images.json").loadRes("predictions.json")` opens
both; an image's `told` is the answer in a line. A frame of a video is an image with `frame` and
`time` (seconds) beside its file's name.
"""

import argparse
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.inputs import Input, find_inputs
from flows.opening import open_model
from flows.progress import ProgressLines, mistakes_told, tell
from flows.runtime import UserError, prepare_process
from flows.whole_files import write_json

if TYPE_CHECKING:
    import numpy as np

    from zoo import Task
    from zoo.export import Exported

_BATCH = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("model", help="a published .keras file, or an export")
    parser.add_argument("sources", nargs="+", help="pictures, videos, folders or globs")
    parser.add_argument("--out", required=True, type=Path, help="the folder for the results")
    parser.add_argument("--min-score", type=float, default=0.25, help="of a detector's objects")


def run(args: argparse.Namespace) -> int:
    """Annotate everything that can be read; return the exit code.

    Raises:
        UserError: the model cannot be used, a source matches nothing, or, after all the others are
            done, some could not be read.
    """
    with mistakes_told():
        _annotate(args)
    return 0


def _annotate(args: argparse.Namespace) -> None:
    inputs = find_inputs(args.sources, args.out)
    prepare_process()
    # FFmpeg and OpenCV write to the process' stderr by themselves; a broken video is told below.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        album = Album(open_model(args.model), args.out, min_score=args.min_score)
    except ValueError as error:
        raise UserError(str(error)) from error
    _make_folder(args.out)
    album.add_pictures([item for item in inputs if item.kind == "picture"])
    for item in inputs:
        if item.kind == "video":
            album.add_video(item)
    album.write()
    tell(wrote=str(args.out))
    if album.mistakes:
        raise UserError("\n".join(album.mistakes))


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {path}: cannot be a folder: {error.strerror}") from error


class Album:
    """The results of one call as they come in.

    Args:
        task: the model.
        out: the folder for annotated copies and tables.
        min_score: what scores less is neither drawn nor listed.
    """

    def __init__(self, task: "Task | Exported", out: Path, *, min_score: float):
        from zoo.answers import answers_of

        self.task = task
        self.answers = answers_of(task)
        self.out = out
        self.min_score = min_score
        self.images: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []
        self.mistakes: list[str] = []

    def add_pictures(self, items: list[Input]) -> None:
        """Annotate pictures; one that cannot be read joins `mistakes`."""
        if not items:
            return
        progress = ProgressLines("pictures", len(items))
        for batch in _batches(self._read(items, progress)):
            found = self.answers.ask(self.task, [pixels for _, pixels in batch])
            for (item, pixels), answer in zip(batch, found, strict=True):
                drawn = self._note(item, pixels, answer)
                _save_picture(self.out / item.output, drawn)
            progress.advance(len(batch))

    def add_video(self, item: Input) -> None:
        """Annotate every frame of a video; one that cannot be read joins `mistakes`."""
        from flows.video import VideoReader, VideoWriter

        try:
            with VideoReader(item.path) as reader:
                progress = ProgressLines(item.path.name, reader.frames)
                with VideoWriter(self.out / item.output, reader.rate, reader.size) as writer:
                    for batch in _batches(iter(reader)):
                        found = self.answers.ask(self.task, [pixels for _, pixels in batch])
                        for (frame, pixels), answer in zip(batch, found, strict=True):
                            moment = {"frame": frame, "time": round(frame / reader.rate, 3)}
                            writer.write(self._note(item, pixels, answer, **moment))
                        progress.advance(len(batch))
        except ValueError as error:
            self.mistakes.append(str(error))

    def write(self) -> None:
        """Write the two tables."""
        names = enumerate(self.task.class_names)
        categories = [{"id": label, "name": name} for label, name in names]
        write_json(self.out / "images.json", {"images": self.images, "categories": categories})
        write_json(self.out / "predictions.json", self.rows)

    def _read(
        self, items: list[Input], progress: ProgressLines
    ) -> "Iterator[tuple[Input, np.ndarray]]":
        from zoo.pictures import read_picture

        for item in items:
            try:
                pixels = read_picture(item.path)
            except ValueError as error:
                self.mistakes.append(str(error))
                progress.advance()
            else:
                yield item, pixels

    def _note(self, item: Input, pixels: "np.ndarray", answer: Any, **more: Any):
        """Put one image into the tables; return it drawn."""
        kept = self.answers.certain(answer, self.min_score)
        image_id = len(self.images) + 1
        height, width = pixels.shape[:2]
        image = {"id": image_id, "file_name": str(item.path), "width": width, "height": height}
        rows = self.answers.rows(kept, image_id)
        image |= {"output": item.output, "told": self.answers.told(kept), "detections": len(rows)}
        self.images.append(image | more)
        self.rows += rows
        return self.answers.draw(pixels, kept)


def _batches(items: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(itertools.islice(items, _BATCH)):
        yield batch


def _save_picture(path: Path, pixels: "np.ndarray") -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path, quality=95)  # JPEG's; PNG does not look at it
