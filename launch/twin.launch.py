"""A twin in the place of the robot's driver, and before it the same graph as on the robot.

    ros2 launch tiller twin.launch.py task:=twin/lift checkpoint:=/path/to/policy

The arguments of deploy.launch.py are arguments here too.
"""

import os
from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, OrSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SWITCH = ["true", "false"]

# The process of the launch, without which nobody would end a node; the gate in front of the twin ends first.
ENVIRONMENT = {"TILLER_PARENT": str(os.getpid()), "TILLER_LINGER_S": "1.5"}
ARGUMENTS = [
    DeclareLaunchArgument(
        "contract",
        default_value="panda_twin",
        description="contract of the twin: a name of configs/contract, or a file",
    ),
    DeclareLaunchArgument("task", default_value="twin/lift", description="task of the twin"),
    DeclareLaunchArgument("namespace", default_value="", description="namespace of the robot's topics, such as /left"),
    DeclareLaunchArgument("seed", default_value="0", description="of the first start, and of the policy's noise"),
    DeclareLaunchArgument("speed", default_value="1.0", description="of the twin's time against real time"),
    DeclareLaunchArgument(
        "clock", default_value="false", choices=SWITCH, description="the twin's time, on /clock, is everybody's"
    ),
    DeclareLaunchArgument(
        "lock_step",
        default_value="false",
        choices=SWITCH,
        description="the twin waits for the policy; implies the clock",
    ),
]


def generate_launch_description():
    simulated = OrSubstitution(LaunchConfiguration("clock"), LaunchConfiguration("lock_step"))
    deploy = PythonLaunchDescriptionSource(str(Path(__file__).with_name("deploy.launch.py")))

    def value(name, kind):
        return ParameterValue(LaunchConfiguration(name), value_type=kind)

    twin = Node(
        package="tiller",
        executable="twin_node",
        namespace=LaunchConfiguration("namespace"),
        output="screen",
        parameters=[
            {
                "contract": value("contract", str),
                "task": value("task", str),
                "seed": value("seed", int),
                "speed": value("speed", float),
                "clock": ParameterValue(simulated, value_type=bool),
                "lock_step": value("lock_step", bool),
            }
        ],
        additional_env=ENVIRONMENT,
        on_exit=Shutdown(reason="the twin has ended"),
    )
    # Included first: it sets the transport profile that the twin needs too.
    given = {"contract": LaunchConfiguration("contract"), "use_sim_time": simulated}
    return LaunchDescription(
        [
            *ARGUMENTS,
            IncludeLaunchDescription(deploy, launch_arguments=given.items()),
            twin,
        ]
    )
