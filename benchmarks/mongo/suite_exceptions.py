"""Tests of PyMongo's own suite that do not hold through the proxy, each with its reason."""

_WORDS = (
    "refused as plainly, with the same InvalidOperation; the proxy finds the session of another "
    "client before PyMongo looks whether it is bound, or names its own class"
)
_OUTLASTS = (
    "wants a ServerSelectionTimeoutError; the proxy tries until its deadline and says MongoGaveUp, "
    "another AutoReconnect"
)
_BATCH = "wants a limit around to_list to end it; its batch was there already, nothing was asked"

REVIEWED: dict[str, str] = {
    r"test_session: test_(aggregate|client|collection|database)$": _WORDS,
    r"test_session: test_(gridfs|gridfs_bucket|killcursors)$": _WORDS,
    r"test_gridfs(_bucket)?: test_gridfs_lazy_connect": _OUTLASTS,
    r"test_cursor: test_command_cursor_to_list_csot_applied": _BATCH,
}
