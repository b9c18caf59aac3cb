"""What the attributes of stores say of the robot, and what a merged store says of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data.edit.copying.origin import Origin
from robot.contract.loading import difference
from robot.description.comparison import Row
from robot.errors import cut

_CONTRACT = "contract"
_SUBTASKS = "subtasks"
_NONE = "none recorded"


def robot_rows(first: Origin, other: Origin) -> list[Row]:
    """Rows (what, first, other) in which the robots of two stores differ: hashes of their contracts, and where both
    recorded what the hash is of, that.
    """
    ours, theirs = contract_of(first), contract_of(other)
    rows: list[Row] = []
    hashes = [str(each.get("semantic_hash") or _NONE) for each in (ours, theirs)]
    if hashes[0] != hashes[1]:
        names = [str(each.get("name") or "-") for each in (ours, theirs)]
        rows.append(("semantic hash", hashes[0], hashes[1]))
        if names[0] != names[1]:
            rows.append(("contract", names[0], names[1]))
        own, others = ours.get("semantic"), theirs.get("semantic")
        if isinstance(own, Mapping) and isinstance(others, Mapping):
            rows += [(f"contract {key}", left, right) for key, left, right in difference(own, others)]
    robots = [origin.attributes.get("robot") for origin in (first, other)]
    if robots[0] != robots[1] and None not in robots:
        rows.append(("robot", str(robots[0]), str(robots[1])))
    return [(cut(key), cut(left), cut(right)) for key, left, right in rows]


def merged_attributes(origins: Sequence[Origin]) -> tuple[dict[str, Any], list[str]]:
    """Attributes of a store that is made of several, and notes of what it no longer says.

    Returns:
        What all of them say alike; of the contract what means the same; the policies that acted in any of them, and the
        subtasks of all. The rest is kept with each source in the history.
    """
    first = origins[0].attributes
    kept = {key: value for key, value in first.items() if all(each.attributes.get(key) == value for each in origins)}
    contracts = [contract_of(each) for each in origins]
    if _CONTRACT not in kept and contracts[0] and len({str(each.get("semantic_hash")) for each in contracts}) == 1:
        kept[_CONTRACT] = {
            key: value for key, value in contracts[0].items() if all(each.get(key) == value for each in contracts)
        }
    policies = [policy for each in origins for policy in _policies(each)]
    if policies and "collection" not in kept:
        kept["collection"] = {"policies": [each for n, each in enumerate(policies) if each not in policies[:n]]}
    subtasks = merged_subtasks(origins)
    if subtasks is not None:
        kept[_SUBTASKS] = subtasks
    differing = sorted({key for each in origins for key in each.attributes} - set(kept) - {"edits", "software"})
    notes = [f"{key} differs, and is kept with each source in the history only" for key in differing]
    return kept, notes


def subtasks_of(origin: Origin) -> list[str] | None:
    """What the numbers of subtasks stand for in a store; None where it does not say."""
    listed = origin.attributes.get(_SUBTASKS)
    return [str(each) for each in listed] if isinstance(listed, (list, tuple)) else None


def merged_subtasks(origins: Sequence[Origin]) -> list[str] | None:
    """The subtasks of all stores, each once; None where none says."""
    lists = [each for each in map(subtasks_of, origins) if each is not None]
    return list(dict.fromkeys(name for each in lists for name in each)) if lists else None


def contract_of(origin: Origin) -> Mapping[str, Any]:
    contract = origin.attributes.get(_CONTRACT)
    return contract if isinstance(contract, Mapping) else {}


def _policies(origin: Origin) -> list[Any]:
    collection = origin.attributes.get("collection")
    listed = collection.get("policies") if isinstance(collection, Mapping) else None
    return list(listed) if isinstance(listed, (list, tuple)) else []
