"""The C++ headers do what Python does: compiled here and held to the vectors, and caught when they do not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.passivity_vectors import FILES, VECTORS

CPP = Path(__file__).parents[4] / "cpp"
COMPILER = os.environ.get("CXX") or shutil.which("c++") or ""
STRICT = ("-std=c++17", "-Wall", "-Wextra", "-Werror")
needs_compiler = pytest.mark.skipif(not COMPILER, reason="no C++ compiler here (neither $CXX nor c++)")
pytestmark = needs_compiler

# A line of a header, and what it could be by mistake.
QUICK = {
    "half of the braking share": ("energy.hpp", "braking_share = 0.5;", "braking_share = 0.45;"),
    "no margin for the latency": ("setpoint.hpp", "std::sqrt(2 * after) + reach", "std::sqrt(2 * after)"),
    "work with the other sign": ("energy.hpp", "before - work + added", "before + work + added"),
}
SLOW = {
    "force without its square root": ("setpoint.hpp", "push = std::sqrt(push);", ""),
    "a share that may end outside": ("energy.hpp", "inside = 1.0 - 1e-9;", "inside = 1.0;"),
    "a cap that adds": ("energy.hpp", "level = budget.capacity_j;", "level = budget.capacity_j + 1e-9;"),
    "an overdraft that is clamped": (
        "energy.hpp",
        "level_j = level;\n        work_j",
        "level_j = std::max(level, 0.0);\n        work_j",
    ),
    "gamma forgotten": ("energy.hpp", "budget.gamma * std::max", "std::max"),
    "braking blocked at an empty tank": (
        "energy.hpp",
        "if (!gave) room = std::max(room, braking_share",
        "if (!gave) room = std::min(-1.0, braking_share",
    ),
    "the reserve for all": ("energy.hpp", "tank.level_j - budget.reserve_j", "tank.level_j"),
    "power without its period": ("energy.hpp", "budget.power_w * period_s) :", "budget.power_w) :"),
    "no latch": ("energy.hpp", "if (!finite || tank.latched)", "if (!finite)"),
    "a supply without a limit": (
        "energy.hpp",
        "std::min(supply, budget.supply_w * period_s)",
        "(std::isinf(supply) ? budget.supply_w * period_s : supply)",
    ),
    "drives that give anything": (
        "energy.hpp",
        "return std::min(std::max(value, drives.low[i]), drives.high[i]);",
        "return i < drives.n ? value : 0.0;",
    ),
    "the margin forgets its half": ("energy.hpp", "half = 0.5 * period_s", "half = period_s"),
    "damping that is not kept": ("energy.hpp", "damping == nullptr ? 0.0 : cut(i, damping[i]);", "0.0;"),
    "no margin for the old pair": ("setpoint.hpp", "std::sqrt(2 * before) - old_reach", "std::sqrt(2 * before)"),
    "the change not bounded": ("setpoint.hpp", "std::min(most - least, change)", "(most - least)"),
    "a force cap on all components": ("setpoint.hpp", "if (b == 0) push", "push"),
    "set-points before stiffness": (
        "setpoint.hpp",
        "if (softens && unchanged + old_reach <= root",
        "if (false && unchanged + old_reach <= root",
    ),
    "the room forgets the spring": ("setpoint.hpp", " - spring(setpoint_, stiffness_, tool), 0.0)", ", 0.0)"),
    "a stage that forgets what it applied": (
        "torque_stage.hpp",
        "        applied_ = torque;\n        return reason;",
        "        return reason;",
    ),
    "a stage that loses the joints": ("torque_stage.hpp", "if (known) before_", "if (!known) before_"),
    "a stage that waits": ("torque_stage.hpp", "elapsed_s <= settings_.late_s", "elapsed_s <= 2 * settings_.late_s"),
    "power for longer than a period": ("setpoint.hpp", "budget.power_w * settings_.period_s", "budget.power_w * 1.0"),
    "work that is not booked": ("setpoint.hpp", "std::isfinite(work_j) ? work_j : 0.0", "0.0"),
    "an indefinite stiffness": ("setpoint.hpp", "if (i == j && !(sum > 0.0)) return false;", ""),
}


def build(source: Path, include: Path, folder: Path, *options: str) -> Path:
    """Compile a program; what the compiler says is in the failure."""
    program = folder / source.stem
    done = subprocess.run(
        [COMPILER, *STRICT, *options, f"-I{include}", str(source), "-o", str(program)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return program


def check(program: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *map(str, files)], capture_output=True, text=True, timeout=60)


def vectors() -> list[Path]:
    return [VECTORS / f"{name}.json" for name in FILES]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The check, as the page says to compile it."""
    return build(CPP / "check_vectors.cpp", CPP / "include", tmp_path_factory.mktemp("check"), "-O2")


