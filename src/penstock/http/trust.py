"""Which certificates to trust: the system's, else a kept bundle."""

from __future__ import annotations

import functools
import os
from pathlib import Path

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


@functools.cache
def trusted_certificates() -> str:
    """Return the path of the bundle: ``SSL_CERT_FILE``, the system's own, or certifi's.

    libcurl as shipped in wheels looks where its build machine kept them, which need not exist here.
    """
    told = os.environ.get("SSL_CERT_FILE") or os.environ.get("CURL_CA_BUNDLE")
    if told:
        return told
    import ssl

    known = ssl.get_default_verify_paths().cafile
    for path in (known, *_BUNDLES):
        if path and Path(path).is_file():
            return path
    import certifi

    return certifi.where()
