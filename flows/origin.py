"""What a version is made from; the same again makes the same version, so need not be made.

The origin is the config that changes results, the data, the code and the weights it begins with.
Where all four are those of a version that has come to its gate, a scheduled training has nothing
to find out.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.config import Config, config_hash, resolve_config
from flows.provenance import code_version, git_commit
from flows.runtime import UserError

FROM_CHAMPION = "champion"  # model.weights: those of the present champion
PARTS = {  # tag of a version -> what a person calls it
    "config_hash": "config",
    "data_digest": "data",
    "code_version": "code",
    "start_weights": "weights it begins with",
}


@dataclass(frozen=True)
class Origin:
    """The origin of a version, as its tags tell it.

    Args:
        tags: those of `PARTS`.
    """

    tags: Mapping[str, str]

    @property
    def key(self) -> str:
        """16 hex digits over all of it."""
        text = json.dumps([self.tags.get(name) for name in PARTS])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def changes(self, other: "Origin") -> list[str]:
        """Return what another origin has otherwise, in words."""
        return [word for tag, word in PARTS.items() if self.tags.get(tag) != other.tags.get(tag)]


def origin_tags(config: Config) -> dict[str, str]:
    """Return the tags of an MLflow run that say what it is made from, but for its data."""
    resolved = resolve_config(config)
    return {
        "config_hash": config_hash(resolved),
        "git_commit": git_commit() or "unknown",
        "code_version": code_version(resolved.backend),
        "start_weights": start_weights(resolved),
    }


def origin_of(config: Config, data_digest: Mapping[str, str]) -> Origin:
    """Return the origin that a training of this config would have now.

    Args:
        config: resolved.
        data_digest: split -> digest of what there is.
    """
    return Origin({**origin_tags(config), "data_digest": json.dumps(data_digest)})


def start_weights(config: Config) -> str:
    """Return what identifies the weights that a training begins with.

    Of a file its digest. The champion's are called just so: what begins with a champion and comes
    to be the champion would otherwise never find itself unchanged.

    Raises:
        UserError: there is no such file.
    """
    named = config.model.weights
    if named is None or named == FROM_CHAMPION:
        return named or "fresh"
    try:
        return hashlib.sha256(Path(named).read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"model.weights: {named}: {error.strerror}") from None
