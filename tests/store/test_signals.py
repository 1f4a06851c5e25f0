"""Ctrl-C on a slow disk: a second one ends the command at once, also in the midst of an fsync."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.pipeline import Landing
from penstock.store import LocalStore, verify_store

SLOW = r"""
#include <unistd.h>
static int slow(void) {
    unsigned left = 600;
    write(1, "syncing\n", 8);
    while (left) left = sleep(left);  // a signal does not end a system call of a dying disk
    return 0;
}
int fsync(int file) { return slow(); }
int fdatasync(int file) { return slow(); }
"""
COMMANDS = {
    "export": ("export", "store", "--to", "csv", "-o", "x.csv"),
    "backup": ("backup", "store", "copy"),
    "repair": ("repair", "store"),
}


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None,
    reason="calls are made slow on Linux, where there is a C compiler",
)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_second_ctrl_c_ends_a_command_within_a_slow_fsync(name: str, tmp_path: Path) -> None:
    with LocalStore(tmp_path / "store") as store:
        store.settle([Landing(key, b"{}") for key in range(9)], lambda _: None)
    if name == "repair":
        (tmp_path / "store" / "ledger.sqlite").unlink()
    (tmp_path / "slow.c").write_text(SLOW)
    command = ["cc", "-shared", "-fPIC", "-w", "-o", "slow.so", "slow.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    program = [sys.executable, "-m", "penstock", *COMMANDS[name]]
    environment = {"LD_PRELOAD": str(tmp_path / "slow.so")}
    with subprocess.Popen(
        program, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "syncing\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)  # two of one kind that wait are one for the system
        assert process.wait(60) in {128 + signal.SIGINT, 128 + signal.SIGTERM}
    # What was begun is swept by the next one.
    done = subprocess.run(
        [sys.executable, "-m", "penstock", *COMMANDS[name]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (name == "repair"), done.stderr  # the old ledger is lost
    assert verify_store(tmp_path / "store").lines == 9
    assert not [*tmp_path.glob(".x.csv.*"), *tmp_path.glob("store/*.repaired*")]
