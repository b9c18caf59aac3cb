"""What the environment sets for ROS, checked before any ROS starts.

A wrong domain or middleware ends a node in the libraries below rclpy: with an exit of theirs, with lines about ports,
or, for a domain of -1, in domain 0 with everybody else. This module imports no ROS.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Mapping

from robot.errors import InputError, nearest
from robot.folders import home_folder, is_writable, temporary_folder

FAST, CYCLONE, ZENOH = "rmw_fastrtps_cpp", "rmw_cyclonedds_cpp", "rmw_zenoh_cpp"
MIDDLEWARES = (FAST, CYCLONE, ZENOH)
EXECUTORS = ("events", "single")
RANGES = ("SUBNET", "LOCALHOST", "OFF", "SYSTEM_DEFAULT")

# Ports of DDS begin at 7400, 250 per domain, and have to end at 65535.
LAST_DOMAIN = 232
_PORTS, _PORTS_OF_A_DOMAIN = 7400, 250
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def require_settings(environment: Mapping[str, str] | None = None) -> None:
    """Refuse what is set for ROS and cannot work, in one message.

    Args:
        environment: to read from; None takes this process's.

    Raises:
        InputError: the domain, the middleware, the discovery range or the executor.
    """
    environment = os.environ if environment is None else environment
    domain_of(environment)
    middleware_of(environment)
    for variable, choices in (("ROS_AUTOMATIC_DISCOVERY_RANGE", RANGES), ("TILLER_EXECUTOR", EXECUTORS)):
        value = environment.get(variable)
        if value and value not in choices:
            raise InputError(
                variable, expected="one of its values, or none", got=repr(value), way_out=nearest(value, choices)
            )


def domain_of(environment: Mapping[str, str] | None = None) -> int:
    """The ROS domain: ROS_DOMAIN_ID, 0 where it is empty or not set.

    Raises:
        InputError: it is no whole number from 0 to 232.
    """
    text = (os.environ if environment is None else environment).get("ROS_DOMAIN_ID", "")
    if not text:
        return 0
    # Plain digits only: what reads it below (rcl, other tools) takes signs and spaces each in its own way.
    if not re.fullmatch(r"[0-9]+", text) or int(text) > LAST_DOMAIN:
        number = re.fullmatch(r"\s*\+?0*([0-9]+)\s*", text)
        fits = number is not None and int(number.group(1)) <= LAST_DOMAIN
        way_out = f"ROS_DOMAIN_ID={number.group(1)}" if number is not None and fits else "unset ROS_DOMAIN_ID takes 0"
        raise InputError(
            "ROS_DOMAIN_ID", expected=f"a whole number from 0 to {LAST_DOMAIN}", got=repr(text), way_out=way_out
        )
    return int(text)


def domain_remark(domain: int) -> str:
    """A remark for people on a domain; empty for none. Its ports may be among those that the system gives to
    any program (https://docs.ros.org/en/rolling/Concepts/Intermediate/About-Domain-ID.html).
    """
    first = _PORTS + _PORTS_OF_A_DOMAIN * domain
    try:
        low, high = map(int, EPHEMERAL.read_text().split())
    except (OSError, ValueError):
        return ""
    if first > high or first + _PORTS_OF_A_DOMAIN <= low:
        return ""
    return (
        f"ROS_DOMAIN_ID={domain}: its ports lie among those that this system gives to any program ({low} to "
        f"{high}), so a node may find one taken"
    )


def middleware_of(environment: Mapping[str, str] | None = None) -> str:
    """The middleware: RMW_IMPLEMENTATION, else Fast DDS.

    Raises:
        InputError: tiller knows no settings for it, or it is not installed here.
    """
    environment = os.environ if environment is None else environment
    name = environment.get("RMW_IMPLEMENTATION") or FAST
    installed = installed_middlewares(environment)
    if installed and name not in installed:
        distribution = environment.get("ROS_DISTRO")
        get = (
            f"apt install ros-{distribution}-{name.replace('_', '-')}"
            if distribution
            else "source a ROS installation that has it; the wheels bring no other"
        )
        way_out = f"RMW_IMPLEMENTATION={installed[0]}, or unset it" + (
            f". To get the other: {get}" if name in MIDDLEWARES else ""
        )
        raise InputError(
            "RMW_IMPLEMENTATION",
            expected=f"a middleware that is installed: {', '.join(installed)}",
            got=repr(name),
            way_out=way_out,
        )
    known_middleware(name)
    return name


def known_middleware(name: str) -> None:
    """Raises:
    InputError: tiller knows no settings for this middleware.
    """
    if name not in MIDDLEWARES:
        raise InputError(
            "middleware (RMW_IMPLEMENTATION)",
            expected="one that tiller has settings for",
            got=repr(name),
            way_out=nearest(name, MIDDLEWARES),
        )


def installed_middlewares(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Middlewares of the ROS that this process would load, as ROS's own index has them; empty where it has none."""
    environment = os.environ if environment is None else environment
    prefixes = [*environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    names = {
        file.name
        for prefix in prefixes
        if prefix
        for file in Path(prefix, "share/ament_index/resource_index/rmw_typesupport").glob("*")
    }
    return tuple(sorted(names - {"rmw_implementation"}))


def log_folder(environment: Mapping[str, str] | None = None) -> tuple[dict[str, str], str]:
    """The folder of rclpy's log. Without a folder that it can write to, rclpy does not start.

    Returns:
        The variables to set for it, and a remark; both empty where rclpy finds a folder by itself.
    """
    environment = os.environ if environment is None else environment
    given = environment.get("ROS_LOG_DIR") or (environment.get("ROS_HOME") and f"{environment['ROS_HOME']}/log")
    home = home_folder(".ros", "log")
    folder = Path(given).expanduser() if given else home
    if folder is not None and is_writable(folder):
        # rclpy reads HOME alone, where Python also reads the system's list of users.
        return ({} if given or environment.get("HOME") else {"ROS_LOG_DIR": str(folder)}), ""
    instead = temporary_folder() / "log"
    why = f"{folder} cannot be written" if folder is not None else "there is no home folder (HOME)"
    return {"ROS_LOG_DIR": str(instead)}, f"{why}, so ROS logs to {instead}. ROS_LOG_DIR chooses another folder"
