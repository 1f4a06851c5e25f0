"""An error injected at every system call of a store's life: it ends right, and goes on afterwards.

The calls are made to fail by a library of our own, loaded before libc (LD_PRELOAD): the Nth of them
returns an error. With PENSTOCK_FAULTS=all every single call is tried, else a sample.
"""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.store import LocalStore, verify_store

FAIL = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static long count, wanted = -1;
static int error;

static int fails(const char *name) {
    const char *which = getenv("FAIL_CALL");
    int dies = which && !strcmp(which, "every");  // the file system, with this call and all after
    if (!which || (!dies && strcmp(which, name)) || !getenv("FAIL_ON")) return 0;
    if (wanted < 0) { wanted = atol(getenv("FAIL_AT")); error = atoi(getenv("FAIL_ERROR")); }
    if (++count != wanted && !(dies && count > wanted)) return 0;
    errno = error;
    return 1;
}
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
int fsync(int f) { return fails("fsync") ? -1 : REAL(fsync)(f); }
int fdatasync(int f) { return fails("fdatasync") ? -1 : REAL(fdatasync)(f); }
int ftruncate(int f, off_t n) { return fails("ftruncate") ? -1 : REAL(ftruncate)(f, n); }
int ftruncate64(int f, off64_t n) { return fails("ftruncate") ? -1 : REAL(ftruncate64)(f, n); }
int flock(int f, int how) { return fails("flock") ? -1 : REAL(flock)(f, how); }
int unlink(const char *p) { return fails("unlink") ? -1 : REAL(unlink)(p); }
int mkdir(const char *p, mode_t m) { return fails("mkdir") ? -1 : REAL(mkdir)(p, m); }
int rename(const char *a, const char *b) { return fails("rename") ? -1 : REAL(rename)(a, b); }
ssize_t writev(int f, const struct iovec *v, int n) {
    return fails("writev") ? -1 : REAL(writev)(f, v, n);
}
ssize_t pwrite(int f, const void *b, size_t n, off_t o) {
    return fails("pwrite") ? -1 : REAL(pwrite)(f, b, n, o);
}
ssize_t pwrite64(int f, const void *b, size_t n, off64_t o) {
    return fails("pwrite") ? -1 : REAL(pwrite64)(f, b, n, o);
}
static int mode_of(int flags, va_list list) { return flags & O_CREAT ? va_arg(list, int) : 0; }
int open(const char *p, int flags, ...) {
    va_list l; va_start(l, flags); int m = mode_of(flags, l); va_end(l);
    return fails("open") ? -1 : REAL(open)(p, flags, m);
}
int open64(const char *p, int flags, ...) {
    va_list l; va_start(l, flags); int m = mode_of(flags, l); va_end(l);
    return fails("open") ? -1 : REAL(open64)(p, flags, m);
}
"""

LIFE = r"""
import json, os, sys
from penstock.errors import PenstockError
from penstock.pipeline.result import Deletion, Failing, Landing, Mark
from penstock.destinations import export
from penstock.store import LocalStore, open_readonly
from penstock.locks import LockerRoom

safe = 0

def durable(count):
    global safe
    safe += count

def life(path):
    with LockerRoom(path + ".locks") as room:
        held = room.lock("run")
        with LocalStore(path, segment_bytes=600) as store:
            for key in range(12):
                store.settle([Landing(key, b'{"n":%d}' % key)], durable)
                store.flush()
            store.settle([Failing(12, "E", "m"), Mark("m", "1"), Deletion(3)], lambda count: None)
        with open_readonly(path) as reader:
            export(reader, "csv", path + ".csv", force=True)
        held.release()

def lived(path, call, at, error):
    words = open(path + ".words", "w+")
    os.dup2(words.fileno(), 2)
    os.environ.update(FAIL_CALL=call, FAIL_AT=str(at), FAIL_ERROR=str(error), FAIL_ON="1")
    code = 0
    try:
        life(path)
    except PenstockError as error:
        assert "\n" not in str(error)
        code = error.exit_code
    except OSError as error:
        code = 4  # as the program ends, with one line
    finally:
        del os.environ["FAIL_ON"]
    return code

