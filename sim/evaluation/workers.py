"""Environments in processes of their own, stepped through whole slices of actions a message.

The parent holds a `WorkerProcess`; the child runs this module.
"""

from __future__ import annotations

from multiprocessing.connection import Connection

from sim.evaluation.lane import Lane, Order, Ready, Report, Setup, build
from sim.process.child import ChildProcess, be_child
from sim.process.failure import Failure, failure


class WorkerProcess(ChildProcess):
    """The parent's side of one worker: send orders, then receive as many reports."""

    def __init__(self, setup: Setup):
        super().__init__("sim.evaluation.workers")
        self.tell(setup)

    def ready(self) -> Ready:
        """Wait until the first environment stands.

        Raises:
            InputError: the task or its options are wrong.
            TillerError: it could not be built.
            WorkerLost: the process has ended.
        """
        answer = self.answer()
        if isinstance(answer, Failure):
            raise answer.error()
        return answer

    def send(self, orders: list[Order]) -> None:
        """Hand out orders, at most one a lane; `receive` must follow before the next ones."""
        self.tell(orders)

    def receive(self) -> list[Report | Failure]:
        """Reports on the orders sent last; a failure, which ends the worker, comes in the place of its report.

        Raises:
            WorkerLost: the process has ended.
        """
        reports: list[Report | Failure] = self.answer()
        return reports


def serve(connection: Connection) -> None:
    """Be a worker until the parent closes its end."""
    setup: Setup = connection.recv()
    try:
        env = build(setup)
    except Exception as error:
        connection.send(failure(error, setup.task_id))
        return
    connection.send(Ready(env.task, env.observation_spec, env.action_spec))
    lanes: dict[int, Lane] = {}
    try:
        while True:
            answers: list[Report | Failure] = []
            for order in connection.recv():
                # The environment that was built first goes to the first lane, the others build their own.
                lane = lanes.setdefault(order.lane, Lane(setup, None if lanes else env))
                try:
                    answers.append(lane.obey(order))
                except Exception as error:
                    connection.send([*answers, failure(error, f"{setup.task_id}, {lane.place}")])
                    return
            connection.send(answers)
    finally:
        for lane in lanes.values():
            lane.close()


if __name__ == "__main__":
    be_child(serve)
