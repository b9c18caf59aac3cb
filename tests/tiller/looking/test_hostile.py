"""Stores that were made to harm who looks at them: they are shown as what they are, and nothing of this ends."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from tests.tiller.looking.conftest import Page, looked_at
from tiller.looking.space.joints import robot_of
from tiller.looking.space.surroundings import surroundings_of

OF = {"store": 0, "generation": 0}
HOSTILE = "<img src=x onerror=alert(1)>"


def foreign(path: Path, arrays: dict[str, np.ndarray], ends: list[int], **attributes: Any) -> Path:
    """A store as another program writes it."""
    root = zarr.create_group(path, zarr_format=2, attributes=attributes)
    for name, values in arrays.items():
        root.create_array(f"data/{name}", data=values, chunks=values.shape)
    root.create_array("meta/episode_ends", data=np.array(ends, np.int64))
    return path


def test_names_are_words_and_numbers_that_are_none_are_counted(tmp_path: Path) -> None:
    rows = np.array([[np.nan, 1], [np.inf, 2], [-np.inf, 3], [4, 1e300]])
    store = foreign(
        tmp_path / "hostile",
        {"action": rows, HOSTILE: rows, "a\x1b[31mred\nname": rows[:, :1]},
        [4],
        robot="../../../etc/passwd",
        task="gym/os:system",
    )
    with looked_at(store) as page:
        fields = page.json("/fields", **OF)
        names = [field["name"] for field in fields]
        assert HOSTILE in names and "a?[31mred?name" in names
        (record,) = page.json("/stores")
        assert "convert it first" in record["unmarked"]
        _, packed = page.get("/series", **OF, episode=0, field=names.index(HOSTILE), points=10)
        assert int.from_bytes(packed[24:28], "little") == 4, "three are none, and one is beyond float32"
        values = page.json("/values", **OF, episode=0, row=1, fields=names.index("action"))
        assert values == [["inf", "2.0"]]
        assert page.mark(0, {"keep": False})[0] == 422 and not list(tmp_path.glob("*.json"))
        assert json.loads(page.get("/scene", **OF, world=0)[1])["note"]


def test_thousands_of_fields_are_listed(tmp_path: Path) -> None:
    store = foreign(tmp_path / "wide", {"action": np.ones((3, 1), np.float32)}, [3])
    for number in range(1_500):
        folder = store / "data" / f"field{number}"
        folder.mkdir()
        (folder / ".zarray").write_bytes((store / "data" / "action" / ".zarray").read_bytes())
        (folder / "0.0").write_bytes((store / "data" / "action" / "0.0").read_bytes())
    with looked_at(store) as page:
        assert len(page.json("/fields", **OF)) == 1_501
        assert page.get("/series", **OF, episode=0, field=1_499, points=10)[0] == 200


def test_ends_that_contradict_each_other_cost_only_their_episodes(tmp_path: Path) -> None:
    store = foreign(tmp_path / "ends", {"action": np.arange(20.0)[:, None]}, [5, 5, 3, 12, 10**15])
    with looked_at(store) as page:
        rows = page.json("/episodes", **OF)["rows"]
        assert rows[1] == 0 and rows[4] == 0, "an empty one, and one that would end far beyond the last row"
        for episode, count in enumerate(rows):
            assert page.json("/episode", **OF, episode=episode)["rows"] == count
            assert page.get("/series", **OF, episode=episode, field=0, points=10)[0] == 200
            assert page.get("/poses", **OF, episode=episode, row=0)[0] == (200 if count else 404)


def test_a_store_of_no_episodes_is_an_empty_list(tmp_path: Path) -> None:
    with looked_at(foreign(tmp_path / "none", {"action": np.zeros((1, 1))}, [])) as page:
        assert page.json("/episodes", **OF)["rows"] == []
        assert page.get("/episode", **OF, episode=0)[0] == 404


def test_a_chunk_that_would_fill_the_memory_is_not_decoded(tmp_path: Path) -> None:
    store = foreign(tmp_path / "large", {"action": np.zeros((3, 1), np.float32)}, [3])
    file = store / "data" / "action" / ".zarray"
    declared = json.loads(file.read_text())
    file.write_text(json.dumps({**declared, "chunks": [1 << 33, 1]}))
    with looked_at(store) as page:
        status, words = page.get("/series", **OF, episode=0, field=0, points=10)
        assert status == 422 and b"MiB" in words


def test_words_in_attributes_lead_to_no_file_and_no_program(tmp_path: Path) -> None:
    (tmp_path / "robot.yaml").write_text("limbs: []")
    for name in (str(tmp_path / "robot.yaml"), "../robot/panda", "panda\0", 3, ["panda"], {"panda": 1}, None):
        assert robot_of({"robot": name, "contract": {"name": name, "semantic": {"robot": name}}}) is None
        assert surroundings_of({"task": name}, ()).still_names == ("floor",)
    assert robot_of({"contract": {"semantic": {"robot": "panda"}}}) is not None


def test_findings_of_a_broken_store_are_listed(tmp_path: Path) -> None:
    store = foreign(tmp_path / "ends", {"action": np.arange(20.0)[:, None]}, [5, 3, 12])
    with looked_at(store) as page:
        assert page.json("/findings", store=0) == {"state": "not examined", "cheap": True}
        state = examined(page)
        assert state["state"] == "examined" and any(each[0] == "error" for each in state["findings"])


def examined(page: Page) -> Any:
    """What validation found, when it is done."""
    own = (f"Cookie: {page.cookie}", f"Origin: {page.origin}")
    assert page.ask("/examine?store=0", *own, method="POST", body="{}")[0] == 200
    end_s = time.monotonic() + 60
    while (state := page.json("/findings", store=0))["state"] == "examining":
        assert time.monotonic() < end_s
        time.sleep(0.1)
    return state
