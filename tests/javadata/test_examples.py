"""The schema files of examples/javadata, over files that other programs made.

keytool and the JDK make theirs here; ``data/`` holds what Guava 31.1, JaCoCo 0.8.6, ImageJ 1.53t,
Hadoop 3.3.4, anvil-parser2 0.10.6, kafka-python 3.0.12 and maven-indexer 6.2.2 wrote; the rest is
written by java/Formats.java after each format's own description. test_nbt.py has files of a game.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import subprocess
import sys
import zlib
from pathlib import Path

from tests.ready import ready

from penstock.javadata import DataInputStream, Schema, from_plain, parse_schema, to_plain
from penstock.javadata.core import Row
from penstock.javadata.detection import HEAD, hint, unwrapped
from penstock.javadata.inner_rows import InnerRows

from .conftest import Java

EXAMPLES = Path(__file__).parents[2] / "examples" / "javadata"
DATA = Path(__file__).with_name("data")


def schema(name: str) -> Schema[Row]:
    return parse_schema((EXAMPLES / f"{name}.schema").read_text(encoding="utf-8"))


def there_and_back(name: str, data: bytes) -> list[dict[str, object]]:
    """Return the records as JSON has them; they come back from it, and as the same bytes."""
    compiled = schema(name)
    rows = compiled.decode(data)
    assert compiled.encode(rows) == data
    shown = [to_plain(row, compiled) for row in rows]
    assert [from_plain(each, compiled) for each in shown] == rows
    return shown  # type: ignore[return-value] # records are objects


def test_every_example_is_a_schema() -> None:
    for path in EXAMPLES.glob("*.schema"):
        text = str(schema(path.stem))
        assert str(parse_schema(text)) == text


def test_a_keystore_of_keytool(tmp_path: Path) -> None:
    keytool = ready("JDK").resolve().with_name("keytool")
    store = tmp_path / "keys.jks"
    secret = ["-storetype", "JKS", "-keystore", str(store), "-storepass", "secret1"]
    for alias, more in (("é", ["-keypass", "secret1"]), ("second", ["-keypass", "secret1"])):
        key = ["-genkeypair", "-keyalg", "EC", "-alias", alias, "-dname", "CN=x", *more]
        subprocess.run([str(keytool), *key, *secret], check=True, capture_output=True)
    data = store.read_bytes()
    (shown,) = there_and_back("jks", data)
    assert {entry["alias"] for entry in shown["entries"]} == {"é", "second"}  # type: ignore[attr-defined]
    digest = hashlib.sha1("secret1".encode("utf-16-be") + b"Mighty Aphrodite" + data[:-20])
    assert shown["digest"] == digest.hexdigest()


def test_the_time_zones_of_the_jdk(java_home: Path) -> None:
    data = (java_home / "lib" / "tzdb.dat").read_bytes()
    (shown,) = there_and_back("tzdb", data)
    assert shown["name"] == "TZDB"
    assert "Europe/Stockholm" in shown["regions"]  # type: ignore[operator]


def test_a_region_file_its_chunk_and_the_tree_in_it(java: Java) -> None:
    data = java("Formats", "region")
    stream = DataInputStream(data)
    (header,) = schema("region").records(stream, count=1)
    places = header._asdict()["places"]  # type: ignore[attr-defined]
    (sector,) = [place >> 8 for place in places if place]
    stream.skip_bytes(sector * 4096 - stream.offset)
    (chunk,) = schema("chunk").records(stream, count=1)
    tree = zlib.decompress(to_bytes(chunk))
    (shown,) = there_and_back("nbt", tree)
    tags = {tag["name"]: tag for tag in shown["root"]["tags"]}  # type: ignore[index]
    assert tags["xPos"]["value"] == -7
    lists = tags["Lists"]["value"]["values"][0]
    assert [each["value"] for each in lists["values"]] == ["a\0", "😀"]
    assert tags["Level"]["value"]["tags"][0]["value"] == [1, -(2**63)]


def to_bytes(chunk: Row) -> bytes:
    data: bytes = chunk[0].data  # type: ignore[attr-defined]
    return data


def test_a_region_file_of_another_program() -> None:
    data = gzip.decompress((DATA / "region.mca.gz").read_bytes())
    (header,) = schema("region").records(io.BytesIO(data), count=1)
    places = [place >> 8 for place in header._asdict()["places"] if place]  # type: ignore[attr-defined]
    assert len(places) == 2
    for sector in places:
        (chunk,) = schema("chunk").records(io.BytesIO(data[sector * 4096 :]), count=1)
        (shown,) = there_and_back("nbt", zlib.decompress(to_bytes(chunk)))
        assert shown["root"]["tags"][0]["name"] == "DataVersion"  # type: ignore[index]


def test_a_maven_index_row_by_row() -> None:
    """maven-indexer's scanner found three artifacts in a repository; its writer packed them."""
    data = gzip.decompress((DATA / "maven-index.gz").read_bytes())
    (shown,) = there_and_back("maven-index", data)
    rows = list(InnerRows(schema("maven-index"), "documents").records(data))
    documents = [{field.name: field.value for field in row.fields} for row in rows]  # type: ignore[attr-defined]
    assert len(documents) == len(shown["documents"]) == 8  # type: ignore[arg-type]
    assert documents[0] == {"DESCRIPTOR": "NexusIndex", "IDXINFO": "1.0|example"}
    assert documents[1]["u"] == "org.example|waage|1.0|NA|jar"
    assert documents[1]["d"] == "Wiegt Größen \N{SNAIL} genau"
    assert documents[-1] == {"rootGroups": "rootGroups", "rootGroupsList": "org|net"}


