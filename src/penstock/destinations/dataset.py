"""Parquet datasets on a disk or in a bucket: files a batch, and a manifest that commits them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec

from penstock.address import hide, scheme_of
from penstock.destinations.ports import Batch, Destination
from penstock.errors import InputError, PenstockError, StorageError
from penstock.store import Field, import_arrow
from penstock.whole import whole_path

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import fs

__all__ = ["open_dataset"]

_MANIFEST = "_penstock.json"
_PART = re.compile(r"part-(\d{8})\.parquet")
_NULL = "__HIVE_DEFAULT_PARTITION__"  # what Hive and all who follow it call the folder of nulls
_AZURE_URI = {"enable_tls", "credential_kind"}  # what Arrow reads in an address of Azure
_LONGEST_NAME = 255  # bytes of a folder's name, on every usual file system


@final
class _Manifest(msgspec.Struct, frozen=True):
    """The state of a dataset, the number of its last batch, and what its folders are named by."""

    number: int
    state: str
    partition: list[str] | None = None  # unset: an earlier version wrote it


@final
class _Dataset:
    """A folder a table. Files of a batch that was not committed are removed, or replaced."""

    holds_versions = False
    holds_children = holds_structs = True
    # DuckDB (2.0.1) fails over files of which one has a null where another has an object more.
    objects_grow = False

    def __init__(self, files: fs.FileSystem, root: str, shown: str, partition: list[str]) -> None:
        self._files = files
        self._root = root
        self._shown = shown
        self._partition = partition

    def close(self) -> None:
        """Do nothing: there is no connection that is held."""

    def state(self, table: str) -> bytes | None:
        with self._translated():
            found = self._manifest(table)
            if found is not None and not self._parts(table):  # somebody has removed them
                self._files.delete_file(f"{self._root}/{table}/{_MANIFEST}")
                found = None
            if found is None:
                self._refuse_lists(table)
            elif found.partition not in (None, self._partition):
                kept = ",".join(found.partition or ()) or "no column"
                raise InputError(f"the table {table} is partitioned by {kept}: keep to it")
            for name in (table, *self._children(table)):
                for path, number in self._parts(name):
                    if number > (found.number if found else 0):
                        self._files.delete_file(path)
        return None if found is None else found.state.encode()

    def commit(self, batch: Batch) -> None:
        with self._translated():
            found = self._manifest(batch.table)
            if (None if found is None else found.state.encode()) != batch.before:
                raise StorageError(
                    f"{self._shown}: another process keeps {batch.table} up to date; call again"
                )
            number = 1 if found is None else found.number + 1
            for child in batch.children:
                self._fill(child, number, ())
            self._fill(batch, number, self._partition)
            manifest = _Manifest(number, batch.after.decode(), self._partition)
            told = msgspec.json.encode(manifest)
            self._put(f"{self._root}/{batch.table}/{_MANIFEST}", told)

    def _fill(self, batch: Batch, number: int, partition: Sequence[str]) -> None:
        if batch.gone:
            self._delete(batch)
        if not batch.rows:
            return
        table = batch.arrow()
        for folder, rows in self._split(batch, table, partition).items():
            name = f"{self._root}/{batch.table}/{folder}part-{number:08}.parquet"
            self._write(name, table.take(rows).drop_columns(list(partition)) if folder else table)

    def _refuse_lists(self, table: str) -> None:
        words = table.split("__")
        parents = ["__".join(words[:count]) for count in range(1, len(words))]
        if self._parts(table) and any(self._manifest(parent) for parent in parents):
            raise InputError(f"{self._shown}: {table} may hold another one's lists: name another")

    def _children(self, table: str) -> list[str]:
        """Return the tables of a table's lists: they have no manifest of their own."""
        from pyarrow import fs

        there = self._files.get_file_info(fs.FileSelector(self._root, allow_not_found=True))
        names = [one.base_name for one in there if one.type == fs.FileType.Directory]
        mine = [name for name in names if name.startswith(f"{table}__")]
        return [name for name in mine if self._manifest(name) is None]

    def _manifest(self, table: str) -> _Manifest | None:
        path = f"{self._root}/{table}/{_MANIFEST}"
        if not self._files.get_file_info(path).is_file:
            return None
        with self._files.open_input_stream(path) as file:
            return msgspec.json.decode(file.read(), type=_Manifest)

    def _parts(self, table: str) -> list[tuple[str, int]]:
        from pyarrow import fs

        where = fs.FileSelector(f"{self._root}/{table}", recursive=True, allow_not_found=True)
        found = []
        for one in self._files.get_file_info(where):
            if one.is_file and one.path.endswith(".parquet"):
                name = _PART.fullmatch(one.base_name)
                if name is None:
                    raise InputError(
                        f"{self._shown}: {one.path} was not written by penstock: name another place"
                    )
                found.append((one.path, int(name[1])))
        return found

    def _split(
        self, batch: Batch, table: pa.Table, partition: Sequence[str]
    ) -> dict[str, list[int]]:
        """Return the places of rows by the folder they go to, named as Hive has it."""
        if not partition:
            return {"": []}
        named = {one.name: one for _, one in batch.typed}
        if not named.keys() >= {*partition}:
            raise InputError(
                f"a dataset is partitioned by columns it has: {', '.join(partition)}; "
                f"there are {', '.join(named)}"
            )
        columns = [
            [_folder(value, named[name]) for value in table[name].to_pylist()] for name in partition
        ]
        found: dict[str, list[int]] = {}
        for row, folders in enumerate(zip(*columns, strict=True)):
            found.setdefault("".join(f"{folder}/" for folder in folders), []).append(row)
        return found

    def _delete(self, batch: Batch) -> None:
        """Write the files again that have one of the keys. Doing it twice does no harm."""
        import pyarrow as pa
        from pyarrow import compute, parquet

        key = batch.fields[0].name
        for path, _ in self._parts(batch.table):
            with self._files.open_input_file(path) as file:
                keys = parquet.read_table(file, columns=[key])[key]
                there = compute.is_in(keys, pa.array(batch.gone, keys.type))
                if compute.any(there).as_py():
                    table = parquet.read_table(file)
                    self._write(path, table.filter(compute.invert(there)))

    def _write(self, path: str, table: pa.Table) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        sink = pa.BufferOutputStream()
        parquet.write_table(table, sink, compression="zstd")
        self._put(path, sink.getvalue())

    def _put(self, path: str, content: bytes | pa.Buffer) -> None:
        """Let a file appear whole: a bucket shows an object only when it is complete."""
        if self._files.type_name != "local":
            with self._files.open_output_stream(path) as stream:
                stream.write(content)
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with whole_path(Path(path)) as part:
            part.write_bytes(content)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from pyarrow import ArrowException

        try:
            yield
        except PenstockError:
            raise
        except ValueError as error:  # of JSON, and of Arrow
            raise StorageError(
                f"{self._shown}: a file was changed and cannot be read ({error}): remove the "
                "folder of the table to have it written again"
            ) from error
        except (OSError, ArrowException) as error:
            words = " ".join(str(error).split())
            raise StorageError(f"{self._shown}: {words}; call again") from error


