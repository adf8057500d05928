"""Linear machines on the features of regions: a support vector machine and offsets a class.

Letters: N regions of a piece, C classes, D features.
Words: a *piece* is what `RegionPieces` gives; a *background* region overlaps no object of a class
by much; a *hard* one lies within the machine's margin or on its wrong side.
Features come in units in which their mean norm is `NORM`; C and the ridge are meant for those.
Numbers are those of the paper and of its authors' code.
"""

from collections.abc import Iterable

import numpy as np

NORM = 20.0
BACKGROUND_BELOW = 0.3  # IoU: Girshick 2014, section 2.3
NEAR_FROM = 0.6  # IoU: the same, appendix C
HARD_FROM, EASY_BELOW = -1.0, -1.2  # margins: taken in, let go of
FIRST_NEGATIVES = 2000  # of the first piece, by chance: a first machine
REFIT_AFTER = 2000  # new hard ones
UNSEEN_MARGIN = -10.0  # of a class without objects: a score of 5e-5


def feature_scale(pieces: Iterable[dict]) -> float:
    """Return what features are multiplied by, so that their mean norm is `NORM`."""
    norms = [np.linalg.norm(piece["features"], axis=1) for piece in pieces]
    mean = float(np.mean(np.concatenate(norms))) if norms else 0.0
    return NORM / mean if mean > 0 else 1.0


def fit_svms(pieces: Iterable[dict], num_classes, *, scale=1.0, c=1e-3, passes=3, seed=0):
    """Fit a linear support vector machine a class, by hard-negative mining.

    Positives are the objects' own boxes, negatives the background, of which only the hard ones are
    held: passes over the pieces collect them until a pass finds no new one.

    Args:
        pieces: can be gone through more than once.
        scale: of the features.
        c: liblinear's C.
        passes: over the pieces, at most.
        seed: of the first negatives.
    Returns: kernel (D, C) and bias (C,) for features as they stand in the pieces.
    Reference: Girshick 2014, R-CNN, section 2.3 and appendix B.
    """
    machines = [
        _Machine(objects, c=c, seed=seed) for objects in _objects(pieces, num_classes, scale)
    ]
    for _ in range(passes):
        found = 0
        for number, piece in enumerate(pieces):
            features = piece["features"] * np.float32(scale)
            names = (np.int64(number) << 32) + np.arange(len(features))
            for label, machine in enumerate(machines):
                background = piece["overlaps"][:, label] < BACKGROUND_BELOW
                found += machine.mine(features[background], names[background])
        for machine in machines:
            machine.fit()
        if not found:
            break
    kernel = np.stack([machine.direction for machine in machines], axis=1) * scale
    return kernel.astype("float32"), np.array([machine.bias for machine in machines], "float32")


def _objects(pieces, num_classes, scale) -> list[np.ndarray]:
    """Return the scaled features (n, D) of the objects of each class."""
    found: list[list[np.ndarray]] = [[] for _ in range(num_classes)]
    for piece in pieces:
        for label, rows in enumerate(found):
            rows.append(piece["features"][piece["truths"] == label] * np.float32(scale))
    return [np.concatenate(rows) for rows in found]


class _Machine:
    """One class against its background.

    Args:
        positives: (n, D).
        c, seed: of `fit_svms`.
    """

    def __init__(self, positives, *, c, seed):
        self.positives = positives
        self.c = c
        self.seed = seed
        self.negatives = positives[:0]
        self.names = np.zeros(0, np.int64)  # of the negatives held
        self.fitted = False
        self._new = 0
        self.direction = np.zeros(positives.shape[1])
        self.bias = UNSEEN_MARGIN

    def mine(self, features, names) -> int:
        """Take the hard ones of some background regions; return how many were new."""
        if not len(self.positives):
            return 0
        if self.fitted:
            hard = self._margins(features) > HARD_FROM
            chosen = np.flatnonzero(hard & ~np.isin(names, self.names))
        else:
            order = np.random.default_rng(self.seed).permutation(len(features))
            chosen = np.sort(order[:FIRST_NEGATIVES])
        self.negatives = np.concatenate([self.negatives, features[chosen]])
        self.names = np.concatenate([self.names, names[chosen]])
        self._new += len(chosen)
        if not self.fitted or self._new >= REFIT_AFTER:
            self.fit()
        return len(chosen)

    def fit(self) -> None:
        """Fit to the positives and the negatives held, and let go of easy ones."""
        from sklearn.svm import LinearSVC  # half a second's import that most runs do without

        if not self._new:
            return
        values = np.concatenate([self.positives, self.negatives])
        signs = np.repeat([1, -1], [len(self.positives), len(self.negatives)])
        svm = LinearSVC(
            loss="hinge",
            C=self.c,
            class_weight={1: 2.0, -1: 1.0},
            intercept_scaling=10.0,
            max_iter=20_000,
            random_state=self.seed,
        ).fit(values, signs)
        self.direction, self.bias = svm.coef_[0], float(svm.intercept_[0])
        self.fitted, self._new = True, 0
        margins = self._margins(self.negatives)
        kept = margins >= min(EASY_BELOW, margins.max())  # one at least
        self.negatives, self.names = self.negatives[kept], self.names[kept]

    def _margins(self, features):
        return features @ self.direction + self.bias


def fit_offsets(pieces: Iterable[dict], num_classes, *, scale=1.0, ridge=1000.0):
    """Fit, by ridge regression, a linear map a class from features to the way to the object.

    It learns from regions near an object. Sums of products are all that is held: C * D * D numbers.

    Args:
        scale: of the features.
        ridge: weight of the squared kernel beside the sum of squared errors.
    Returns: kernel (D, 4 C) and bias (4 C,), four columns a class, for features as they stand in
        the pieces.
    Reference: Girshick 2014, R-CNN, appendix C.
    """
    sums: list[np.ndarray | int] = [0] * num_classes
    features = offsets = np.zeros((0, 0))
    for piece in pieces:
        features, offsets = piece["features"] * float(scale), piece["offsets"]
        for label in range(num_classes):
            near = piece["overlaps"][:, label] >= NEAR_FROM
            # A column of ones counts the rows, and adds up features and offsets.
            rows = np.hstack([features[near], np.ones((near.sum(), 1)), offsets[near, label]])
            sums[label] = sums[label] + rows[:, :-4].T @ rows
    size = features.shape[1]
    maps = [_solve(np.asarray(products), size, ridge) for products in sums]
    kernel = np.concatenate([kernel for kernel, _ in maps], axis=1) * scale
    return kernel.astype("float32"), np.concatenate([bias for _, bias in maps]).astype("float32")


def _solve(products, size, ridge):
    """Return kernel (D, 4) and bias (4,) of sums of products (D + 1, D + 1 + 4)."""
    count = products[size, size]
    if not count:
        return np.zeros((size, 4)), np.zeros(4)
    squares, targets = products[:size, :size], products[:size, size + 1 :]
    means = products[size] / count
    features, offsets = means[:size], means[size + 1 :]
    centred = squares - count * np.outer(features, features) + ridge * np.eye(size)
    kernel = np.linalg.solve(centred, targets - count * np.outer(features, offsets))
    return kernel, offsets - features @ kernel
