"""Whether the server that keeps a cursor's place can be reached at all just now."""

from __future__ import annotations

from typing import Any

from pymongo.errors import AutoReconnect

__all__ = ["check_reach"]


def check_reach(cursor: Any, client: Any, *, in_transaction: bool = False) -> None:
    """Return where PyMongo's ``cursor`` can ask its server for more, as far as the client knows.

    Where it cannot, PyMongo would wait for that very server, as long as for any server to be
    selected, while another one has long been elected.

    Raises:
        AutoReconnect: The server is gone, or does not answer its heartbeats.
    """
    address = cursor.address
    if address is None or not cursor.alive:
        return
    server = client.topology_description.server_descriptions().get(address)
    if server is not None and server.is_server_type_known:
        return
    error = AutoReconnect(f"{address[0]}:{address[1]} has the cursor and cannot be reached")
    if in_transaction:
        error._add_error_label("TransientTransactionError")  # as PyMongo labels it in its calls
    raise error
