"""A ``[stream]`` turned into a stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec

from penstock.address import hide, is_reference
from penstock.assembly.build import build_auth
from penstock.assembly.kinds import RESUMES, Site, build, value_of
from penstock.assembly.sections import StoreSection
from penstock.assembly.stream_sections import PresetSection, StreamFile, StreamSection
from penstock.assembly.values import revealed
from penstock.errors import InputError
from penstock.events import Events
from penstock.http import Get, Post, Profile, Request
from penstock.streaming import (
    FRAMING_KINDS,
    PRESET_KINDS,
    Action,
    Block,
    ConnectionWindow,
    ControlMessage,
    Cursor,
    DropOldest,
    Framer,
    OnSame,
    Overflow,
    Preset,
    ReconnectPolicy,
    Spill,
    Stream,
    delimited,
    prefixed,
)

_URLS = ("http://", "https://", "ws://", "wss://")
_OVERFLOWS: dict[str, type[Overflow]] = {
    "block": Block,
    "spill": Spill,
    "drop-oldest": DropOldest,
}


def stream_store(file: StreamFile) -> StoreSection | str:
    """Return where messages land.

    Raises:
        InputError: The file has no ``[store]``.
    """
    if file.store is None:
        raise InputError("section [store] is missing: it says where messages land")
    return file.store


def build_stream(
    file: StreamFile, *, cursor: Cursor | None = None, events: Events | None = None
) -> Stream[bytes]:
    """Return the stream the file describes, to go on after ``cursor``; secrets are read now.

    Raises:
        InputError: A value cannot be, or a secret is not there.
    """
    section = revealed(file.stream)
    if is_reference(file.stream.url) and not section.url.startswith(_URLS):
        raise InputError(f"stream.url: what {file.stream.url} holds is not a URL")
    preset = check_stream(section)
    return Stream(
        _request(section),
        preset=preset,
        auth=None if section.auth is None else build_auth(section.auth, "stream.auth"),
        framing=_framing(section),
        into=bytes,
        decode=section.decode,
        max_message=section.max_message,
        open=[_opening(message) for message in section.open],
        policy=_policy(section, preset),
        cursor=cursor,
        overflow=_OVERFLOWS[section.overflow](section.buffer),
        headers=section.headers or None,
        profile=_profile(section),
        events=events,
    )


def check_stream(section: StreamSection) -> Preset:
    """Return the preset; refuse names that are none, and a body where there can be none.

    Raises:
        InputError: Something of it cannot be.
    """
    if not section.url.startswith(_URLS) and not is_reference(section.url):
        shorter = hide(section.url)[:80]
        raise InputError(f"stream.url: {shorter!r} is not a URL: it begins with https://")
    if section.method == "GET" and (section.form is not None or section.json is not None):
        raise InputError('stream: form and json are sent with method = "POST"')
    if section.form is not None and section.json is not None:
        raise InputError("stream: give one of form and json")
    try:
        _framing(section)
        preset = _preset(section.preset)
    except InputError as error:
        raise InputError(f"stream: {error}") from error
    if section.deletes and section.on_same == "keep":
        raise InputError('stream: deletes needs one record for each id: on_same = "first"')
    if section.open and not (preset.websocket or section.url.startswith(("ws", "env:", "file:"))):
        raise InputError("stream.open: it is what a WebSocket sends: its URL begins with wss://")
    if section.ends is not None:
        others = tuple(sign for sign in preset.signs if sign.then is not Action.END)
        preset = replace(preset, signs=others).ending_at(*section.ends)
    if section.each is not None or section.base64:
        each = section.each or preset.each
        preset = replace(preset, each=each, base64=tuple(section.base64), unknown=False)
    preset = replace(preset, id=_id(section, preset))
    on_same = section.on_same or preset.usual
    repeats = preset.repeats if section.repeat is None else section.repeat
    return replace(preset, once=section.once, repeats=repeats, on_same=on_same)


def on_same_of(section: StreamSection, store: object) -> OnSame:
    """Return what becomes of a message whose id landed before, and set ``store`` to do it.

    Raises:
        InputError: The file asks for what the store cannot do.
    """
    wanted = check_stream(section).on_same
    if section.on_same is None and getattr(store, "takes_again", False):
        return "replace"  # the store was set already
    if wanted not in ("replace", "history"):
        return wanted
    keep: Callable[[str], object] | None = getattr(store, "keep", None)
    if keep is not None:
        keep(wanted)
        return wanted
    if section.on_same is not None:
        raise InputError(f'stream.on_same: this store keeps the "first", and cannot {wanted}')
    return "first"


def _id(section: StreamSection, preset: Preset) -> tuple[str, ...]:
    if section.id is not None:
        return (section.id,) if isinstance(section.id, str) else section.id
    of_each = section.deletes or section.on_same in ("first", "replace")  # not of each change
    return preset.key if of_each else preset.id


def _opening(message: str | dict[str, object]) -> str:
    return message if isinstance(message, str) else msgspec.json.encode(message).decode()


def _preset(section: PresetSection | str) -> Preset:
    """Return the preset of that name, or the one that a table makes of another."""
    if isinstance(section, str):
        return PRESET_KINDS.find(section)
    keys = {name: getattr(section, name) for name in section.__struct_fields__ if name != "like"}
    given = {name: value for name, value in keys.items() if value is not None}
    if section.signs is not None:
        given["signs"] = tuple(value_of(ControlMessage, sign) for sign in section.signs)
    if section.resume is not None:
        given["resume"] = build(RESUMES, section.resume, Site(), "stream.preset.resume")
    return replace(PRESET_KINDS.find(section.like), **given)


def _framing(section: StreamSection) -> str | Framer | None:
    told = section.framing
    if isinstance(told, str):
        FRAMING_KINDS.find(told)
    if told is None or isinstance(told, str):
        return told
    if (told.end is None) is (told.size is None):
        raise InputError("framing: give one of end and size")
    if told.size is not None:
        return prefixed(told.size, told.order, section.max_message)
    return delimited((told.end or "").encode(), section.max_message)


def _request(section: StreamSection) -> Request:
    query = dict(section.query) or None
    if section.method == "GET":
        return Get(section.url, query=query)
    body = msgspec.UNSET if section.json is None else section.json
    return Post(section.url, query=query, form=section.form, json=body)


def _policy(section: StreamSection, preset: Preset) -> ReconnectPolicy:
    policy = preset.policy
    if section.reconnect is None:
        return policy
    told = msgspec.structs.asdict(section.reconnect)
    windows = (ConnectionWindow(told.pop("connects"), told.pop("per")), *policy.windows[1:])
    given = {name: value for name, value in told.items() if value is not None}
    return replace(policy, windows=windows, **given)


def _profile(section: StreamSection) -> Profile:
    names = ("connect", "proxy", "verify", "ca_file", "cert", "key", "unix_socket", "stall")
    told = {name: getattr(section, name) for name in names}
    if section.stall is None:
        del told["stall"]  # the preset's
    return Profile(**told)