def _folder(found: object, field: Field) -> str:
    """Return the name of a value's folder; another value must not have the same."""
    if found is None:
        return f"{field.name}={_NULL}"
    value = str(found).lower() if field.kind == "bool" else str(found)
    name = f"{field.name}={quote(value, safe=' ')}"
    if field.kind == "nested" or value == _NULL or len(name.encode()) > _LONGEST_NAME:
        raise InputError(
            f"partition={field.name}: {value!r:.60} cannot name a folder (it is longer than "
            f"{_LONGEST_NAME} bytes, no single value, or the name for null): partition by another "
            "column"
        )
    return name


def open_dataset(address: str) -> Destination:
    """Open ``parquet://FOLDER``, or a bucket: ``s3://``, ``gs://``, ``abfss://``.

    The option ``partition=country,day`` in the address names the columns that make folders; the
    others go to Arrow's file system, such as ``region`` and ``endpoint_override``, or in Azure
    ``account_key``.
    """
    import_arrow("a Parquet dataset")
    from pyarrow import ArrowException, fs

    place, _, query = address.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    partition = [name for name in options.pop("partition", "").split(",") if name]
    try:
        if scheme_of(place) == "parquet" and place.endswith("://"):
            raise InputError(f"{place}: write parquet://FOLDER")
        if scheme_of(place) == "parquet" and options:
            raise InputError(f"{hide(address)}: a folder takes the option partition alone")
        if scheme_of(place) == "parquet":
            root = str(Path(place.partition("://")[2]).expanduser().absolute())
            files: fs.FileSystem = fs.LocalFileSystem()
        else:
            if scheme_of(place) == "gs":  # its own is 15 minutes, in which nothing ends it
                options.setdefault("retry_limit_seconds", "20")
            asked = f"{place}?{urlencode(options)}" if options else place
            azure = scheme_of(place) == "abfss" and options.keys() - _AZURE_URI
            files, root = _azure(place, options) if azure else fs.FileSystem.from_uri(asked)
    except OSError as error:
        raise StorageError(f"{hide(address)}: {error}") from error
    except (ArrowException, ValueError, TypeError) as error:
        raise InputError(f"{hide(address)}: {error}") from error
    return _Dataset(files, root.rstrip("/"), hide(address), partition)


def _azure(place: str, options: dict[str, str]) -> tuple[fs.FileSystem, str]:
    """Return the file system of ``abfss://CONTAINER@ACCOUNT/PATH``: a key is for no address."""
    from pyarrow import fs

    parts = urlsplit(place)
    if "account_key" in options:  # in Base64 each + is one, and a query has blanks there
        options["account_key"] = options["account_key"].replace(" ", "+")
    account = (parts.hostname or "").partition(".")[0]
    files = fs.AzureFileSystem(account, **options)
    return files, f"{parts.username or ''}{parts.path}".strip("/")
