"""The gate of a robot, its policy and what watches them. The robot's own driver is started by its own launch file.

    ros2 launch tiller deploy.launch.py contract:=fr3_crisp checkpoint:=/path/to/policy

Topics of the robot are in its contract. When the gate ends, everything ends; nothing is started again.
"""

import json
import os
import subprocess
from pathlib import Path

from ament_index_python.packages import get_package_prefix
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable, Shutdown
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, NotEqualsSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SWITCH = ["true", "false"]

# The process of the launch, without which nobody would end a node.
PARENT = {"TILLER_PARENT": str(os.getpid())}
TOPICS = {
    "policy/chunk": "chunks of actions, trajectory_msgs/JointTrajectory",
    "policy/task": "an instruction for the policy in place of the task's, std_msgs/String, latched",
    "teleop/target": "targets of a person, trajectory_msgs/JointTrajectory of one row",
    "gate/sent": "what was asked for and what was sent, trajectory_msgs/JointTrajectory",
    "gate/state": "mode of the gate, std_msgs/String, latched",
    "recorder/state": "what the recorder does, std_msgs/String, latched: JSON",
    "status": "status of every node, diagnostic_msgs/DiagnosticArray",
    "alive": "sign of life of the supervisor, std_msgs/Header",
    "enable_held": "a person holds the enabling device, sensor_msgs/Joy",
}
ARGUMENTS = [
    DeclareLaunchArgument("contract", description="contract of the robot: a name of configs/contract, or a file"),
    DeclareLaunchArgument("namespace", default_value="", description="namespace of the robot's topics, such as /left"),
    DeclareLaunchArgument("checkpoint", default_value="", description="folder of the policy; empty for none"),
    DeclareLaunchArgument(
        "task", default_value="", description="task of a twin, whose name an embodiment may have; empty on a robot"
    ),
    DeclareLaunchArgument(
        "embodiment", default_value="", description="of a policy of several; empty takes that of the contract"
    ),
    DeclareLaunchArgument(
        "instruction", default_value="", description="what the policy is told to do; empty leaves it to the task"
    ),
    DeclareLaunchArgument(
        "teleop",
        default_value="none",
        description="device of a person, such as gamepad; a keyboard needs a terminal: tiller node teleop",
    ),
    DeclareLaunchArgument("supervisor", default_value="true", choices=SWITCH, description="start the supervisor"),
    DeclareLaunchArgument(
        "record", default_value="", description="folder of a dataset into which takes are recorded; empty for none"
    ),
    DeclareLaunchArgument(
        "page", default_value="false", choices=SWITCH, description="cameras, robot and status in a browser"
    ),
    DeclareLaunchArgument(
        "shadow", default_value="false", choices=SWITCH, description="the gate computes and logs, and sends nothing"
    ),
    DeclareLaunchArgument("seed", default_value="0", description="of the policy's noise"),
    DeclareLaunchArgument(
        "device", default_value="cpu", choices=["cpu", "cuda", "auto"], description="where the policy computes"
    ),
    DeclareLaunchArgument(
        "delay_steps",
        default_value="0",
        description="rows that pass while a plan is made, which the plan continues; -1 measures",
    ),
    DeclareLaunchArgument(
        "records", default_value="", description="folder of the gate's flight records; empty is the working folder"
    ),
    DeclareLaunchArgument(
        "lock_step", default_value="false", choices=SWITCH, description="twins only: the twin waits for the policy"
    ),
    DeclareLaunchArgument("use_sim_time", default_value="false", choices=SWITCH, description="time comes from /clock"),
    DeclareLaunchArgument(
        "discovery",
        default_value="localhost",
        choices=["localhost", "subnet"],
        description="which machines find one another",
    ),
    DeclareLaunchArgument(
        "profile_folder",
        default_value="",
        description="where the transport profile is written; empty is the user's cache folder",
    ),
    *[
        DeclareLaunchArgument(topic.replace("/", "_"), default_value=topic, description=f"topic: {text}")
        for topic, text in TOPICS.items()
    ],
]


def set_profile(context):
    """Write the transport profile, sized to free shared memory, and hand its variables to every process."""
    words = [
        Path(get_package_prefix("tiller")) / "lib" / "tiller" / "dds_profile",
        "--discovery",
        LaunchConfiguration("discovery").perform(context),
    ]
    folder = LaunchConfiguration("profile_folder").perform(context)
    done = subprocess.run(
        [*words, "--folder", folder] if folder else words, env=dict(context.environment), capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"dds_profile: {done.stderr.strip()}")
    return [
        *[SetEnvironmentVariable(name, value) for name, value in json.loads(done.stdout).items()],
        *[LogInfo(msg=line) for line in done.stderr.splitlines()],
    ]


def switch(name):
    return ParameterValue(LaunchConfiguration(name), value_type=bool)


def text(name):
    return ParameterValue(LaunchConfiguration(name), value_type=str)


def number(name):
    return ParameterValue(LaunchConfiguration(name), value_type=int)


def node(name, parameters, **options):
    """A node of tiller with what all of them share."""
    common = {"contract": text("contract"), "use_sim_time": switch("use_sim_time")}
    remappings = [(topic, LaunchConfiguration(topic.replace("/", "_"))) for topic in TOPICS]
    return Node(
        package="tiller",
        executable=f"{name}_node",
        namespace=LaunchConfiguration("namespace"),
        parameters=[{**common, **parameters}],
        remappings=remappings,
        output="screen",
        additional_env=PARENT,
        **options,
    )


def generate_launch_description():
    return LaunchDescription(
        [
            *ARGUMENTS,
            OpaqueFunction(function=set_profile),
            node(
                "gate",
                {"shadow": switch("shadow"), "lock_step": switch("lock_step"), "records": text("records")},
                on_exit=Shutdown(reason="the gate has ended"),
            ),
            node("supervisor", {}, condition=IfCondition(LaunchConfiguration("supervisor"))),
            node(
                "policy",
                {
                    "checkpoint": text("checkpoint"),
                    "embodiment": text("embodiment"),
                    "task": text("task"),
                    "instruction": text("instruction"),
                    "seed": number("seed"),
                    "device": text("device"),
                    "delay_steps": number("delay_steps"),
                    "lock_step": switch("lock_step"),
                },
                condition=IfCondition(NotEqualsSubstitution(LaunchConfiguration("checkpoint"), "")),
            ),
            node(
                "recorder",
                {"store": text("record"), "instruction": text("instruction"), "policy": text("checkpoint")},
                condition=IfCondition(NotEqualsSubstitution(LaunchConfiguration("record"), "")),
                on_exit=Shutdown(reason="the recorder has ended"),
            ),
            node("page", {"device": text("teleop")}, condition=IfCondition(LaunchConfiguration("page"))),
            node(
                "teleop",
                {"device": text("teleop")},
                condition=IfCondition(NotEqualsSubstitution(LaunchConfiguration("teleop"), "none")),
            ),
        ]
    )
