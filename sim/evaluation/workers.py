"""Environments in processes of their own, stepped through whole slices of actions per message.

The parent holds a `WorkerProcess`; the child runs this module.
"""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Sequence

from sim.evaluation.env_runner import EnvConfig, EnvRunner, EnvSpecs, Hold, Reset, StepResult, Steps, build
from sim.process.child import ChildProcess, be_child
from sim.process.failure import Failure, failure


class WorkerProcess(ChildProcess):
    """The parent's side of one worker: send commands, then receive as many results."""

    def __init__(self, config: EnvConfig):
        super().__init__("sim.evaluation.workers")
        self.tell(config)

    def ready(self) -> EnvSpecs:
        """Wait until the first environment is built.

        Raises:
            InputError: the task or its options are wrong.
            TillerError: it could not be built.
            WorkerLost: the process has ended.
        """
        answer = self.answer()
        if isinstance(answer, Failure):
            raise answer.error()
        return answer

    def send(self, commands: Sequence[Reset | Steps | Hold]) -> None:
        """Hand out commands, at most one per environment; `receive` must follow before the next ones."""
        self.tell(commands)

    def receive(self) -> list[StepResult | Failure]:
        """Results of the commands sent last; a failure, which ends the worker, comes instead of its result.

        Raises:
            WorkerLost: the process has ended.
        """
        results: list[StepResult | Failure] = self.answer()
        return results


def serve(connection: Connection) -> None:
    """Serve as a worker until the parent closes its end."""
    config: EnvConfig = connection.recv()
    try:
        env = build(config)
    except Exception as error:
        connection.send(failure(error, config.task_id))
        return
    connection.send(EnvSpecs(env.task, env.observation_spec, env.action_spec))
    runners: dict[int, EnvRunner] = {}
    try:
        while True:
            answers: list[StepResult | Failure] = []
            for command in connection.recv():
                # The first runner gets the environment that was built first, the others build their own.
                runner = runners.setdefault(command.env, EnvRunner(config, None if runners else env))
                try:
                    answers.append(runner.run(command))
                except Exception as error:
                    connection.send([*answers, failure(error, f"{config.task_id}, {runner.moment}")])
                    return
            connection.send(answers)
    finally:
        for runner in runners.values():
            runner.close()


if __name__ == "__main__":
    be_child(serve)
