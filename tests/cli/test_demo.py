"""The main job: a faulty harvest that proves itself."""

from __future__ import annotations

from pathlib import Path

from .conftest import Penstock


def test_the_demo_lands_everything_and_proves_it(penstock: Penstock, tmp_path: Path) -> None:
    ended = penstock("demo", "--users", 300, "--store", tmp_path / "d", "--json")
    assert ended.code == 0, ended.err
    proof = ended.last
    assert list(proof) == [
        "items",
        "landed",
        "failed",
        "lost",
        "duplicated",
        "overspent",
        "retries",
        "too_many_requests",
        "seconds",
    ]
    assert (proof["items"], proof["landed"], proof["failed"]) == (300, 300, 0)
    assert (proof["lost"], proof["duplicated"], proof["overspent"]) == (0, 0, 0)
    assert isinstance(proof["retries"], int)
    assert proof["retries"] > 5
    assert penstock("check", tmp_path / "d" / "pipeline.toml").code == 0
    told = penstock("demo", "--users", 100, "--store", tmp_path / "d", "--quiet")
    assert "landed, equal byte for byte        100" in told.out


def test_the_demo_does_not_touch_a_folder_that_is_not_its_own(
    penstock: Penstock, tmp_path: Path
) -> None:
    (tmp_path / "precious.txt").write_text("x")
    ended = penstock("demo", "--store", tmp_path)
    assert ended.code == 2
    assert "holds other files" in ended.line
    assert (tmp_path / "precious.txt").exists()
