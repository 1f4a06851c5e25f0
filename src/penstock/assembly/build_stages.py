"""Stages and uses of a pipeline file, made of its sections; a room is imported when it is built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from penstock.assembly.editions import Editions
from penstock.assembly.java_files import JavaFile
from penstock.assembly.kept_table import KeptTable
from penstock.assembly.kinds import STAGES, USES, Kind, Section, Site, build
from penstock.assembly.label_stage import load_labelling
from penstock.assembly.neural_use import NeuralTraining
from penstock.assembly.risk_use import RiskWatch
from penstock.assembly.room_sections import (
    EditionUse,
    JavaDataUse,
    LabelStage,
    NeuralUse,
    RiskUse,
)
from penstock.assembly.sections import PagesSource, PipelineFile, StoreSection
from penstock.assembly.stream_sections import StreamFile
from penstock.errors import InputError, PenstockError
from penstock.events import Events
from penstock.pipeline import Stage, Use
from penstock.store import StoreReader


def build_stages(file: PipelineFile | StreamFile, folder: Path) -> list[Stage[object, object]]:
    """Return the stages between fetch and landing, in the order of the file.

    Raises:
        InputError: One of them cannot be.
        MissingExtra: A library is not installed that one of them needs.
    """
    site = Site(folder, file=file)
    stages = [build(STAGES, section, site, "stage") for section in file.stage]
    return [cast("Stage[object, object]", _guarded(stage, "stage")) for stage in stages]


def build_uses(
    file: PipelineFile | StreamFile, folder: Path, events: Events
) -> list[Use[StoreReader]]:
    """Return the uses of what lands, in the order of the file.

    Raises:
        InputError: One of them cannot be.
        MissingExtra: A library is not installed that one of them needs.
    """
    _check_places(file.use)
    site = Site(folder, events, file)
    uses = [cast("Use[StoreReader]", build(USES, section, site, "use")) for section in file.use]
    history = isinstance(file.store, StoreSection) and file.store.on_same == "history"
    return [*uses, *(KeptTable(one, folder, events, versions=history) for one in file.destination)]


def _guarded(act: object, what: str) -> Callable[[object], object]:
    """Return a stage whose own mistakes end the run in one line, as bad input does."""

    def guarded(taken: object) -> object:
        try:
            return cast("Callable[[object], object]", act)(taken)
        except PenstockError:
            raise
        except Exception as error:  # whatever another's code may raise
            told = f"{what} {act!r}: {type(error).__name__}: {error}; what landed is safe"
            raise InputError(told) from error

    return guarded


def _check_places(sections: Sequence[Section]) -> None:
    found = [getattr(one, "target", getattr(one, "path", None)) for one in sections]
    places = [place for place in found if place is not None]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise InputError(f"two uses write to {place}: give each its own path")


def _label(section: LabelStage, site: Site) -> Stage[object, object]:
    return load_labelling(section, site.folder)


def _described(section: LabelStage) -> str:
    return f"label: by {section.model}, as {section.field!r}"


def _risk(section: RiskUse, site: Site) -> Use[StoreReader]:
    """Refuse to measure risk over records that land in whatever order answers come."""
    file = site.file
    if isinstance(file, PipelineFile):
        rows_land = isinstance(file.source, PagesSource) and file.request is None
        if not rows_land and file.api.concurrency > 1:
            raise InputError(
                "use risk takes records in the order they land: set api.concurrency = 1, or let "
                "rows of pages land"
            )
    return RiskWatch(section, site.folder, site.events or Events())


def _neural(section: NeuralUse, site: Site) -> Use[StoreReader]:
    return NeuralTraining(section, site.folder, site.events or Events())


def _edition(section: EditionUse, site: Site) -> Use[StoreReader]:
    return Editions(section, site.folder, site.events or Events())


def _java(section: JavaDataUse, site: Site) -> Use[StoreReader]:
    return JavaFile(section, site.folder)


LABEL = Kind("label", LabelStage, _label, _described)
RISK = Kind("risk", RiskUse, _risk)
NEURAL = Kind("neural", NeuralUse, _neural)
EDITION = Kind("edition", EditionUse, _edition)
JAVADATA = Kind("javadata", JavaDataUse, _java)
