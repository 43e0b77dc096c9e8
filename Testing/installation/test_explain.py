"""Failures of uv and pip as their users see them: one sentence, with what to do."""

from __future__ import annotations

import pytest

from metasegment.installation.downloads import Downloads
from metasegment.installation.explain import explain

_UNREACHED = """error: Request failed after 3 retries in 6.6s
  cause: Failed to fetch: https://pypi.org/simple/scipy/
  cause: error sending request for url (https://pypi.org/simple/scipy/)
  cause: client error (Connect)"""


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (_UNREACHED + "\n  cause: dns error", "pypi.org cannot be reached"),
        (_UNREACHED + "\n  cause: tunnel error: failed to create underlying connection", "the proxy does not let"),
        (
            _UNREACHED + "\n  cause: invalid peer certificate: UnknownIssuer",
            "the certificate of pypi.org is not trusted",
        ),
        (_UNREACHED + "\n  cause: HTTP status client error (407 Proxy Authentication Required)", "HTTPS_PROXY"),
        ("error: failed to write to file: No space left on device (os error 28)", "the disk is full"),
        ("error: failed to remove file: Access is denied. (os error 5)", "is in use"),
        ("error: The filename or extension is too long. (os error 206)", "long paths"),
        ("error: No interpreter found for Python 3.12 in managed installations or search path", "no Python from 3.10"),
        ("ERROR: No matching distribution found for uv", "not every package exists"),
        ("  x something nobody has seen\nerror: it broke", "it broke"),
        ("", "no reason"),
    ],
)
def test_a_failure_becomes_one_sentence(said, sentence):
    told = explain(said.splitlines())
    assert sentence in told
    assert "\n" not in told


def test_a_password_in_an_address_is_not_repeated():
    said = _UNREACHED.replace("https://pypi.org", "https://name:secret@mirror.example")
    assert explain((said + "\n  cause: dns error").splitlines()).startswith("mirror.example cannot be reached")


def test_megabytes_are_counted_as_uv_announces_them(tmp_path):
    downloads = Downloads(tmp_path)
    for line in ("Downloading torch (1.5GiB)", "Downloading numpy (16.0MiB)", " Downloaded numpy"):
        downloads.hear(line)
    assert downloads.stage.startswith("fetching torch: 16 of 1552 MB")
    assert 0 < downloads.share < 0.1
    downloads.hear(" Downloaded torch")
    downloads.hear("Prepared 40 packages in 9.87s")
    assert downloads.stage.startswith("installing")
