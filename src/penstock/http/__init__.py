"""HTTP and REST APIs: requests as values, performed by one I/O thread under policy and budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.later import homes, later

if TYPE_CHECKING:
    from penstock.http.api import Api, StatusCall
    from penstock.http.auth import ApiKey, Auth, Basic, Bearer, OAuth1, OAuth2, SigV4, jwt_bearer
    from penstock.http.body import MISSING as MISSING
    from penstock.http.body import decode_or_none, dig
    from penstock.http.body import find as find
    from penstock.http.calls import Calls as Calls
    from penstock.http.calls import becomes_get
    from penstock.http.child_feed import Child, ChildFeed
    from penstock.http.io_thread import Engine, engine
    from penstock.http.page_feed import PageFeed
    from penstock.http.pagination import Page, pages, rows
    from penstock.http.reach import Reach, is_public
    from penstock.http.record import Record, plain
    from penstock.http.request import Delete, Get, Head, Patch, Post, Put, Request
    from penstock.http.response import Headers, Response, phrase
    from penstock.http.row_keys import Rows, row_result
    from penstock.http.secrets import Secret, secret
    from penstock.http.since import Since
    from penstock.http.streamed import StreamProfile, StreamTransfer, check_websockets
    from penstock.http.styles import (
        BodyCursor,
        BodyLink,
        End,
        HeaderCursor,
        LinkHeader,
        Listing,
        Next,
        Offset,
        PageNumber,
        SinglePage,
        Style,
        Unreadable,
    )
    from penstock.http.transfer import Inbox, Profile
    from penstock.http.url import Query as Query
    from penstock.http.url import check_base as check_base
    from penstock.http.url import encode_query as encode_query
    from penstock.http.url import filled as filled
    from penstock.http.url import join, shown
    from penstock.http.url import origin as origin
    from penstock.http.url import resolve as resolve

# A name is loaded when it is first used: an ``Api`` needs few of them.
if not TYPE_CHECKING:  # a name that is not there is found by the type checker
    __getattr__ = later(
        __name__,
        homes(
            api="Api StatusCall",
            auth="ApiKey Auth Basic Bearer OAuth1 OAuth2 SigV4 jwt_bearer",
            body="MISSING decode_or_none dig find",
            calls="Calls becomes_get",
            child_feed="Child ChildFeed",
            io_thread="Engine engine",
            page_feed="PageFeed",
            pagination="Page pages rows",
            reach="Reach is_public",
            record="Record plain",
            request="Delete Get Head Patch Post Put Request",
            response="Headers Response phrase",
            row_keys="Rows row_result",
            secrets="Secret secret",
            since="Since",
            streamed="StreamProfile StreamTransfer check_websockets",
            styles=(
                "BodyCursor BodyLink End HeaderCursor LinkHeader Listing Next Offset PageNumber "
                "SinglePage Style Unreadable"
            ),
            transfer="Inbox Profile",
            url="Query check_base encode_query filled join origin resolve shown",
        ),
    )

__all__ = [
    "Api",
    "ApiKey",
    "Auth",
    "Basic",
    "Bearer",
    "BodyCursor",
    "BodyLink",
    "Child",
    "ChildFeed",
    "Delete",
    "End",
    "Engine",
    "Get",
    "Head",
    "HeaderCursor",
    "Headers",
    "Inbox",
    "LinkHeader",
    "Listing",
    "Next",
    "OAuth1",
    "OAuth2",
    "Offset",
    "Page",
    "PageFeed",
    "PageNumber",
    "Patch",
    "Post",
    "Profile",
    "Put",
    "Reach",
    "Record",
    "Request",
    "Response",
    "Rows",
    "Secret",
    "SigV4",
    "Since",
    "SinglePage",
    "StatusCall",
    "StreamProfile",
    "StreamTransfer",
    "Style",
    "Unreadable",
    "becomes_get",
    "check_websockets",
    "decode_or_none",
    "dig",
    "engine",
    "is_public",
    "join",
    "jwt_bearer",
    "pages",
    "phrase",
    "plain",
    "row_result",
    "rows",
    "secret",
    "shown",
]
