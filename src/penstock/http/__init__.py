"""HTTP and REST APIs: requests as values, performed by one I/O thread under policy and budget."""

from penstock.http.api import Api, StatusCall
from penstock.http.auth import ApiKey, Auth, Basic, Bearer, OAuth1, OAuth2
from penstock.http.pages import Page, pages, rows
from penstock.http.record import Record, plain
from penstock.http.request import Delete, Get, Head, Patch, Post, Put, Request
from penstock.http.response import Headers, Response
from penstock.http.row_keys import Rows, row_result
from penstock.http.secret import Secret, secret
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
    "End",
    "Get",
    "Head",
    "HeaderCursor",
    "Headers",
    "LinkHeader",
    "Listing",
    "Next",
    "OAuth1",
    "OAuth2",
    "Offset",
    "Page",
    "PageNumber",
    "Patch",
    "Post",
    "Profile",
    "Put",
    "Record",
    "Request",
    "Response",
    "Rows",
    "Secret",
    "SinglePage",
    "StatusCall",
    "Style",
    "Unreadable",
    "pages",
    "plain",
    "row_result",
    "rows",
    "secret",
]
