"""libcurl's errors as ours, translated once: what to do next, and whether the call was sent."""

from __future__ import annotations

import errno
import os

import pycurl

from penstock.errors import InputError, PenstockError, PermanentError, RetryableError

# No connection. Where none stood before, the request never left: safe to repeat whatever it does.
_NO_CONNECTION = {
    pycurl.E_COULDNT_RESOLVE_HOST: "no such host",
    pycurl.E_COULDNT_RESOLVE_PROXY: "no such proxy host",
    pycurl.E_COULDNT_CONNECT: "cannot connect",
    pycurl.E_SSL_CONNECT_ERROR: "TLS handshake failed",
}
_WEIRD = 8  # CURLE_WEIRD_SERVER_REPLY, unnamed in pycurl
# A connection, and no whole answer.
_BROKEN = {
    pycurl.E_GOT_NOTHING: "connection closed without an answer",
    pycurl.E_RECV_ERROR: "connection broke while receiving",
    pycurl.E_SEND_ERROR: "connection broke while sending",
    pycurl.E_PARTIAL_FILE: "answer cut short",
    pycurl.E_HTTP2: "HTTP/2 framing broke",
    92: "HTTP/2 stream was reset",  # CURLE_HTTP2_STREAM, unnamed in pycurl
    pycurl.E_BAD_CONTENT_ENCODING: "compressed answer is damaged",
    pycurl.E_ABORTED_BY_CALLBACK: "kept-alive connection was closed by the server",
    _WEIRD: "answer is not HTTP",
    100: "answer's headers are too large",  # CURLE_TOO_LARGE
}
_INPUT = {
    pycurl.E_URL_MALFORMAT: "not a URL that can be called",
    pycurl.E_UNSUPPORTED_PROTOCOL: "not http or https",
    pycurl.E_SSL_CACERT_BADFILE: "the file of trusted certificates cannot be read",
}
# What a lack of descriptors, threads, memory or ports of ours looks like, among other reasons.
_PERHAPS_OURS = {
    pycurl.E_FAILED_INIT,
    pycurl.E_OUT_OF_MEMORY,
    pycurl.E_COULDNT_RESOLVE_HOST,
    pycurl.E_COULDNT_RESOLVE_PROXY,
    pycurl.E_COULDNT_CONNECT,
    pycurl.E_SSL_CONNECT_ERROR,
    pycurl.E_SSL_CACERT_BADFILE,
}
_SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL}
_CERTIFICATE = (pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CERTPROBLEM)


def shortage(code: int, number: int, message: str) -> str | None:
    """Return what this machine was short of, or None where the failure has another reason.

    Args:
        code: libcurl's number.
        number: The system's number (errno), 0 where there is none.
        message: libcurl's words.
    """
    if code not in _PERHAPS_OURS:
        return None
    if number in _SHORT:
        return os.strerror(number)
    if code == pycurl.E_OUT_OF_MEMORY or "thread failed to start" in message:
        return "no memory, or no further thread"
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.strerror
    return None


def translate(code: int, message: str, where: str, *, sent: bool) -> PenstockError:
    """Return our error for curl's ``code``.

    Args:
        code: libcurl's number.
        message: libcurl's words.
        where: Method and URL without its query, for the reader.
        sent: Whether any of the request may have reached the server. ``code`` does not say so:
            libcurl connects again when a kept connection breaks, and reports how that ended.
    """
    if code == pycurl.E_UNSUPPORTED_PROTOCOL and sent:  # HTTP/0.9: bytes without a head
        code = _WEIRD
    if code in _INPUT:
        return InputError(f"{where}: {_INPUT[code]}")
    if code in _CERTIFICATE:
        return PermanentError(
            f"{where}: the server's certificate is not trusted ({message}); "
            "name the authority that signed it with ca_file"
        )
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return RetryableError(f"{where}: timed out ({message})", sent=sent)
    if code in _NO_CONNECTION:
        return RetryableError(f"{where}: {_NO_CONNECTION[code]} ({message})", sent=sent)
    words = _BROKEN.get(code, f"transfer failed, curl error {code}")
    return RetryableError(f"{where}: {words}" + (f" ({message})" if message else ""), sent=sent)
