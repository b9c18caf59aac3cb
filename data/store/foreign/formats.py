"""Formats of demonstrations that are recognised where a store is expected, so that a message can name them."""

from __future__ import annotations

from pathlib import Path

from robot.errors import InputError

_AS_NPZ = (
    "Write its arrays, concatenated in time, into one npz with 'episode_ends', the row after each episode's "
    "last: np.savez(PATH, action=..., state=..., episode_ends=...); then tiller data convert PATH.npz TARGET"
)
_HDF5 = "an HDF5 file, as robomimic and ALOHA write them"
_LEROBOT = "a LeRobot dataset"
_TABLE = "a table in parquet, as LeRobot keeps them"
_RECORDS, _FOLDER_OF_RECORDS = (
    "a file of TensorFlow records, as RLDS keeps them",
    "a folder of TensorFlow records, as RLDS keeps them",
)
_READ = "Make a store of it with: tiller data convert {path} TARGET"
_PORT = (
    "Take its port to LeRobot, which many sets of Open X-Embodiment have on the Hugging Face hub under 'lerobot/'; "
    "then tiller data convert FOLDER TARGET"
)
_WAYS_OUT = {
    _HDF5: _READ,
    _LEROBOT: _READ,
    _TABLE: "Give the folder of the dataset, which has meta/info.json",
    _RECORDS: _PORT,
    _FOLDER_OF_RECORDS: _PORT,
}
_ENDINGS = {
    _HDF5: (".hdf5", ".h5", ".hdf", ".he5"),
    "a ROS bag": (".bag", ".mcap", ".db3"),
    _RECORDS: (".tfrecord", ".tfrecords"),
    _TABLE: (".parquet",),
    "a pickle, which runs code from the file when it is read": (".pkl", ".pickle", ".pt", ".pth"),
    "one array of numpy": (".npy",),
}
_BEGINNINGS = {
    b"\x89HDF\r\n\x1a\n": _HDF5,
    b"#ROSBAG": "a ROS bag",
    b"\x89MCAP": "a ROS bag",
    b"SQLite format 3": "a ROS bag or another SQLite file",
    b"PAR1": _TABLE,
}


def name_format(path: str | Path) -> str | None:
    """The format at a path, by its name, what it holds or how it begins, in words; None where that is not known.

    Args:
        path: a file, a folder or a URL.
    """
    for words, endings in _ENDINGS.items():
        if str(path).lower().endswith(endings):
            return words
    local = Path(path)
    if local.is_dir():
        return _name_folder(local)
    if local.is_file():
        with local.open("rb") as file:
            beginning = file.read(16)
        return next((words for magic, words in _BEGINNINGS.items() if beginning.startswith(magic)), None)
    return None


def refuse_known_format(path: str | Path) -> None:
    """Refuse what is recognised as another format.

    Raises:
        InputError: names the format and the way out.
    """
    if words := name_format(path):
        way_out = _WAYS_OUT.get(words, _AS_NPZ).replace("{path}", str(path))
        raise InputError(f"'{path}'", expected="a zarr store (folder, zip or URL)", got=words, way_out=way_out)


def _name_folder(folder: Path) -> str | None:
    if (folder / "meta" / "info.json").is_file():
        return _LEROBOT
    if (folder / "metadata.yaml").is_file() and (any(folder.glob("*.db3")) or any(folder.glob("*.mcap"))):
        return "a ROS bag"
    if any(any(folder.glob(name)) for name in ("*.tfrecord*", "*/*.tfrecord*", "features.json", "*/features.json")):
        return _FOLDER_OF_RECORDS
    if any(folder.glob("*.hdf5")) or any(folder.glob("*.h5")):
        return "a folder of HDF5 files, of which each is read by itself where it has groups data/demo_N"
    return None
