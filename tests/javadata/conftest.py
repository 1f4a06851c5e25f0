"""The JDK the tests measure themselves against."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.ready import ready

JAVA_SOURCES = Path(__file__).with_name("java")
Java = Callable[..., bytes]


@pytest.fixture(scope="session")
def java(tmp_path_factory: pytest.TempPathFactory) -> Java:
    """Run a class of ``java/`` with arguments and standard input; returns its output."""
    compiler = ready("JDK")
    classes = tmp_path_factory.mktemp("classes")
    sources = [str(path) for path in JAVA_SOURCES.glob("*.java")]
    subprocess.run([str(compiler), "-d", str(classes), *sources], check=True)

    def run(name: str, *arguments: str, data: bytes = b"") -> bytes:
        command = ["java", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", str(classes), name]
        done = subprocess.run(
            [*command, *arguments], input=data, check=True, stdout=subprocess.PIPE
        )
        return done.stdout

    return run


@pytest.fixture(scope="session")
def java_home() -> Path:
    return ready("JDK").resolve().parent.parent
