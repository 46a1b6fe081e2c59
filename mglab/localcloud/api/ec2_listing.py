"""Describe calls of the network: by ids, by filters, in pages.

A filter reads what the call shows: each listing is a table of AWS's filter names and of where in the document
the value stands. What a request may not combine, AWS's words for it, and the sizes of a page are the same for
all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mglab.localcloud.api.ec2_filters import Reader, page, select
from mglab.localcloud.api.ec2_ids import Kind, check
from mglab.localcloud.api.ec2_state import dry_run
from mglab.localcloud.api.faults import ApiError

SMALLEST_PAGE, LARGEST_PAGE = 5, 1000
MOST_FILTER_VALUES = 200
Document = dict[str, Any]


@dataclass(frozen=True)
class Listing:
    """One Describe call: what lists it takes and gives, and its filters (name -> path in the document)."""

    kind: Kind
    ids: str
    answer: str
    id: str
    filters: Mapping[str, str]


def listed(listing: Listing, documents: Iterable[Document], params: Mapping[str, Any]) -> Document:
    """Answer a Describe call from the documents of everything that there is; raises ApiError."""
    ids: Sequence[str] = params.get(listing.ids, [])
    if ids and "MaxResults" in params:
        message = f"The parameter {listing.ids} cannot be used with the parameter MaxResults"
        raise ApiError("InvalidParameterCombination", message)
    found = filtered(listing.filters, _wanted(listing, list(documents), ids), params)
    dry_run(params)
    shown, token = paged(found, params)
    return {listing.answer: list(shown), **token}


def filtered(filters: Mapping[str, str], documents: Sequence[Document], params: Mapping[str, Any]) -> list[Document]:
    """Keep the documents that pass the request's filters."""
    asked = params.get("Filters", [])
    if sum(len(it.get("Values", ())) for it in asked) > MOST_FILTER_VALUES:
        message = f"The maximum number of filter values specified on a single call is {MOST_FILTER_VALUES}"
        raise ApiError("FilterLimitExceeded", message)
    readers: dict[str, Reader] = {name: partial(_texts, path.split(".")) for name, path in filters.items()}
    return select(documents, asked, readers, _tags)


def paged(documents: Sequence[Document], params: Mapping[str, Any]) -> tuple[Sequence[Document], dict[str, str]]:
    """Cut out the page that is asked for; its size has AWS's limits."""
    size = params.get("MaxResults")
    if size is not None and size < SMALLEST_PAGE:
        message = f"Expecting a value greater than or equal to {SMALLEST_PAGE}."
        raise ApiError("InvalidParameterValue", f"Value ( {size} ) for parameter MaxResults is invalid. {message}")
    if size is not None and size > LARGEST_PAGE:
        message = f"Expecting a value smaller than or equal to {LARGEST_PAGE}."
        raise ApiError("InvalidParameterValue", f"Value ( {size} ) for parameter MaxResults is invalid. {message}")
    return page(documents, params)


def _wanted(listing: Listing, documents: Sequence[Document], ids: Sequence[str]) -> Sequence[Document]:
    if not ids:
        return documents
    check(listing.kind, ids)
    by_id = {document[listing.id]: document for document in documents}
    for resource_id in ids:
        if resource_id not in by_id:
            raise ApiError(listing.kind.not_found, listing.kind.words.format(resource_id))
    return [document for name, document in by_id.items() if name in ids]


def _texts(path: Sequence[str], found: Any) -> Iterator[str]:
    if isinstance(found, list):
        for item in found:
            yield from _texts(path, item)
    elif path:
        if found is not None and path[0] in found:
            yield from _texts(path[1:], found[path[0]])
    elif found is not None:
        yield str(found).lower() if isinstance(found, bool) else str(found)


def _tags(document: Document) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in document.get("Tags") or document.get("TagSet") or ()}
