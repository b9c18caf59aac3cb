"""Names as ROS has them: namespaces, topics and what they are renamed to, refused here with the nearest right name.

rcl refuses a wrong name too, in each node by itself and in words about its own parser. The rules are those of
`rmw_validate_namespace` and `rcl_validate_topic_name`. This module imports no ROS.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Iterable, Mapping

from robot.errors import InputError, nearest

_TOKEN = r"[A-Za-z_][A-Za-z0-9_]*"
_NAMESPACE = re.compile(rf"/|(/{_TOKEN})+")
_NAME = re.compile(rf"(~/|/)?{_TOKEN}(/{_TOKEN})*")
_NODE = re.compile(_TOKEN)
# A node (`NODE:`) or a kind may precede the name that is renamed.
_FROM = re.compile(rf"(?:{_TOKEN}:(?!//))?(?:rostopic://|rosservice://)?(.+)")
LONGEST_NAMESPACE, LONGEST_NAME = 245, 247
RULES = "letters, digits and _ between single '/', no part that begins with a digit"
SPECIAL_NAMESPACE, SPECIAL_NODES = "__ns", ("__node", "__name")


def require_namespace(namespace: str) -> str:
    """Refuse a namespace that ROS does not take.

    Args:
        namespace: such as `/left`; empty and `/` for none.

    Returns:
        The namespace; empty for none.

    Raises:
        InputError: with the nearest name that ROS takes.
    """
    if namespace in ("", "/"):
        return ""
    if len(namespace) > LONGEST_NAMESPACE:
        raise InputError("namespace", expected=f"at most {LONGEST_NAMESPACE} characters", got=str(len(namespace)))
    if not _NAMESPACE.fullmatch(namespace):
        better = f"/{_corrected(namespace, 'robot')}".rstrip("/")
        raise InputError(
            "namespace",
            expected=f"a name such as '/left': '/', then {RULES}",
            got=repr(namespace),
            way_out=f"namespace={better}" if better else "namespace=/left",
        )
    return namespace


def require_remaps(remaps: Mapping[str, str], known: Iterable[str] | None = None, namespace: str = "") -> None:
    """Refuse names of topics that ROS does not take, and such that no node has.

    Args:
        remaps: topic -> the name that it has here.
        known: topics and services that can be renamed, as nodes name them; None leaves that unchecked.
        namespace: of the nodes.

    Raises:
        InputError: with the nearest name.
    """
    names = None if known is None else {absolute(name, namespace): name for name in known}
    for name, target in remaps.items():
        if name == SPECIAL_NAMESPACE:
            require_namespace(target)
            continue
        if name in SPECIAL_NODES:
            if not _NODE.fullmatch(target):
                raise InputError(name, expected="letters, digits and _, no digit first", got=repr(target))
            continue
        bare = _FROM.fullmatch(name)
        source = bare.group(1) if bare else name
        for each in (source, target):
            if not _NAME.fullmatch(each) or len(each) > LONGEST_NAME:
                better = ("/" if each.startswith("/") else "") + (_corrected(each, "topic") or "name")
                way_out = f"{name}: {better}" if each is target else f"{better}: {target}"
                raise InputError(
                    f"remap of '{name}'",
                    expected=f"a name of a topic: {RULES}",
                    got=repr(each),
                    way_out=f"remap={{{way_out}}}",
                )
        # A private name is one of each node: which it is, only the nodes know.
        if names is not None and not source.startswith("~") and absolute(source, namespace) not in names:
            raise InputError(
                f"remap of '{name}'", expected="a topic or service of this graph", way_out=nearest(name, names.values())
            )


def absolute(name: str, namespace: str) -> str:
    """A topic's full name, for one that is not private."""
    return name if name.startswith("/") else f"{namespace.rstrip('/')}/{name}"


def _corrected(name: str, before_digits: str) -> str:
    """The nearest name that ROS takes, without the first '/'; empty when nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    tokens = (re.sub(r"[^A-Za-z0-9_]+", "_", part.strip().strip("~")).strip("_") for part in plain.split("/"))
    return "/".join(before_digits + token if token[0].isdigit() else token for token in tokens if token)