def test_the_header_agrees_with_every_vector(program):
    done = check(program, *vectors())
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) == len(FILES)
    for line, path in zip(lines, vectors()):
        cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
        assert line.startswith(f"{path}: {len(cases)} cases, ") and " 0 wrong" in line


def test_a_vector_that_is_otherwise_is_told_by_its_name(program, tmp_path):
    told = json.loads((VECTORS / "torque_filter.json").read_text(encoding="utf-8"))
    told["cases"][4]["steps"][0]["expect"]["torque"][0] += 1e-10
    told["cases"][5]["steps"][0]["expect"]["reason"] = "power"
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    done = check(program, path)
    assert done.returncode == 1
    assert f"{told['cases'][4]['name']}, step 0: torque[0]" in done.stdout
    assert f"{told['cases'][5]['name']}, step 0: reason is 'tank', expected 'power'" in done.stdout
    assert "2 wrong" in done.stdout


@pytest.mark.parametrize(
    "text, told",
    [
        ("", "expected a value"),
        ('{"format": "another"}', "another format"),
        ("[1, 2", "expected ',' or ']'"),
        ('{"format": "tiller energy vectors 1", "kind": "torque", "cases": []}', "no cases"),
        ('{"format": "tiller energy vectors 1", "kind": "poetry", "cases": []}', "unknown kind"),
    ],
)
def test_a_file_that_is_none_is_refused(program, tmp_path, text, told):
    path = tmp_path / "none.json"
    path.write_text(text, encoding="utf-8")
    done = check(program, path)
    assert done.returncode == 1 and told in done.stdout


def test_the_check_asked_nothing_says_how(program, tmp_path):
    assert check(program).returncode == 2
    done = check(program, tmp_path / "nowhere.json")
    assert done.returncode == 1 and "cannot be read" in done.stdout


