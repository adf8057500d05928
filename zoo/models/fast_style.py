"""Style transfer in one pass of a network that has learnt one style.

Letters: B pictures, H and W their sides in pixels.
"""

import keras
import numpy as np

from zoo.models.loss_metrics import update_loss_metrics
from zoo.models.style_lesson import StyleJudge
from zoo.models.task import Task
from zoo.pictures import read_picture


@keras.saving.register_keras_serializable(package="zoo")
class FastStyle(Task):
    """A style as a network (Johnson 2016): any pictures train it, no labels are needed.

    Args:
        network: a `StyleNetwork`.
        lesson: a `StyleLesson`, needed to train and to be scored; None: the network only paints.
        **kwargs: of `Task`; the image converter gives the pictures that it is scored on.
    """

    kind = "style"
    result_keys: tuple[str, ...] = ("images",)

    def __init__(self, *, network, lesson=None, **kwargs):
        super().__init__(**kwargs)
        self.network = network
        self.lesson = lesson
        self._judge = None
        names = ("content_loss", "style_loss", "variation_loss")
        self.loss_metrics = {name: keras.metrics.Mean(name=name) for name in names}
        self.build((None, None, None, 3))

    def build(self, input_shape):
        if self.built:  # by `__init__`; Keras asks again when it opens a file
            return
        if not self.network.built:
            self.network.build(input_shape)
        self.built = True

    def call(self, images, training=False):
        """Return a dict of `images`, (B, H, W, 3) float32 in 0..255.

        Args:
            images: (B, H, W, 3), 0..255, any dtype.
        """
        return {"images": self.network(self.normalize(images))}

    def open_judge(self) -> StyleJudge:
        """Return who judges, its weights read when it is first asked for.

        Raises: ValueError if there is no lesson, or the weights cannot be had.
        """
        if self._judge is None:
            if self.lesson is None:
                raise ValueError(
                    "this model holds no style to learn: it paints, and can neither train nor be "
                    'scored. Was it created without one, as in zoo.create("fast_style", style=...)?'
                )
            self._judge = self.lesson.judge(self.normalize, self.dtype_policy)
        return self._judge

    def compile(self, *args, **kwargs):
        """Configure training as `Task.compile` does.

        Raises: as `open_judge`, which must not happen first within a step that is traced.
        """
        self.open_judge()
        super().compile(*args, **kwargs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Compare with the content of the pictures themselves and the style; return the loss.

        Args:
            x: (B, H, W, 3), the pictures; y: not used.
            y_pred: what `call` returned.
        """
        losses = self.open_judge().losses(x, y_pred["images"])
        update_loss_metrics(self.loss_metrics, losses, keras.ops.shape(x)[0])
        return sum(losses.values())

    def stylize(self, images) -> list[np.ndarray]:
        """Paint pictures of any sizes, one after another.

        Args:
            images: a path, encoded bytes, a uint8 array (H, W, 3), or a list of them.
        Returns: one (H, W, 3) uint8 a picture, of its size.
        Raises: ValueError if a picture cannot be read, or has a side of less than 5 pixels.
        """
        if not isinstance(images, (list, tuple)):
            images = [images]
        return [self._stylize(read_picture(image)) for image in images]

    def _stylize(self, picture):
        height, width = picture.shape[:2]
        least = self.network.smallest_side
        if min(height, width) < least:
            raise ValueError(
                f"the network needs {least}x{least} pixels or more; got {height}x{width}. "
                "Enlarge the picture first?"
            )
        painted = self.predict_on_batch(picture[None])["images"][0]
        return np.clip(np.rint(painted), 0, 255).astype(np.uint8)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        lesson = None if self.lesson is None else serialize(self.lesson)
        return super().get_config() | {"network": serialize(self.network), "lesson": lesson}
