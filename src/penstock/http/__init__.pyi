from penstock.http.api import Api as Api
from penstock.http.api import StatusCall as StatusCall
from penstock.http.auth import ApiKey as ApiKey
from penstock.http.auth import Auth as Auth
from penstock.http.auth import Basic as Basic
from penstock.http.auth import Bearer as Bearer
from penstock.http.auth import Digest as Digest
from penstock.http.auth import OAuth1 as OAuth1
from penstock.http.auth import OAuth2 as OAuth2
from penstock.http.auth import SigV4 as SigV4
from penstock.http.auth import jwt_bearer as jwt_bearer
from penstock.http.body import MISSING as MISSING  # unlisted
from penstock.http.body import decode_or_none as decode_or_none
from penstock.http.body import dig as dig
from penstock.http.body import find as find  # unlisted
from penstock.http.calls import Calls as Calls  # unlisted
from penstock.http.calls import becomes_get as becomes_get
from penstock.http.child_feed import FAILED_PARENT as FAILED_PARENT  # unlisted
from penstock.http.child_feed import Child as Child
from penstock.http.child_feed import ChildFeed as ChildFeed
from penstock.http.io_thread import Engine as Engine
from penstock.http.io_thread import engine as engine
from penstock.http.page_feed import PageFeed as PageFeed
from penstock.http.pagination import Beginning as Beginning
from penstock.http.pagination import Page as Page
from penstock.http.pagination import pages as pages
from penstock.http.pagination import rows as rows
from penstock.http.reach import Reach as Reach
from penstock.http.reach import is_public as is_public
from penstock.http.record import Record as Record
from penstock.http.record import plain as plain
from penstock.http.request import Delete as Delete
from penstock.http.request import Get as Get
from penstock.http.request import Head as Head
from penstock.http.request import Patch as Patch
from penstock.http.request import Post as Post
from penstock.http.request import Put as Put
from penstock.http.request import Request as Request
from penstock.http.response import Headers as Headers
from penstock.http.response import Response as Response
from penstock.http.response import phrase as phrase
from penstock.http.row_keys import Rows as Rows
from penstock.http.row_keys import row_result as row_result
from penstock.http.secrets import Secret as Secret
from penstock.http.secrets import secret as secret
from penstock.http.signs import goes_on as goes_on  # unlisted
from penstock.http.since import Since as Since
from penstock.http.streamed import StreamProfile as StreamProfile
from penstock.http.streamed import StreamTransfer as StreamTransfer
from penstock.http.streamed import check_websockets as check_websockets
from penstock.http.styles import BodyCursor as BodyCursor
from penstock.http.styles import BodyLink as BodyLink
from penstock.http.styles import End as End
from penstock.http.styles import HeaderCursor as HeaderCursor
from penstock.http.styles import LinkHeader as LinkHeader
from penstock.http.styles import Listing as Listing
from penstock.http.styles import Next as Next
from penstock.http.styles import Offset as Offset
from penstock.http.styles import PageNumber as PageNumber
from penstock.http.styles import SinglePage as SinglePage
from penstock.http.styles import Style as Style
from penstock.http.styles import Unreadable as Unreadable
from penstock.http.transfer import Inbox as Inbox
from penstock.http.transfer import Profile as Profile
from penstock.http.url import Query as Query  # unlisted
from penstock.http.url import check_base as check_base  # unlisted
from penstock.http.url import encode_query as encode_query  # unlisted
from penstock.http.url import filled as filled  # unlisted
from penstock.http.url import join as join
from penstock.http.url import origin as origin  # unlisted
from penstock.http.url import resolve as resolve  # unlisted
from penstock.http.url import shown as shown