def test_the_check_measures_the_time_of_a_call(program):
    done = subprocess.run([str(program), "--time"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert len([line for line in done.stdout.splitlines() if line.startswith("tank at") and " p50 " in line]) == 3


@pytest.mark.parametrize("mistake", [*QUICK, *(pytest.param(each, marks=pytest.mark.slow) for each in SLOW)])
def test_a_mistake_in_the_header_is_caught(tmp_path, mistake):
    header, right, wrong = {**QUICK, **SLOW}[mistake]
    include = tmp_path / "include"
    shutil.copytree(CPP / "include", include)
    path = include / "tiller" / header
    source = path.read_text(encoding="utf-8")
    assert source.count(right) == 1
    path.write_text(source.replace(right, wrong), encoding="utf-8")
    # A mistake may leave something unused, which is not the point.
    done = check(build(CPP / "check_vectors.cpp", include, tmp_path, "-Wno-error"), *vectors())
    assert done.returncode == 1 and " wrong" in done.stdout and "expected" in done.stdout


TWO_FILES = """
#include "tiller/setpoint.hpp"
#include "tiller/torque_stage.hpp"
double elsewhere();
#ifdef MAIN
#include <cstdlib>
#include <new>
static bool counted = false;
static int allocations = 0;
void* operator new(std::size_t size) { if (counted) ++allocations; return std::malloc(size); }
int main() {
    using namespace tiller::energy;
    const Budget budget{0.05, 0.02, 0.1, 5.0, 0.0, 0.2, 0.1, 20.0};
    TorqueStage<2> stage({budget, 0.001, 0.0015, {50.0, 50.0}, {-20.0, -20.0}, {20.0, 20.0}});
    SetpointFilter<2> filter({0.0, 0.0}, {500.0, 0.0, 0.0, 500.0}, {0.02, 0.0, true, true, 1, {Block{0, 2, 0.0}, {}}});
    Tank tank;
    tank.fill(budget);
    counted = true;
    static double* kept = new double(elsewhere());
    if (!(*kept > 0.0) || allocations != 1) return 2;
    allocations = 0;
    int changed = 0;
    for (int k = 0; k < 1000; ++k) {
        std::array<double, 2> torque{15.0, -9.0};
        changed += stage.update(torque, nullptr, {0.0004 * k, 0.0}, {0.4, 0.0}, 0.001) != Reason::none;
        changed += filter.filter({0.1 * (k % 7), 0.0}, {0.0, 0.01}, nullptr, 0.0, budget, tank).reason != Reason::none;
    }
    return allocations == 0 && changed > 1000 ? 0 : 1;
}
#else
double elsewhere() { return tiller::energy::Budget{1.0, 0.0, 1.0, 1.0}.initial_j; }
#endif
"""


def test_the_headers_go_into_several_files_and_allocate_nothing(tmp_path):
    source = tmp_path / "both.cpp"
    source.write_text(TWO_FILES, encoding="utf-8")
    options = [*STRICT, "-pedantic", "-Wconversion", "-Wshadow", "-O1", f"-I{CPP / 'include'}"]
    for name, extra in (("elsewhere", ("-fno-exceptions", "-fno-rtti")), ("main", ("-DMAIN",))):
        done = subprocess.run(
            [COMPILER, *options, *extra, "-c", str(source), "-o", str(tmp_path / f"{name}.o")],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
    program = tmp_path / "both"
    subprocess.run(
        [COMPILER, str(tmp_path / "main.o"), str(tmp_path / "elsewhere.o"), "-o", str(program)], check=True, timeout=120
    )
    assert subprocess.run([str(program)], timeout=60).returncode == 0


HEADERS = sorted(path.name for path in (CPP / "include" / "tiller").iterdir())


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("option", ["-ffast-math", "-Ofast", "-ffinite-math-only", "-D_M_FP_FAST"])
def test_a_compiler_that_assumes_away_nan_is_refused(tmp_path, header, option):
    source = tmp_path / "controller.cpp"
    source.write_text(f'#include "tiller/{header}"\n', encoding="utf-8")
    command = [COMPILER, "-std=c++17", "-fsyntax-only", f"-I{CPP / 'include'}", str(source)]
    plain = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert plain.returncode == 0, plain.stderr
    fast = subprocess.run([*command, option], capture_output=True, text=True, timeout=120)
    assert fast.returncode != 0 and "tiller: needs IEEE arithmetic" in fast.stderr
    # The page's way out.
    if not option.startswith("-D"):
        undone = [*command, option, "-fno-fast-math", "-fno-finite-math-only"]
        assert subprocess.run(undone, timeout=120).returncode == 0


def test_a_controller_with_the_stage_gives_no_more_than_its_budget(tmp_path):
    done = subprocess.run(
        [str(build(CPP / "hooked_controller.cpp", CPP / "include", tmp_path, "-O2"))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = {
        words[0]: dict(zip(words[1::2], map(float, words[2::2]))) for words in map(str.split, done.stdout.splitlines())
    }
    held, free = found["with"], found["without"]
    # 0.5 J in the tank, and the mass at rest at first: by the program's own account.
    assert held["given_at_most_j"] <= 0.5 and held["overdrafts"] == 0
    assert held["peak_n"] <= (2 * 1e5 * 0.5) ** 0.5
    assert free["given_at_most_j"] > 0.5 and free["peak_n"] > held["peak_n"]
    assert abs(held["residual_j"]) < 1e-3 and abs(free["residual_j"]) < 1e-3
