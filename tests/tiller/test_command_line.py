"""The frame of the command line: verbs, help, exit codes, quick starts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tiller import cli
from tiller.cli import VERBS, main
from tiller.rooms import shadowed_rooms
from tiller.sweep import expand

HEAVY = ("torch", "mujoco", "zarr", "diffusers", "transformers", "robosuite", "gymnasium", "matplotlib", "hydra")


def loaded_after(code: str) -> set[str]:
    """Heavy packages that a fresh interpreter has imported after some code."""
    printed = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print([name for name in {HEAVY!r} if name in sys.modules])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return set(eval(printed.strip().splitlines()[-1]))


@pytest.mark.parametrize(
    "code", ["import tiller", "import robot, data, policies, sim, real", "from tiller.cli import main; main([])"]
)
def test_starting_imports_nothing_heavy(code: str) -> None:
    assert loaded_after(code) == set()


def test_help_of_a_verb_needs_no_torch() -> None:
    assert loaded_after("from tiller.cli import main; main(['train', '--help'])") <= {"hydra"}


def test_no_words_list_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {verb} " in shown and line in shown for verb, line in VERBS.items())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: tiller {verb}")


def test_help_says_something_of_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", "--help"])
    shown = capsys.readouterr().out.split("\nkeys\n")[1].split("\n\n")[0]
    for line in shown.splitlines():
        assert len(line.split("=", 1)[-1].split("  ")) > 1 or line.startswith("   "), line


def test_unforeseen_failure_is_one_message(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(verb: str, words: list[str]) -> int:
        raise RuntimeError("the reason")

    monkeypatch.setattr(cli, "_run", fail)
    assert main(["train"]) == 1
    message = capsys.readouterr().err
    assert "the reason" in message and "TILLER_DEBUG=1" in message and "Traceback" not in message
    monkeypatch.setenv("TILLER_DEBUG", "1")
    with pytest.raises(RuntimeError):
        main(["train"])


def test_interruption_has_the_code_of_a_signal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(verb: str, words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", stop)
    assert main(["train"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_doctor_says_that_the_core_works_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "The core works." in shown and "train on the CPU" in shown


def test_foreign_package_that_shadows_a_room_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert shadowed_rooms() == {}
    (tmp_path / "robot").mkdir()
    (tmp_path / "robot" / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import tiller"],
        capture_output=True,
        text=True,
    )
    assert "'robot' is shadowed by" in done.stderr and str(tmp_path) in done.stderr


def test_sweep_expands_lists_and_ranges_in_order() -> None:
    cells = expand(["task=a", "training.seed=range(0,2)", "policy=x,y"])
    assert [cell.name for cell in cells] == [
        "training.seed-0+policy-x",
        "training.seed-0+policy-y",
        "training.seed-1+policy-x",
        "training.seed-1+policy-y",
    ]
    assert cells[3].overrides == ("task=a", "training.seed=1", "policy=y")


@pytest.mark.parametrize("words", [("--help",), (), ("--version",), ("train", "--help"), ("data",), ("node",)])
def test_a_reader_that_has_seen_enough_ends_no_command_in_a_traceback(words: tuple[str, ...]) -> None:
    code = f"from tiller.cli import entry; import sys; sys.argv = ['tiller', *{words!r}]; input(); entry()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdin is not None and process.stderr is not None
    process.stdout.close()  # as head does, before the first line comes
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.stderr.read() == b"" and process.wait() == 0


def test_the_overview_says_what_the_demo_runs_on() -> None:
    from tiller.configuration.compose import groups_of

    task = groups_of("demo")["task"]
    assert task == "twin/lift" and "twin's task lift" in VERBS["demo"]
