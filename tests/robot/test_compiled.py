"""What machine code is kept for: the sources of compiled functions, found by looking."""

from __future__ import annotations

import os
from pathlib import Path

from robot.compiled import source_folders, sources_digest

ROOT = Path(__file__).parents[2]


def test_every_folder_with_a_compiled_function_is_found() -> None:
    using = {
        file.parent
        for room in ("robot", "sim")
        for file in (ROOT / room).rglob("*.py")
        if "\n@compiled\n" in file.read_text()
    }
    assert {"control", "gate", "maze", "twin"} <= {folder.name for folder in using}
    assert using <= set(source_folders(ROOT))


def test_a_change_beside_a_compiled_function_makes_its_machine_code_stale(tmp_path: Path) -> None:
    kernel, constant, apart = (tmp_path / path for path in ("sim/a/kernel.py", "sim/a/constant.py", "sim/b/other.py"))
    for file, text in ((kernel, "from robot.compiled import compiled\n"), (constant, "G = 9\n"), (apart, "\n")):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    before = sources_digest(tmp_path)
    apart.write_text("changed = True\n")
    assert sources_digest(tmp_path) == before
    os.utime(constant, ns=(1, 1))
    assert sources_digest(tmp_path) != before
