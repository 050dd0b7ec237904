"""Everything that can be downloaded: where from, its sha256, its licence, its size.

Nothing is downloaded unless somebody calls `fetch` (or `visage fetch <name>`). A file is checked
against its sha256 each time it is fetched, and an interrupted download goes on where it stopped.
Files are kept in the folder named by the environment variable VISAGE_CACHE, or else in the
system's cache folder.
"""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests
from tqdm.auto import tqdm


class DownloadError(RuntimeError):
    """A file could not be fetched; the message says why and what to do."""


class UnverifiedDownloadWarning(UserWarning):
    """A file without a published sha256 was downloaded for the first time."""


@dataclass(frozen=True)
class Download:
    """One file on the network."""

    name: str
    urls: tuple[str, ...]  # the same bytes at each; tried in turn
    sha256: str | None  # None: not published; the first download's is kept and checked from then on
    licence: str
    bytes: int  # about; for the list, and twice this is the most that is accepted
    filename: str


_LFW_TERMS = (
    "no licence: photographs collected from the web, for research; do not redistribute or show them"
)
_PYTORCH = "pytorch.org"  # whose models lie beside its packages
_FACENET = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"

DOWNLOADS: dict[str, Download] = {
    download.name: download
    for download in (
        Download(
            name="lfw-deepfunneled",
            urls=(
                "http://vis-www.cs.umass.edu/lfw/lfw-deepfunneled.tgz",
                "https://vis-www.cs.umass.edu/lfw/lfw-deepfunneled.tgz",
            ),
            sha256="08575363d69edaed9a7c3ccb9e2eebd76c91bc1011b2baaf725f8d1284bf3a2f",
            licence=_LFW_TERMS,
            bytes=111_000_000,
            filename="lfw-deepfunneled.tgz",
        ),
        Download(
            name="lfw-funneled",
            urls=(
                "https://ndownloader.figshare.com/files/5976015",
                "http://vis-www.cs.umass.edu/lfw/lfw-funneled.tgz",
            ),
            sha256="b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
            licence=_LFW_TERMS,
            bytes=243_000_000,
            filename="lfw-funneled.tgz",
        ),
        Download(
            name="lfw-pairs",
            urls=(
                "https://ndownloader.figshare.com/files/5976006",
                "http://vis-www.cs.umass.edu/lfw/pairs.txt",
            ),
            sha256="ea42330c62c92989f9d7c03237ed5d591365e89b3e649747777b70e692dc1592",
            licence="no licence: a list of names, for research",
            bytes=156_000,
            filename="pairs.txt",
        ),
        Download(
            name="facenet-vggface2",
            urls=(_FACENET + "20180402-114759-vggface2.pt",),
            sha256="281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
            licence="MIT; trained on VGGFace2, photographs collected from the web for research",
            bytes=111_898_327,
            filename="20180402-114759-vggface2.pt",
        ),
        Download(
            name="facenet-casia-webface",
            urls=(_FACENET + "20180408-102900-casia-webface.pt",),
            sha256=None,
            licence="MIT; trained on CASIA-WebFace, which is for non-commercial research only",
            bytes=116_000_000,
            filename="20180408-102900-casia-webface.pt",
        ),
        Download(
            name="vgg19-imagenet",
            urls=(f"https://download.{_PYTORCH}/models/vgg19-dcbb9e9d.pth",),
            sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
            licence="BSD 3-Clause; trained on ImageNet, photographs collected from the web",
            bytes=574_673_361,
            filename="vgg19-dcbb9e9d.pth",
        ),
    )
}


def cache_folder() -> Path:
    """Where downloads are kept: the folder named by VISAGE_CACHE, or the system's cache."""
    return Path(os.environ.get("VISAGE_CACHE") or pooch.os_cache("visage")).expanduser()


def fetch(name: str) -> Path:
    """Download a file unless it is there already, check it, and return its path.

    Args:
        name: one of `DOWNLOADS`.

    Raises:
        DownloadError: the name is unknown, no server can be reached, a server sends something
            else than the file, or the file cannot be written. What has arrived so far stays in a
            file that ends in `.part`, and the next call goes on from there.
    """
    if name not in DOWNLOADS:
        raise DownloadError(f"there is no download {name!r}; choose one of {', '.join(DOWNLOADS)}")
    download, folder = DOWNLOADS[name], cache_folder()
    known = download.sha256 or _first_sha256(folder, download)
    problems = []
    for url in download.urls:
        try:
            path = _fetch_from(url, download, folder, known)
        except _WrongFileError as error:
            problems.append(f"{urlsplit(url).netloc} {error}")
        except requests.RequestException as error:
            problems.append(f"{urlsplit(url).netloc} {_reason(error)}")
        except OSError as error:
            raise DownloadError(
                f"{name} cannot be written to {str(folder)!r} ({error.strerror or error}); free "
                "some space, or name another folder in VISAGE_CACHE"
            ) from None
        else:
            if known is None:
                _remember_sha256(path, download)
            return path
    raise DownloadError(
        f"{name} could not be downloaded ({'; '.join(problems)}); check the network and try again, "
        f"or put {download.filename} into {str(folder)!r} yourself"
    )