def test_execution_data_of_jacoco() -> None:
    (shown,) = there_and_back("jacoco", (DATA / "jacoco.exec").read_bytes())
    blocks: list[dict[str, object]] = shown["blocks"]  # type: ignore[assignment]
    assert set(blocks[0]) == {"magic", "version"}
    names = [block["name"] for block in blocks if "name" in block]
    assert names == ["Covered"]
    (found,) = [block for block in blocks if "name" in block]
    assert any(found["hits"])  # type: ignore[arg-type]


def test_a_sequence_file_with_its_sync_marks() -> None:
    (shown,) = there_and_back("sequence-file", (DATA / "hadoop.seq").read_bytes())
    assert shown["metadata"] == [{"name": "made", "value": "é"}]
    records: list[dict[str, object]] = shown["records"]  # type: ignore[assignment]
    pairs = [record["data"] for record in records if "data" in record]
    assert [pair["value"] for pair in pairs] == list(range(5))  # type: ignore[index]
    assert [pair["key"]["text"] for pair in pairs] == ["kéy" * (n * 12) for n in range(5)]  # type: ignore[index]
    assert [record.get("mark") for record in records][3] == shown["sync"]


def test_a_region_of_interest_of_imagej() -> None:
    (shown,) = there_and_back("imagej-roi", (DATA / "polygon.roi").read_bytes())
    assert [shown[edge] for edge in ("top", "left", "bottom", "right")] == [-5, 10, 20, 40]
    assert (shown["xs"], shown["ys"]) == ([0, 15, 30], [0, 25, 5])
    assert "tri\u00e9".encode("utf-16-be").hex() in str(shown["rest"])


def test_frames_with_a_client_or_none(java: Java) -> None:
    frames = there_and_back("kafka-frames", java("Formats", "kafka"))
    assert [each["frame"]["client"] for each in frames] == ["me", None]  # type: ignore[index]
    frames = there_and_back("kafka-frames", (DATA / "kafka.frames").read_bytes())
    asked = [(each["frame"]["api"], each["frame"]["client"]) for each in frames]  # type: ignore[index]
    assert asked == [(18, "kafka-python-3.0.12")] * 2  # which versions a broker has


def test_what_guava_wrote_in_little_endian() -> None:
    rows = there_and_back("guava", (DATA / "guava.bin").read_bytes())
    assert [row["number"] for row in rows] == [-5, 999_998, 2_000_001]
    assert [row["big"] for row in rows] == [-(2**63) + n for n in range(3)]
    assert [row["real"] for row in rows] == [0.0, 1 / 3, 2 / 3]
    assert [row["letter"] for row in rows] == ["a", "b", "c"]


def test_checked_rows_of_java(java: Java) -> None:
    compiled = parse_schema("id: int, name: utf, sum: crc32[*]")
    data = java("Formats", "checked")
    rows = compiled.decode(data)
    assert [row[:2] for row in rows] == [(n, f"row{n}") for n in range(10)]
    assert compiled.encode([compiled.made._make((*row[:2], None)) for row in rows]) == data  # type: ignore[attr-defined]


def command(*arguments: object, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    line = [sys.executable, "-m", "penstock.cli.main", "javadata", *map(str, arguments)]
    return subprocess.run(line, input=data, capture_output=True, check=False)


def test_values_of_an_object_output_stream(java: Java) -> None:
    data = java("Formats", "object")
    refused = command("check", "-", "--schema", "n: int, t: utf", data=data)
    assert refused.returncode == 2
    assert b"--unwrap object" in refused.stderr
    done = command("check", "-", "--schema", "n: int, t: utf", "--unwrap", "object", data=data)
    assert b"500 records, every byte read" in done.stdout, done.stderr


def test_a_deflater_is_named_and_read_at_every_level_and_window(java: Java) -> None:
    for level, window in itertools.product(range(10), range(9, 16)):
        packer = zlib.compressobj(level, zlib.DEFLATED, window)
        packed = packer.compress(b"".join(n.to_bytes(4) for n in range(200))) + packer.flush()
        assert "zlib" in str(hint(packed[:HEAD])), (level, window)
        inflated = unwrapped(io.BytesIO(packed + packed), "zlib")
        assert len(parse_schema("n: int").decode(b"".join(iter(inflated.read1, b"")))) == 400  # type: ignore[attr-defined]
    data = java("Formats", "deflated", "9", "zlib")
    refused = command("head", "-", "--schema", "n: int", data=data)
    assert (refused.returncode, b"zlib" in refused.stderr) == (2, True)
    done = command("check", "-", "--schema", "n: int", "--unwrap", "zlib", data=data)
    assert b"200 records" in done.stdout, done.stderr
    cut = command("check", "-", "--schema", "n: int", "--unwrap", "zlib", data=data[:-3])
    assert cut.returncode == 2
