"""Case states and edits as bytes for the journal: compressed JSON with the polygons as WKB."""

from __future__ import annotations

import json
import os
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from autocontour.base.findings import Finding
from autocontour.case.recipe import CaseRecipe
from autocontour.case.state import REJECTION_FIELDS, CaseStructure, Edit
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import GenerationAlgorithm, ImportedContour, ReviewStatus, Structure

if TYPE_CHECKING:
    from shapely import MultiPolygon

Json = dict[str, Any]
FAST = 1
PART_BYTES = 2**18
_AHEAD = "_encoded_ahead"
ZLIB_HEADER = b"\x78\x01"


def pack(record: Json) -> bytes:
    """Return `record` as compressed JSON."""
    return compress(_as_text(record))


def compress(data: bytes) -> bytes:
    """Return `data` as one zlib stream (RFC 1950); parts of long data are compressed at the same time.

    Every part but the last ends with a full flush (RFC 1951), so the parts can be joined.
    """
    if len(data) <= PART_BYTES:
        return zlib.compress(data, FAST)
    parts = [data[at : at + PART_BYTES] for at in range(0, len(data), PART_BYTES)]
    ends = [zlib.Z_FULL_FLUSH] * (len(parts) - 1) + [zlib.Z_FINISH]
    with ThreadPoolExecutor(min(len(parts), os.cpu_count() or 1)) as pool:
        made = list(pool.map(_deflated, parts, ends))
    return b"".join((ZLIB_HEADER, *made, zlib.adler32(data).to_bytes(4, "big")))


def encode_ahead(edit: Edit) -> None:
    """Encode and compress `edit` now, for instance in another thread; writing it then takes no time of its own."""
    text = _as_text(encode_edit(edit))
    parts = [text[at : at + PART_BYTES] for at in range(0, len(text), PART_BYTES)]
    vars(edit)[_AHEAD] = (text, b"".join(_deflated(part, zlib.Z_FULL_FLUSH) for part in parts))


def pack_change(kind: str, seconds: float, edit: Edit, reviews: Mapping[int, tuple[str, bool]]) -> bytes:
    """Return the record of a change, made from what `encode_ahead` has kept if that was called."""
    about = {"kind": kind, "seconds": seconds, "reviews": reviews}
    if _AHEAD not in vars(edit):
        return pack({**about, "edit": encode_edit(edit)})
    text, made = vars(edit)[_AHEAD]
    head, tail = _as_text(about)[:-1] + b',"edit":', b"}"
    check = zlib.adler32(tail, zlib.adler32(text, zlib.adler32(head)))
    ends = _deflated(head, zlib.Z_FULL_FLUSH), _deflated(tail, zlib.Z_FINISH)
    return b"".join((ZLIB_HEADER, ends[0], made, ends[1], check.to_bytes(4, "big")))


def _as_text(record: Json) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


def _deflated(part: bytes, end: int) -> bytes:
    compressor = zlib.compressobj(FAST, wbits=-zlib.MAX_WBITS)
    return compressor.compress(part) + compressor.flush(end)


def unpack(payload: bytes) -> Json:
    """Return the record packed by `pack`."""
    record: Json = json.loads(zlib.decompress(payload))
    return record


def encode_edit(edit: Edit) -> Json:
    """Return `edit` as JSON values."""
    return {
        "label": edit.label,
        "contours": {number: _encode_contours(changes) for number, changes in edit.contours.items()},
        "fields": {number: _encode_fields(values) for number, values in edit.fields.items()},
        "added": [encode_item(item) for item in edit.added],
        "removed": list(edit.removed),
        "order": list(edit.order),
        "run": edit.run,
    }


def decode_edit(record: Json) -> Edit:
    """Return the edit from the output of `encode_edit`."""
    return Edit(
        record["label"],
        {int(number): _decode_contours(changes) for number, changes in record["contours"].items()},
        {int(number): _decode_fields(values) for number, values in record["fields"].items()},
        tuple(decode_item(item) for item in record["added"]),
        tuple(record["removed"]),
        tuple(record["order"]),
        record.get("run", ""),
    )


def encode_item(item: CaseStructure) -> Json:
    """Return a structure with its review as JSON values."""
    structure = item.structure
    now = structure.contours
    # An unedited slice is identical to the automatic one: it is written once, and is the same object again when read.
    automatic = {z: None if now.get(z) is polygon else polygon for z, polygon in item.automatic.items()}
    values = {name: getattr(structure, name) for name in _STRUCTURE}
    return {
        **_encode_fields(values),
        "number": structure.number,
        "contours": _encode_contours(now),
        "carried": _encode_imported({0: structure.carried}),
        "review": {
            "automatic": _encode_contours(automatic),
            "locked": item.locked,
            "approved_by": item.approved_by,
            "approved_at": item.approved_at,
            "origin": str(item.origin),
            "recipe": _encode_recipe(item.recipe),
            **({"followed": sorted(item.followed)} if item.followed else {}),
            **({name: getattr(item, name) for name in sorted(REJECTION_FIELDS)} if item.rejected_at else {}),
        },
    }


