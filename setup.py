"""Where the packages are: the rooms at the top, and two folders of files that travel inside `tiller`; and the files by
which ROS 2 finds them: a marker, package.xml, launch files and executables, which only name the environment's Python.
"""

from glob import glob

from setuptools import find_packages, setup

ROOMS = ["robot", "data", "policies", "sim", "real", "tiller"]

setup(
    packages=[
        *find_packages(include=[pattern for room in ROOMS for pattern in (room, f"{room}.*")]),
        "tiller.configs",
        "tiller.launch",
    ],
    package_dir={"tiller.configs": "configs", "tiller.launch": "launch"},
    data_files=[
        ("share/ament_index/resource_index/packages", ["launch/ament/tiller"]),
        ("share/tiller", ["launch/ament/package.xml", "launch/tiller-env.sh"]),
        ("share/tiller/launch", sorted(glob("launch/*.launch.py"))),
        ("lib/tiller", sorted(glob("launch/ament/lib/*"))),
    ],
)