life(sys.argv[1])  # once: what is imported late is there
for line in sys.stdin:
    safe, case = 0, json.loads(line)
    (reads, writes), child = os.pipe(), os.fork()
    if not child:
        try:
            os.write(writes, json.dumps([lived(*case), safe]).encode())
        except BaseException:
            import traceback
            traceback.print_exc()
        os._exit(0)
    os.close(writes)
    os.waitpid(child, 0)
    said = os.read(reads, 100).decode() or "[-1, 0]"
    os.close(reads)
    print(said, flush=True)
"""

CALLS = {
    "open": (24, 13, 28),
    "fsync": (5, 22),
    "fdatasync": (5, 28),
    "ftruncate": (5,),
    "flock": (37, 95),
    "unlink": (5,),
    "mkdir": (28, 30),
    "rename": (5,),
    "writev": (28, 5, 122),
    "pwrite": (28, 5),
}


class Lives:
    """A process that has imported all, and lives each life in a child of its own."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None or sys.platform != "linux":
            pytest.skip("errors are injected on Linux, where there is a C compiler")
        (folder / "fail.c").write_text(FAIL)
        made, source = folder / "fail.so", str(folder / "fail.c")
        command = [compiler, "-shared", "-fPIC", "-w", "-O1", "-o", str(made), source, "-ldl"]
        subprocess.run(command, check=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", LIFE, str(folder / "first")],
            env={**os.environ, "LD_PRELOAD": str(made)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def live(self, path: Path, call: str, at: int, error: int) -> tuple[int, int, str]:
        """Live a life in which a call fails; return the exit code, what is safe, and the words."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([str(path), call, at, error]) + "\n")
        self.process.stdin.flush()
        code, safe = json.loads(self.process.stdout.readline())
        return code, safe, Path(f"{path}.words").read_text()


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    lives = Lives(tmp_path_factory.mktemp("lives"))
    with lives.process:
        yield lives
        lives.process.stdin.close()  # type: ignore[union-attr] # it is a pipe


def cases() -> list[tuple[str, int, int]]:
    everything = [
        (call, at, error)
        for call, errors in CALLS.items()
        for error in errors
        for at in range(1, 41 if call in {"open", "pwrite", "fdatasync"} else 16)
    ]
    if os.environ.get("PENSTOCK_FAULTS") == "all":
        return everything
    return random.sample(everything, 24)


def deaths() -> list[tuple[str, int, int]]:
    """Return moments from which on every call fails: EIO, or EROFS after an error of ext4."""
    whole = os.environ.get("PENSTOCK_FAULTS") == "all"
    moments = range(1, 200, 3) if whole else random.sample(range(1, 200), 8)
    return [("every", at, random.choice([5, 30])) for at in moments]


@pytest.mark.parametrize("some", [cases, deaths])
def test_errors_of_system_calls_end_right_and_the_next_run_goes_on(
    lives: Lives, tmp_path: Path, some: Callable[[], list[tuple[str, int, int]]]
) -> None:
    for number, (call, at, error) in enumerate(some()):
        case = (call, at, error)
        path = tmp_path / str(number) / "store"
        path.parent.mkdir()
        code, safe, words = lives.live(path, call, at, error)
        assert code in {0, 2, 4}, (case, words)
        assert "Traceback" not in words, (case, words)
        if path.exists():
            with LocalStore(path) as store:
                there = {int(record.key) for record in store.records()}
                assert {*range(safe)} <= {*there, 3}, case
                for key in store.claim(range(12)):
                    assert key not in there, case
        code, safe, words = lives.live(path, "", 1, 0)
        assert code == 0, (case, words)
        assert not verify_store(path).damages, case
