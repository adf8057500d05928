"""Public archives -> folders in the cache: fetched once, checked, unpacked whole or not at all.

`pooch` downloads into a file of another name, compares the checksum, and renames it; it tries again
where a connection breaks. Unpacking ends with a rename too, so what is there is complete.
"""

import logging
import os
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pooch
import requests

from zoo.data.annotation_files import why_not
from zoo.data.cache import lock_folder

RETRIES = 2  # after the first try; pooch waits one second, then two
TIMEOUT = 30  # seconds without a byte

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """A zip file at a public address.

    Args:
        file: its name below the address.
        sha1: of the file, hex.
        address: ends with a slash; ZOO_DATA_URL replaces it, for a mirror.
    """

    file: str
    sha1: str
    address: str

    @property
    def url(self) -> str:
        """Where it is fetched from."""
        base = os.environ.get("ZOO_DATA_URL") or self.address
        return f"{base.rstrip('/')}/{self.file}"


def fetch(archive: Archive, folder: Path, *, retries: int = RETRIES) -> Path:
    """Return the folder of an archive's content, downloading and unpacking it where need be.

    Args:
        folder: holds the archive and the folder of its content, named like it.
        retries: how often a download that fails is begun again.
    Raises: ValueError: it cannot be had, is not the file it should be, or there is no room for it.
    """
    target = folder / f"{Path(archive.file).stem}-{archive.sha1[:8]}"
    if target.is_dir():
        return target
    with lock_folder(folder, f"{archive.file}.lock"):
        if not target.is_dir():  # another process may have made it meanwhile
            file = _download(archive, folder, retries)
            _unpack(file, target)
            file.unlink()
    return target


def _download(archive: Archive, folder: Path, retries: int) -> Path:
    logger.info("fetching %s into %s", archive.url, folder)
    pooch.get_logger().setLevel(logging.WARNING)  # which prints on its own
    fetcher = pooch.create(
        path=folder,
        base_url="",
        registry={archive.file: f"sha1:{archive.sha1}"},
        urls={archive.file: archive.url},
        retry_if_failed=retries,
    )
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT)
    try:
        return Path(fetcher.fetch(archive.file, downloader=downloader))
    except requests.HTTPError as error:
        answer = f"{error.response.status_code} {error.response.reason}"
        raise ValueError(
            f"{archive.url}: the server answers {answer}. Set ZOO_DATA_URL to a mirror."
        ) from None
    except requests.RequestException as error:
        raise ValueError(
            f"{archive.url}: cannot be fetched ({_cause(error)}). Is there a network? "
            f"Set ZOO_DATA_URL to a mirror, or put the file at {folder / archive.file}."
        ) from None
    except OSError as error:
        raise _unwritable(folder, error) from None
    except ValueError:
        raise ValueError(
            f"{archive.url}: the file has another sha1 than {archive.sha1}; it is not kept. "
            "Was it damaged on the way, or does the mirror hold another?"
        ) from None


def _cause(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return f"no answer for {TIMEOUT} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    return "no connection" if isinstance(error, requests.ConnectionError) else str(error)


def _unpack(file: Path, target: Path) -> None:
    """Unpack a zip beside the target and rename it; a single folder at its top is left away."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix="unpacking-", dir=target.parent) as place,
            zipfile.ZipFile(file) as archive,
        ):
            _check_names(file, archive)
            archive.extractall(place)
            inside = [path for path in Path(place).iterdir() if path.name != "__MACOSX"]
            single = len(inside) == 1 and inside[0].is_dir()
            (inside[0] if single else Path(place)).replace(target)
    except (zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise ValueError(f"{file}: no zip archive that can be read ({error}).") from None
    except OSError as error:
        raise _unwritable(target.parent, error) from None


def _check_names(file: Path, archive: zipfile.ZipFile) -> None:
    """Refuse an archive with a name that leads out of its folder."""
    for name in archive.namelist():
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise ValueError(
                f"{file}: holds {name!r}, which leads out of its folder. Do not unpack it."
            )


def _unwritable(folder: Path, error: OSError) -> ValueError:
    return ValueError(
        f"{folder}: cannot be written: {why_not(error)}. Make room, or set ZOO_DATA_DIR to "
        "another folder."
    )
