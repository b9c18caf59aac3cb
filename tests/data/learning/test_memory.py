"""The memory of a process is that of its container, where it has one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data.learning.memory import memory_limit_bytes

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
MB = 1 << 20
NO_LIMIT = 9223372036854771712  # of version 1


def limits(tmp_path: Path, membership: str, **files: str) -> int:
    (tmp_path / "cgroup").write_text(membership)
    for name, text in files.items():
        file = tmp_path / "fs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return memory_limit_bytes(tmp_path / "cgroup", tmp_path / "fs")


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/a/b\n", {"a/memory.max": f"{64 * MB}\n", "a/b/memory.max": "max\n"}, 64 * MB),
        ("0::/a/b\n", {"a/memory.max": "max\n", "a/b/memory.max": f"{32 * MB}\n"}, 32 * MB),
        ("0::/\n", {"memory.max": f"{16 * MB}\n"}, 16 * MB),
        ("0::/outside/of/the/container\n", {"memory.max": f"{16 * MB}\n"}, 16 * MB),
        (
            "5:cpu,cpuacct:/x\n4:memory:/docker/1\n0::/\n",
            {"memory/memory.limit_in_bytes": f"{NO_LIMIT}\n", "memory/docker/1/memory.limit_in_bytes": f"{8 * MB}\n"},
            8 * MB,
        ),
        ("4:memory:/docker/1\n", {"memory/memory.limit_in_bytes": f"{8 * MB}\n"}, 8 * MB),
        ("0::/a\n", {"a/memory.max": "max\n"}, MACHINE),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": f"{NO_LIMIT}\n"}, MACHINE),
        ("0::/a\n", {}, MACHINE),
    ],
)
def test_the_least_limit_holds(tmp_path: Path, membership: str, files: dict[str, str], expected: int) -> None:
    assert limits(tmp_path, membership, **files) == expected


def test_a_machine_without_control_groups_has_what_it_has(tmp_path: Path) -> None:
    assert memory_limit_bytes(tmp_path / "nowhere", tmp_path) == MACHINE
    assert 0 < memory_limit_bytes() <= MACHINE
