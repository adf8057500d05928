"""The second half of R-CNN's training: linear machines on the features that `fit` learnt."""

import keras

from zoo.training.region_features import region_pieces
from zoo.training.region_machines import feature_scale, fit_offsets, fit_svms


class FitRegionSVMs(keras.callbacks.Callback):
    """Fit an `RCNN`'s machines when the last epoch ends, and put them into the model.

    Put this callback before those that score the model or save it.

    Args:
        pictures: the training pictures without augmentation, in batches of one, with boxes and
            labels, as `build_pipeline` gives them; gone through once.
        digest: of the pictures, such as `Source.digest`.
        epochs: epochs of the whole run.
        svm_c: C of the support vector machines.
        ridge: of the regression.
        data_dir: cache folder; default `ZOO_DATA_DIR` or ~/.cache/keras-vision-zoo.
        progress: called with what is under way, and how many pictures of it so far.
    """

    def __init__(
        self,
        pictures,
        digest,
        *,
        epochs,
        svm_c=1e-3,
        ridge=1000.0,
        data_dir=None,
        progress=lambda what, done: None,
    ):
        super().__init__()
        self.pictures = pictures
        self.digest = digest
        self.epochs = epochs
        self.svm_c = svm_c
        self.ridge = ridge
        self.data_dir = data_dir
        self.progress = progress

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 != self.epochs:
            return
        task, where = self.model, {"data_dir": self.data_dir, "progress": self.progress}
        with region_pieces(task, self.pictures, self.digest, **where) as pieces:
            scale = feature_scale(pieces)
            svms = fit_svms(pieces, task.num_classes, scale=scale, c=self.svm_c, seed=task.seed)
            offsets = fit_offsets(pieces, task.num_classes, scale=scale, ridge=self.ridge)
        task.svm.set_weights(svms)
        task.regressor.set_weights(offsets)
