"""Controllers of real robots, emulated with their quirks, and faults to test a gate with. No ROS here."""

from sim.drivers.crisp import CrispJoint, CrispPose
from sim.drivers.driven import DrivenTwin, Port
from sim.drivers.driver import RUNNING, Command, Driver
from sim.drivers.exact import Exact
from sim.drivers.faults import Fault, Faults, parse_fault
from sim.drivers.forward import Forward, JointStateHand
from sim.drivers.gripper import SlowGripper
from sim.drivers.pacer import Pacer
from sim.drivers.trajectory import JointTrajectory

__all__ = [
    "RUNNING",
    "Command",
    "CrispJoint",
    "CrispPose",
    "DrivenTwin",
    "Driver",
    "Exact",
    "Fault",
    "Faults",
    "Forward",
    "JointStateHand",
    "JointTrajectory",
    "Pacer",
    "Port",
    "SlowGripper",
    "parse_fault",
]
