"""Transport settings for the processes of one run: a file in the run's folder and variables of their environment.

Fast DDS by default loses three of four camera images between two processes; with a shared-memory segment that holds
some images it loses none. The segment is sized to the shared memory that is free, because one that does not fit makes
a node fall back to UDP with no more than a line in a log (containers have 64 MB in all). Cyclone and Zenoh read other
files, so each gets its own. Discovery stays on this machine unless asked: on a lab's network a neighbour's topics have
the same names.

This module imports no ROS: launch files ask for a profile through an executable.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Sequence

from real.process.settings import (
    CYCLONE,
    FAST,
    domain_of,
    domain_remark,
    known_middleware,
    log_folder,
    require_settings,
)
from robot.errors import InputError, TillerError, nearest
from robot.folders import is_writable, temporary_folder, user_cache

REACHES = ("localhost", "subnet")
SHARED_MEMORY = Path("/dev/shm")
MB = 1 << 20
# With discovery on this machine rmw_fastrtps adds a segment of its own, of 549,408 bytes, and ports of 52,400 bytes.
RMW_SEGMENT, OF_A_NODE = 549_408, 750_000
SEGMENT, SMALLEST_SEGMENT = 64 * MB, 4 * MB
SOCKET_BUFFER = 4 * MB

# A participant that comes later was seen to meet the others at their next announcement, which Fast DDS makes every 3 s:
# every 0.25 s costs no processor time that could be measured.
# Each node takes a segment of its own; half of what is free is left to others.
PARTICIPANTS = 12

_FAST_XML = """<?xml version="1.0" encoding="UTF-8"?>
<profiles xmlns="http://www.eprosima.com">
  <transport_descriptors>{shared_memory}
    <transport_descriptor>
      <transport_id>udp</transport_id>
      <type>UDPv4</type>
      <sendBufferSize>{buffer}</sendBufferSize>
      <receiveBufferSize>{buffer}</receiveBufferSize>
    </transport_descriptor>
  </transport_descriptors>
  <participant profile_name="tiller" is_default_profile="true">
    <rtps>
      <useBuiltinTransports>false</useBuiltinTransports>
      <userTransports>{first}
        <transport_id>udp</transport_id>
      </userTransports>
      <builtin>
        <discovery_config>
          <leaseDuration><sec>5</sec></leaseDuration>
          <leaseAnnouncement><sec>0</sec><nanosec>250000000</nanosec></leaseAnnouncement>
          <initialAnnouncements>
            <count>20</count>
            <period><nanosec>100000000</nanosec></period>
          </initialAnnouncements>
        </discovery_config>
      </builtin>
    </rtps>
  </participant>
</profiles>
"""

_FAST_SEGMENT = """
    <transport_descriptor>
      <transport_id>shm</transport_id>
      <type>SHM</type>
      <segment_size>{segment}</segment_size>
      <maxMessageSize>{message}</maxMessageSize>
    </transport_descriptor>"""

# No `min` for the buffer: where the kernel allows less, Cyclone would refuse to start.
_CYCLONE_XML = """<?xml version="1.0" encoding="UTF-8"?>
<CycloneDDS xmlns="https://cdds.io/config">
  <Domain Id="any">
    <General>
      <MaxMessageSize>65500B</MaxMessageSize>
      <FragmentSize>4000B</FragmentSize>
    </General>
    <Internal>
      <SocketReceiveBufferSize min="default" max="{buffer}B"/>
    </Internal>
  </Domain>
