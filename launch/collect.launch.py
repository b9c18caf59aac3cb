"""A person records episodes: the graph of deploy.launch.py with a recorder, a gamepad and the page.

    ros2 launch tiller collect.launch.py contract:=fr3_crisp record:=/data/my_lifts

The robot's own driver is started by its own launch file. The arguments of deploy.launch.py are arguments here too. A
keyboard needs a terminal of its own: teleop:=none, and `tiller node teleop device=keyboard` there.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

ARGUMENTS = [
    DeclareLaunchArgument("contract", description="contract of the robot: a name of configs/contract, or a file"),
    DeclareLaunchArgument("record", description="folder of the dataset, made where there is none"),
    DeclareLaunchArgument(
        "teleop", default_value="gamepad", choices=["none", "gamepad"], description="device of the person"
    ),
    DeclareLaunchArgument(
        "page", default_value="true", choices=["true", "false"], description="cameras, robot and status in a browser"
    ),
]


def generate_launch_description():
    deploy = PythonLaunchDescriptionSource(str(Path(__file__).with_name("deploy.launch.py")))
    given = {name: LaunchConfiguration(name) for name in ("contract", "record", "teleop", "page")}
    return LaunchDescription([*ARGUMENTS, IncludeLaunchDescription(deploy, launch_arguments=given.items())])
