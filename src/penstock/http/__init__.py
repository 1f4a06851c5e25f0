"""HTTP and REST APIs: requests as values, performed by one I/O thread under policy and budget."""

from penstock.http.api import Api, StatusCall
from penstock.http.auth import ApiKey, Auth, Basic, Bearer, OAuth1, OAuth2
from penstock.http.page_feed import PageFeed
from penstock.http.pages import (
    BodyCursor,
    BodyLink,
    HeaderCursor,
    LinkHeader,
    Offset,
    Page,
    PageNumber,
    Style,
    pages,
    rows,
)
from penstock.http.record import Record, plain
from penstock.http.request import Delete, Get, Head, Patch, Post, Put, Request
from penstock.http.response import Headers, Response
from penstock.http.secret import Secret, secret
from penstock.http.transfer import Profile

__all__ = [
    "Api",
    "ApiKey",
    "Auth",
    "Basic",
    "Bearer",
    "BodyCursor",
    "BodyLink",
    "Delete",
    "Get",
    "Head",
    "HeaderCursor",
    "Headers",
    "LinkHeader",
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
    "Record",
    "Request",
    "Response",
    "Secret",
    "StatusCall",
    "Style",
    "pages",
    "plain",
    "rows",
    "secret",
]
