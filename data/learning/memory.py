"""How much memory this process may use: that of the machine, or less where its container limits it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")


def memory_limit_bytes(membership: Path = MEMBERSHIP, mount: Path = MOUNT) -> int:
    """The least of the machine's memory and of the limits of the control groups that this process is in.

    Args:
        membership: lines `hierarchy:controllers:path` (cgroups(7)): version 2 has one with no controllers, version 1
            one with `memory` among them.
        mount: where the groups are; a container sees its own one as the root, whatever its path outside.
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with suppress(OSError):
        for line in membership.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                limits += _limits(mount, path, "memory.max")
            elif "memory" in controllers.split(","):
                limits += _limits(mount / "memory", path, "memory.limit_in_bytes")
    return min(limits)


def _limits(root: Path, path: str, name: str) -> list[int]:
    """The limits of a group and of all that it is in; a group without one reads `max`, or more than any machine has."""
    group = root / path.strip("/")
    limits = []
    for folder in (group, *group.parents):
        if folder.is_relative_to(root):
            with suppress(OSError, ValueError):
                limits.append(int((folder / name).read_text(encoding="ascii")))
    return limits
