"""The data files of a record, format ``renkei-record/1``: one JSON file a kind, facts only.

Texts for people are ``{"en": …, "ja": …}``; numbers that are facts are decimal texts; a passage is
a document and its offsets. The JSON Schema beside this file is the format's definition.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema

from renkei.kit.errors import RenkeiError, gettext_noop

FORMAT = "renkei-record/1"
KINDS = (
    "lineages",
    "sources",
    "organisations",
    "agreements",
    "clusters",
    "commitments",
    "lookalikes",
    "findings",
)
LARGEST_FILE_BYTES = 512 << 20

Item = dict[str, Any]


class BadPackageError(RenkeiError):
    """A data file of a record is not what the format says."""

    code = "record.bad_package"


@cache
def _validator(kind: str) -> jsonschema.Draft202012Validator:
    schema = json.loads(
        resources.files("renkei.record.engine").joinpath("schema.json").read_text("utf-8")
    )
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]})


def parse(kind: str, content: bytes, *, name: str) -> list[Item]:
    """Return the items of one data file.

    Args:
        kind: one of ``KINDS``.
        content: the file's bytes.
        name: what messages call the file.

    Raises:
        BadPackageError: not JSON, another format or kind, or an item that breaks the schema; the
            message says which item and where.
    """
    try:
        document = json.loads(content)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadPackageError(
            gettext_noop("{name} is not JSON: {error}"), name=name, error=error
        ) from error
    head = (document.get("format"), document.get("kind")) if isinstance(document, dict) else None
    if head != (FORMAT, kind) or not isinstance(document.get("items"), list):
        raise BadPackageError(
            gettext_noop("{name}: expected format {format} and kind {kind}"),
            name=name,
            format=FORMAT,
            kind=kind,
        )
    for index, item in enumerate(document["items"]):
        broken = next(_validator(kind).iter_errors(item), None)
        if broken is not None:
            raise BadPackageError(
                gettext_noop("{name}: item {index} ({id}): {path}: {message}"),
                name=name,
                index=index,
                id=item.get("id", "?") if isinstance(item, Mapping) else "?",
                path=broken.json_path,
                message=broken.message[:300],
            )
    items: list[Item] = document["items"]
    return items


def read_package(folder: Path) -> dict[str, list[Item]]:
    """Return all kinds of the record in ``folder``; a kind without a file has no items.

    Raises:
        BadPackageError: as ``parse``; or there is no file of any kind.
    """
    found: dict[str, list[Item]] = {}
    for kind in KINDS:
        file = folder / f"{kind}.json"
        if file.is_file():
            found[kind] = parse(kind, file.read_bytes(), name=file.name)
    if not found:
        raise BadPackageError(
            gettext_noop("{folder} holds no record: expected files such as commitments.json"),
            folder=folder,
        )
    return {kind: found.get(kind, []) for kind in KINDS}


def serialise(kind: str, items: Iterator[Item]) -> Iterator[str]:
    """Yield the text of one data file piece by piece: a record may be larger than memory."""
    yield f'{{"format": "{FORMAT}", "kind": "{kind}", "items": [\n'
    for index, item in enumerate(items):
        yield (",\n" if index else "") + json.dumps(item, ensure_ascii=False)
    yield "\n]}\n"
