"""Stages and uses of a pipeline file, made of its sections; the rooms are imported here and now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

from penstock.assembly.editions import Editions
from penstock.assembly.java_files import JavaFile
from penstock.assembly.label_stage import load_labelling
from penstock.assembly.risk_use import RiskWatch
from penstock.assembly.room_sections import (
    EditionUse,
    JavaDataUse,
    LabelStage,
    RiskUse,
    StageSection,
    UseSection,
)
from penstock.assembly.sections import PagesSource, PipelineFile
from penstock.assembly.stream_sections import StreamFile
from penstock.errors import InputError
from penstock.events import Events
from penstock.pipeline import Stage, Use
from penstock.store import StoreReader

__all__ = ["build_stages", "build_uses", "describe_stage"]


def build_stages(file: PipelineFile | StreamFile, folder: Path) -> list[Stage[object, object]]:
    """Return the stages between fetch and landing, in the order of the file.

    Raises:
        InputError: One of them cannot be.
        MissingExtra: A library is not installed that one of them needs.
    """
    return [_stage(section, folder) for section in file.stage]


def _stage(section: StageSection, folder: Path) -> Stage[object, object]:
    match section:
        case LabelStage():
            return load_labelling(section, folder)
        case _:
            assert_never(section)


def describe_stage(section: StageSection) -> str:
    """Return what a stage does, in words."""
    match section:
        case LabelStage():
            return f"label: by {section.model}, as {section.field!r}"
        case _:
            assert_never(section)


def build_uses(
    file: PipelineFile | StreamFile, folder: Path, events: Events
) -> list[Use[StoreReader]]:
    """Return the uses of what lands, in the order of the file.

    Raises:
        InputError: One of them cannot be.
        MissingExtra: A library is not installed that one of them needs.
    """
    _check_places(file.use)
    return [_use(section, file, folder, events) for section in file.use]


def _check_places(sections: Sequence[UseSection]) -> None:
    places = [s.path if not isinstance(s, EditionUse) else f"{s.folder}/{s.name}" for s in sections]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise InputError(f"two uses write to {place}: give each its own")


def _use(
    section: UseSection, file: PipelineFile | StreamFile, folder: Path, events: Events
) -> Use[StoreReader]:
    match section:
        case RiskUse():
            _check_order(file)
            return RiskWatch(section, folder, events)
        case EditionUse():
            return Editions(section, folder, events)
        case JavaDataUse():
            return JavaFile(section, folder)
        case _:
            assert_never(section)


def _check_order(file: PipelineFile | StreamFile) -> None:
    """Refuse to measure risk over records that land in whatever order answers come."""
    if isinstance(file, StreamFile):
        return
    rows_land = isinstance(file.source, PagesSource) and file.request is None
    if not rows_land and file.api.concurrency > 1:
        raise InputError(
            "use risk takes records in the order they land: set api.concurrency = 1, or let rows "
            "of pages land"
        )
