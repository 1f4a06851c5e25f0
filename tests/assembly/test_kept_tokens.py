"""Refresh tokens that were rotated: the next run begins with the new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.assembly.kept_tokens import keeping, latest, place_of
from penstock.errors import InputError


def test_a_token_of_a_variable_is_kept_beside_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was kept in memory only: the run of the next day was refused (invalid_grant)."""
    monkeypatch.setenv("REFRESH", "r0")
    place = place_of("env:REFRESH", tmp_path / "store", tmp_path)
    assert place == tmp_path / "store.refresh-token"
    said: list[str] = []
    keeping("env:REFRESH", place, said.append)("r1")
    assert latest("env:REFRESH", place) == "r1"
    assert place.stat().st_mode & 0o777 == 0o600
    assert str(place) in said[0]
    assert "r1" not in said[0]
    monkeypatch.setenv("REFRESH", "new")  # somebody signed in again
    assert latest("env:REFRESH", place) == "new"
    place.write_text("nonsense")
    with pytest.raises(InputError, match="is not a refresh token"):
        latest("env:REFRESH", place)


def test_a_token_of_a_file_is_written_back_to_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("r0\n")
    source = f"file:{file}"
    assert place_of(source, tmp_path / "store", tmp_path) == file
    keeping(source, file, lambda _: None)("r1")
    assert (file.read_text(), latest(source, file)) == ("r1", "r1")
    assert file.stat().st_mode & 0o777 == 0o600
