"""Parameters, namespaces and remappings of a node as words of a command line that rcl reads."""

from __future__ import annotations

from itertools import pairwise
from typing import Mapping, Sequence

from real.ros.names import require_namespace, require_remaps
from real.ros.topics import names_of
from robot.contract.loading import load_contract
from robot.errors import InputError

DEFAULT_CONTRACT = "panda_twin"  # of nodes that are given none
TEXTS = (
    "bindings",
    "checkpoint",
    "contract",
    "device",
    "embodiment",
    "frame",
    "host",
    "instruction",
    "monitor",
    "operator",
    "path",
    "policy",
    "records",
    "sampler",
    "source",
    "store",
    "task",
    "token",
    "view",
)
"""Parameters of nodes that are texts: the word as typed, be it a number or not."""
LARGEST = 1 << 63  # whole numbers of ROS have 64 bits


def ros_arguments(
    parameters: Mapping[str, object], namespace: str = "", remaps: Mapping[str, str] | None = None
) -> list[str]:
    """Words of a command line that rcl reads. Parameters that are None or empty are left out."""
    words: list[str] = []
    for name, value in parameters.items():
        if value is not None and value != "":
            words += ["-p", f"{name}:={_yaml(value)}"]
    if namespace:
        words += ["-r", f"__ns:={namespace}"]
    for name, target in (remaps or {}).items():
        words += ["-r", f"{name}:={target}"]
    return ["--ros-args", *words] if words else []


def arguments_of(words: Sequence[str]) -> list[str]:
    """`key=value` words of `tiller node` as ROS's own; `namespace=` is the node's, `a:=b` renames a topic. From
    `--ros-args` on the words are ROS's already.

    Raises:
        InputError: a word that is neither, or a namespace or a name that ROS does not take.
    """
    own = list(words[: words.index("--ros-args")]) if "--ros-args" in words else list(words)
    rest = list(words[len(own) :])
    parameters: dict[str, str] = {}
    remaps: dict[str, str] = {}
    for word in own:
        name, equals, value = word.partition("=")
        if equals and name.endswith(":"):
            remaps[name[:-1]] = value
        elif equals and not word.startswith("-"):
            parameters[name] = _text(value) if name in TEXTS else _Plain(value)
        else:
            raise InputError(f"'{word}'", expected="parameter=value, topic:=name or --ros-args ...")
    namespace = parameters.pop("namespace", "")
    require_namespace(namespace)
    require_remaps(dict(_remaps_among(rest)))
    contract = parameters.get("contract", "" if rest else DEFAULT_CONTRACT)
    require_remaps(remaps, names_of(load_contract(contract)) if remaps and contract else None, namespace)
    return [*ros_arguments(parameters, namespace, remaps), *rest]


def require_value(thing: str, value: object) -> None:
    """Raise an InputError that names `thing` for a value that no parameter of ROS can have."""
    several = value if isinstance(value, (list, tuple)) else [value]
    if value is not None and not all(isinstance(each, (bool, int, float, str)) for each in several):
        raise InputError(thing, expected="a number, a text, true or false, or a list of one of them", got=repr(value))
    if any(isinstance(each, int) and not -LARGEST <= each < LARGEST for each in several):
        raise InputError(thing, expected="a whole number of 64 bits", got=repr(value))


def _remaps_among(words: Sequence[str]) -> list[tuple[str, str]]:
    """What words after `--ros-args` rename."""
    rules = [word for before, word in pairwise(words) if before in ("-r", "--remap") and ":=" in word]
    return [(rule.partition(":=")[0], rule.partition(":=")[2]) for rule in rules]


class _Plain(str):
    """A word of the command line: YAML decides what it is."""


def _text(word: str) -> str:
    """A word without the quotes that are around the whole of it."""
    if len(word) > 1 and word[0] == word[-1] == "'" and "'" not in word[1:-1].replace("''", ""):
        return word[1:-1].replace("''", "'")
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] == '"' and '"' not in word[1:-1] else word


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and not isinstance(value, _Plain):
        # Quoted: '1e3' and 'true' are names here.
        return "'" + value.replace("'", "''") + "'"
    return str(value)
