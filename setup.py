"""Where the packages are: the rooms at the top, and two folders of files that travel inside `tiller`."""

from setuptools import find_packages, setup

ROOMS = ["robot", "data", "policies", "sim", "real", "tiller"]

setup(
    packages=[*find_packages(include=[pattern for room in ROOMS for pattern in (room, f"{room}.*")]),
              "tiller.configs", "tiller.launch"],
    package_dir={"tiller.configs": "configs", "tiller.launch": "launch"},
)
