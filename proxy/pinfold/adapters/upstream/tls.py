"""Whom connections to the outside trust."""

import ssl
from pathlib import Path
from typing import Literal

from pinfold.domain.errors import InvalidSettings


def trusting(ca_file: Path | None, setting: str) -> ssl.SSLContext | Literal[True]:
    """Return what trusts the certificates of a file in PEM, or the system's; blocking.

    Raises InvalidSettings, which names the setting that named the file.
    """
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise InvalidSettings([f"{setting}: {ca_file} holds no certificates"]) from None
