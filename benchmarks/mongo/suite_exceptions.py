"""Tests of PyMongo's own suite that do not hold through the proxy, each with its reason."""

_OUTLASTS = (
    "wants a ServerSelectionTimeoutError; the proxy tries until its deadline and says MongoGaveUp, "
    "another AutoReconnect"
)

REVIEWED: dict[str, str] = {
    r"test_gridfs(_bucket)?: test_gridfs_lazy_connect": _OUTLASTS,
}