class _WrongFileError(Exception):
    """A server answered, but not with the file."""


def _fetch_from(url: str, download: Download, folder: Path, known: str | None) -> Path:
    """Let pooch look for the file, fetch it where it is missing, and check it."""
    shelf = pooch.create(
        path=folder,
        base_url="",
        registry={download.filename: f"sha256:{known}" if known else None},
        urls={download.filename: url},
    )
    resuming = _Resuming(folder / f"{download.filename}.part", download)
    for _ in range(2):
        try:
            return Path(shelf.fetch(download.filename, downloader=resuming))
        except ValueError:  # pooch's word for a wrong hash; it has removed the file
            if not resuming.resumed:
                break
            # The part that was there may have been of another file: once more, from the start.
    raise _WrongFileError("sent a file with another sha256, which was removed")


class _Resuming:
    """A downloader for pooch that goes on where a `.part` file stops."""

    def __init__(self, part: Path, download: Download):
        self.part = part
        self.download = download
        self.limit = 2 * download.bytes + 1_000_000
        self.resumed = False

    def __call__(self, url: str, output_file: str, _pooch: pooch.Pooch) -> None:
        """Download `url` to the part, then move it to where pooch wants it."""
        self.resumed = self._size() > 0
        while True:
            before = self._size()
            try:
                self._request(url)
                break
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                if self._size() <= before:  # nothing came any more: the next server's turn
                    raise
        os.replace(self.part, output_file)

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _request(self, url: str) -> None:
        start = self._size()
        headers = {"Accept-Encoding": "identity"}  # count and hash the bytes as they are stored
        if start:
            headers["Range"] = f"bytes={start}-"
        with requests.get(url, headers=headers, stream=True, timeout=(10, 60)) as answer:
            if answer.status_code == 416:
                # Nothing lies beyond the part: it is whole, or not a part of this file.
                if answer.headers.get("Content-Range") != f"bytes */{start}":
                    self.part.unlink()
                    self._request(url)
                return
            answer.raise_for_status()
            if answer.status_code != 206:
                start = 0  # this server sends whole files only
            length = answer.headers.get("Content-Length")
            total = start + int(length) if length else None
            if (total or 0) > self.limit:
                raise _WrongFileError(f"offers {total} bytes, far more than expected")
            self._write(answer, start, total)

    def _write(self, answer: requests.Response, start: int, total: int | None) -> None:
        bar = tqdm(
            total=total, initial=start, unit="B", unit_scale=True, desc=self.download.filename
        )
        with bar, self.part.open("ab" if start else "wb") as file:
            done = start
            for chunk in answer.iter_content(1 << 16):
                file.write(chunk)
                done += len(chunk)
                bar.update(len(chunk))
                if done > self.limit:
                    raise _WrongFileError(f"sends more than {self.limit} bytes")
        if total is not None and done < total:
            raise requests.ConnectionError(f"the connection was cut after {done} of {total} bytes")


def _reason(error: requests.RequestException) -> str:
    """Say in a few words what went wrong; requests quotes half its stack."""
    if isinstance(error, requests.HTTPError):
        return f"answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "cut after" in str(error):
        return "cut the connection"
    return "cannot be reached"


def _hash_file(folder: Path, download: Download) -> Path:
    return folder / f"{download.filename}.sha256"


def _first_sha256(folder: Path, download: Download) -> str | None:
    """The sha256 that the first download had, where none is published."""
    try:
        return _hash_file(folder, download).read_text().strip() or None
    except OSError:
        return None


def _remember_sha256(path: Path, download: Download) -> None:
    sha256 = pooch.file_hash(str(path), alg="sha256")
    target = _hash_file(path.parent, download)
    temporary = target.with_suffix(".sha256.tmp")
    temporary.write_text(f"{sha256}\n")
    os.replace(temporary, target)
    warnings.warn(
        f"{download.name} has no published sha256; the one of this first download is kept in "
        f"{str(target)!r} and checked from now on",
        UnverifiedDownloadWarning,
        stacklevel=3,
    )