</CycloneDDS>
"""


@dataclass(frozen=True)
class TransportProfile:
    """What the processes of a run get.

    Args:
        environment: variables to set before they start.
        segment: bytes of shared memory per process; 0 for none.
        remarks: what a person has to know, one line each.
    """

    environment: Mapping[str, str]
    segment: int
    remarks: tuple[str, ...]


def write_profile(
    folder: Path,
    *,
    reach: str | None = None,
    middleware: str | None = None,
    environment: Mapping[str, str] | None = None,
    free: int | None = None,
    participants: int = PARTICIPANTS,
) -> TransportProfile:
    """Write the profile of a run; returns what to put into the environment of its processes.

    What a person has set already (a profile, a discovery range) is kept, with a remark.

    Args:
        folder: of the run; made when it is not there.
        reach: `localhost`, or `subnet` for processes on several machines; None takes ROS_AUTOMATIC_DISCOVERY_RANGE,
            else `localhost`.
        middleware: None takes RMW_IMPLEMENTATION, else Fast DDS.
        environment: to read settings from; None takes this process's.
        free: bytes of free shared memory; None looks.
        participants: how many nodes share it.

    Raises:
        InputError: a domain, reach or middleware that is not known, or a folder that cannot be written.
    """
    environment = os.environ if environment is None else environment
    middleware = middleware or environment.get("RMW_IMPLEMENTATION") or FAST
    known_middleware(middleware)
    log, log_remark = log_folder(environment)
    variables, remarks = dict(log), [each for each in (domain_remark(domain_of(environment)), log_remark) if each]
    cache = user_cache()
    if environment.get("XDG_CACHE_HOME") != str(cache) and cache.parent == temporary_folder():
        variables["XDG_CACHE_HOME"] = str(cache)  # reported once, here, and not by every process
    if reach is not None:
        if reach not in REACHES:
            raise InputError(
                "discovery", expected=f"one of {', '.join(REACHES)}", got=repr(reach), way_out=nearest(reach, REACHES)
            )
        variables["ROS_AUTOMATIC_DISCOVERY_RANGE"] = reach.upper()
    elif "ROS_AUTOMATIC_DISCOVERY_RANGE" not in environment:
        variables["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    folder = folder.absolute()
    if not is_writable(folder):
        raise InputError(
            f"folder {folder} of the transport profile",
            expected="one that can be written",
            got="one that cannot",
            way_out="Choose another one, or TMPDIR",
        )
    segment = 0
    if middleware == FAST:
        segment = segment_size(free_shared_memory() if free is None else free, participants)
        text = _fast(segment)
        name, variable, value = "fastdds.xml", "FASTDDS_DEFAULT_PROFILES_FILE", str(folder / "fastdds.xml")
        if not segment:
            remarks.append(
                f"{SHARED_MEMORY} has no room for {participants} segments of {SMALLEST_SEGMENT // MB} MB: "
                "nodes talk by UDP, and images get lost. Start the container with --shm-size=1g or "
                "--ipc=host; stopped nodes' segments: `fastdds shm clean`"
            )
    elif middleware == CYCLONE:
        text = _CYCLONE_XML.format(buffer=SOCKET_BUFFER)
        name, variable, value = "cyclonedds.xml", "CYCLONEDDS_URI", f"file://{folder / 'cyclonedds.xml'}"
    else:
        text = "transport/shared_memory/enabled=true"
        name, variable, value = "zenoh.txt", "ZENOH_CONFIG_OVERRIDE", text
        remarks.append("Zenoh needs its router: ros2 run rmw_zenoh_cpp rmw_zenohd")
    if environment.get(variable):
        remarks.append(f"{variable} is set and kept: {environment[variable]}")
    else:
        (folder / name).write_text(text, encoding="utf-8")
        variables[variable] = value
    return TransportProfile(variables, segment, tuple(remarks))


def segment_size(free: int, participants: int = PARTICIPANTS) -> int:
    """Bytes of a segment: 64 MB, or what fits `participants` times into half of what is free; 0 when that is less
    than holds a few images.
    """
    size = min(SEGMENT, free // 2 // participants // MB * MB)
    return size if size >= SMALLEST_SEGMENT else 0


def require_shared_memory(nodes: int, environment: Mapping[str, str] | None = None, reach: str | None = None) -> None:
    """Refuse to start nodes that a full shared memory would end with SIGBUS. Where it is too small for even one
    segment, Fast DDS does without.

    Args:
        nodes: to be started.
        environment: to read settings from; None takes this process's.
        reach: as in `write_profile`.

    Raises:
        InputError: there is no room for them.
    """
    environment = os.environ if environment is None else environment
    reach = reach or environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", REACHES[0]).lower()
    if (environment.get("RMW_IMPLEMENTATION") or FAST) != FAST or reach != REACHES[0]:
        return
    try:
        state = os.statvfs(SHARED_MEMORY)
    except OSError:
        return
    free, whole = state.f_bavail * state.f_frsize, state.f_blocks * state.f_frsize
    if whole >= RMW_SEGMENT and free < nodes * OF_A_NODE:
        raise InputError(
            str(SHARED_MEMORY),
            expected=f"{nodes * OF_A_NODE / MB:.1f} MB free for {nodes} nodes",
            got=f"{free / MB:.1f} MB of {whole / MB:.1f} MB",
            way_out="Take away what stopped nodes have left (`fastdds shm clean`), or start the container "
            "with --shm-size=1g or --ipc=host",
        )


def free_shared_memory() -> int:
    """Free bytes; 0 where there is no shared memory."""
    try:
        state = os.statvfs(SHARED_MEMORY)
    except OSError:
        return 0
    return state.f_bavail * state.f_frsize


def user_folder() -> Path:
    """The folder of the profile of a node that was started alone."""
    return user_cache() / "tiller" / "ros"


def main(words: Sequence[str]) -> int:
    """Write a profile and print its variables as JSON, for launch files."""
    parser = argparse.ArgumentParser(prog="dds_profile", description="Write a transport profile; print its variables.")
    parser.add_argument("--folder", type=Path, default=None, help="where to; the user's cache folder unless given")
    parser.add_argument("--discovery", default=None, help=f"{' or '.join(REACHES)}; from the environment unless given")
    options = parser.parse_args(words)
    try:
        require_settings()
        profile = write_profile(options.folder or user_folder(), reach=options.discovery or None)
    except TillerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for remark in profile.remarks:
        print(remark, file=sys.stderr)
    print(json.dumps(dict(profile.environment)))
    return 0


def _fast(segment: int) -> str:
    shared = _FAST_SEGMENT.format(segment=segment, message=segment // 4) if segment else ""
    first = "\n        <transport_id>shm</transport_id>" if segment else ""
    return _FAST_XML.format(shared_memory=shared, first=first, buffer=SOCKET_BUFFER)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