def decode_item(record: Json) -> CaseStructure:
    """Return the structure from the output of `encode_item`."""
    contours = _decode_contours(record["contours"])
    values = _decode_fields({name: record[name] for name in _STRUCTURE})
    carried = _decode_imported(record["carried"])[0]
    structure = Structure(number=record["number"], contours=contours, carried=carried, **values)
    review = record["review"]
    automatic = {z: contours[z] if p is None else p for z, p in _decode_contours(review["automatic"]).items()}
    origin = GenerationAlgorithm(review["origin"]) if "origin" in review else _guessed_origin(structure)
    recipe = _decode_recipe(review.get("recipe"))
    approval = review["locked"], review["approved_by"], review["approved_at"]
    rejection = {name: review.get(name, "") for name in REJECTION_FIELDS}
    followed = frozenset(review.get("followed", ()))
    return CaseStructure(structure, automatic, *approval, origin, recipe, followed=followed, **rejection)


def _guessed_origin(structure: Structure) -> GenerationAlgorithm:
    """Return the origin of a structure, for a case of a version that did not store it.

    Only AUTOMATIC structures become SEMIAUTOMATIC by editing; without provenance it may have been SEMIAUTOMATIC
    originally.
    """
    edited = structure.generation is GenerationAlgorithm.SEMIAUTOMATIC
    return GenerationAlgorithm.AUTOMATIC if edited and structure.provenance else structure.generation


def _encode_contours(contours: Mapping[int, MultiPolygon | None]) -> dict[int, str | None]:
    import numpy as np
    import shapely

    codes = shapely.to_wkb(np.array(list(contours.values()), dtype=object))  # None stays None
    return {z: None if code is None else b64encode(code).decode() for z, code in zip(contours, codes, strict=True)}


def _decode_contours(record: Mapping[str, str | None]) -> dict[int, Any]:
    import shapely

    return {int(z): p if p is None else shapely.from_wkb(b64decode(p)) for z, p in record.items()}


def _encode_imported(imported: Mapping[int, tuple[ImportedContour, ...]]) -> dict[int, list[list[str]]]:
    return {
        z: [[item.geometric_type, item.data, b64encode(item.item).decode()] for item in items]
        for z, items in imported.items()
    }


def _decode_imported(record: Mapping[str, list[list[str]]]) -> dict[int, tuple[ImportedContour, ...]]:
    return {
        int(z): tuple(ImportedContour(kind, data, b64decode(item)) for kind, data, item in items)
        for z, items in record.items()
    }


def _encode_recipe(recipe: CaseRecipe | None) -> Json | None:
    return None if recipe is None else recipe.to_json()


def _decode_recipe(record: Json | None) -> CaseRecipe | None:
    return None if record is None else CaseRecipe.from_json(record)


def _plain(value: Any) -> Any:  # noqa: ANN401  (JSON values)
    return value


_STRUCTURE: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "name": (_plain, _plain),
    "tg263_name": (_plain, _plain),
    "interpreted_type": (_plain, _plain),
    "color_rgb": (list, tuple),
    "generation": (str, GenerationAlgorithm),
    "provenance": (lambda p: p and p.to_json(), lambda p: p and Provenance(**p)),
    "status": (str, ReviewStatus),
    "description": (_plain, _plain),
    "findings": (lambda f: [one.to_json() for one in f], lambda f: tuple(Finding.from_json(one) for one in f)),
    "imported": (_encode_imported, _decode_imported),
    "attributes": (lambda raw: b64encode(raw).decode(), b64decode),
}
_CODECS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    **_STRUCTURE,
    "automatic": (_encode_contours, _decode_contours),
    "origin": (str, GenerationAlgorithm),
    "recipe": (_encode_recipe, _decode_recipe),
    "followed": (sorted, frozenset),
}


def _encode_fields(values: Mapping[str, Any]) -> Json:
    return {name: _CODECS[name][0](value) if name in _CODECS else value for name, value in values.items()}


def _decode_fields(record: Json) -> Json:
    if "automatic" in record and "origin" not in record and "generation" in record:
        record = {**record, "origin": record["generation"]}  # contoured again by a version without origin
    return {name: _CODECS[name][1](value) if name in _CODECS else value for name, value in record.items()}
