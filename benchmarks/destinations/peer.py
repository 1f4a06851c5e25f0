"""dlt's load of a JSONL file, as its documentation shows it: the filesystem source, one pipeline.

python peer.py FILE parquet|duckdb|postgres PLACE FOLDER
"""

import sys
from pathlib import Path

import dlt
from dlt.sources.filesystem import filesystem, read_jsonl

file, kind, place, folder = sys.argv[1:]
path = Path(file).resolve()
destination = {
    "parquet": lambda: dlt.destinations.filesystem(bucket_url=f"file://{place}"),
    "duckdb": lambda: dlt.destinations.duckdb(place),
    "postgres": lambda: dlt.destinations.postgres(place),
}[kind]()
source = filesystem(bucket_url=f"file://{path.parent}", file_glob=path.name) | read_jsonl()
pipeline = dlt.pipeline("bench", pipelines_dir=folder, destination=destination, dataset_name="peer")
forms = {"loader_file_format": "parquet"} if kind == "parquet" else {}
pipeline.run(source.with_name("users"), write_disposition="append", **forms).raise_on_failed_jobs()
