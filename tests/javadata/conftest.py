"""The JDK the tests measure themselves against; installed where that is allowed."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

JAVA_SOURCES = Path(__file__).with_name("java")
Java = Callable[..., bytes]


def missing(what: str) -> None:
    """Skip the test in one visible line; where everything must be there, fail."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def install_jdk() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        subprocess.run([*apt, "update"], check=False, capture_output=True)
        packages = ["--no-install-recommends", "default-jdk-headless"]
        subprocess.run([*apt, "install", "-y", *packages], check=False, capture_output=True)


@pytest.fixture(scope="session")
def java(tmp_path_factory: pytest.TempPathFactory) -> Java:
    """Run a class of ``java/`` with arguments and standard input; returns its output."""
    shared = tmp_path_factory.getbasetemp().parent
    with (shared / "jdk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers, one installation
        if not shutil.which("javac"):
            install_jdk()
    if not shutil.which("javac"):
        missing("no JDK: install one (Debian: apt-get install default-jdk-headless)")
    classes = tmp_path_factory.mktemp("classes")
    sources = [str(path) for path in JAVA_SOURCES.glob("*.java")]
    subprocess.run(["javac", "-d", str(classes), *sources], check=True)

    def run(name: str, *arguments: str, data: bytes = b"") -> bytes:
        command = ["java", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", str(classes), name]
        done = subprocess.run(
            [*command, *arguments], input=data, check=True, stdout=subprocess.PIPE
        )
        return done.stdout

    return run


@pytest.fixture(scope="session")
def java_home(java: Java) -> Path:  # noqa: ARG001 - installs it where it is missing
    javac = shutil.which("javac")
    assert javac is not None
    return Path(javac).resolve().parent.parent
