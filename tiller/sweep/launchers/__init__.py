"""Where the runs of a sweep are put: this machine, a Ray cluster, SLURM."""

from tiller.sweep.launchers.choice import LAUNCHERS, open_launcher, read_launcher, require_installed
from tiller.sweep.launchers.launcher import Ended, Job, Launcher

__all__ = ["LAUNCHERS", "Ended", "Job", "Launcher", "open_launcher", "read_launcher", "require_installed"]
