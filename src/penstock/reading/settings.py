"""What the reader chooses: line width, guide, device. The rules are tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

from penstock.errors import InputError

__all__ = ["DEVICES", "GUIDES", "PRESETS", "Device", "Guide", "Look", "parse_width"]

Guide: TypeAlias = Literal["bold", "colour", "underline", "none"]
GUIDES: tuple[Guide, ...] = ("bold", "colour", "underline", "none")

# Characters a line. 30 is the width of the symmetric window below which reading slows down in
# moving-window studies of English; words are not *identified* that far from the fixation.
PRESETS = {"glance": 18, "span": 30, "comfort": 40}
NARROWEST, WIDEST = 8, 90


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a reading device lets a book do.

    Attributes:
        name: As given on the command line.
        guides: Guides that survive on it.
        shifts: Whether it keeps small margins on inline text, which ``align`` needs.
        why: Why the other guides are refused, for the error text.
    """

    name: str
    guides: tuple[Guide, ...]
    shifts: bool
    why: str = ""


DEVICES = {
    device.name: device
    for device in (
        Device(
            name="kindle",
            guides=("bold", "none"),
            shifts=False,
            why="Kindle removes colours, underlines links only and trims margins",
        ),
        Device(name="kobo", guides=GUIDES, shifts=True),
        Device(name="koreader", guides=GUIDES, shifts=True),
        Device(name="web", guides=GUIDES, shifts=True),
    )
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How lines are made. Immutable; checked when made.

    Attributes:
        width: Characters a line (wide East Asian characters count two), or em when ``em`` is True.
        em: Whether ``width`` is in em, measured with the bold face of the guide.
        guide: How the word nearest the axis is marked.
        align: Whether each line is shifted so that the guide sits on the axis.
        phrases: Whether lines end at phrases; False fills each line greedily.
        hyphenate: Whether long words are hyphenated where the language's rules are known.
        device: The profile of the device, or None for what every reader can show.

    Raises:
        InputError: The width is out of range or the device cannot show the guide.

    >>> Look().width
    30
    >>> Look(guide="colour", device=DEVICES["kindle"])
    Traceback (most recent call last):
    ...
    penstock.errors.InputError: guide colour does not survive on kindle (Kindle removes colours,
    underlines links only and trims margins): use bold, none
    """

    width: float = PRESETS["span"]
    em: bool = False
    guide: Guide = "bold"
    align: bool = False
    phrases: bool = True
    hyphenate: bool = True
    device: Device | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be shown."""
        low, high = (5, 50) if self.em else (NARROWEST, WIDEST)
        if not low <= self.width <= high:
            unit = "em" if self.em else "characters"
            raise InputError(f"width {self.width:g} {unit}: use {low} to {high}")
        device = self.device
        if device and self.guide not in device.guides:
            raise InputError(
                f"guide {self.guide} does not survive on {device.name} ({device.why}): "
                f"use {', '.join(device.guides)}"
            )
        if self.align and device and not device.shifts:
            raise InputError(f"align does not survive on {device.name}: {device.why}")
        if self.align and self.guide == "none":
            raise InputError("align guide needs a guide: use bold, colour or underline")


def parse_width(text: str) -> tuple[float, bool]:
    """Read a width: ``30``, ``17em`` or a preset's name. Return the number and whether it is em.

    Raises:
        InputError: It is none of these.

    >>> parse_width("17em"), parse_width("glance")
    ((17.0, True), (18, False))
    """
    if text in PRESETS:
        return PRESETS[text], False
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(em|ch)?", text)
    if not match or (match[2] != "em" and "." in match[1]):
        raise InputError(
            f"width {text!r}: write characters (30), em (17em) or one of {', '.join(PRESETS)}"
        )
    return (float(match[1]), True) if match[2] == "em" else (int(match[1]), False)
