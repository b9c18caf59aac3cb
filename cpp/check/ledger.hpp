// Cases of inputs and of the ledger. SPDX-License-Identifier: Apache-2.0
#ifndef TILLER_CHECK_LEDGER_HPP
#define TILLER_CHECK_LEDGER_HPP

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <vector>

#include "tally.hpp"
#include "tiller/setpoint.hpp"

using namespace tiller::energy;

inline Budget budget_of(const Json& told) {
    return {told["initial_j"].number(), told["reserve_j"].number(), told["capacity_j"].number(),
            told["power_w"].number(), told["supply_w"].number(), told["gamma"].number(),
            told["spring_j"].number(), told["force_n"].number()};
}

inline void compare_tank(Tally& tally, const Tank& tank, const Json& expected) {
    tally.number("level_j", tank.level_j, expected["level_j"].number());
    tally.number("work_j", tank.work_j, expected["work_j"].number());
    tally.number("spent_j", tank.spent_j, expected["spent_j"].number());
    tally.number("peak_j", tank.peak_j, expected["peak_j"].number());
    tally.number("supplied_j", tank.supplied_j, expected["supplied_j"].number());
    tally.number("spilled_j", tank.spilled_j, expected["spilled_j"].number());
    tally.number("overdrafts", static_cast<double>(tank.overdrafts), expected["overdrafts"].number());
    tally.number("overdraft_j", tank.overdraft_j, expected["overdraft_j"].number());
    tally.number("steps", static_cast<double>(tank.steps), expected["steps"].number());
    tally.truth("latched", tank.latched, expected["latched"].truth());
}

template <std::size_t N>
std::array<double, N> fixed(const Json& told) {
    const std::vector<double> all = told.numbers();
    if (all.size() != N) throw std::runtime_error("expected " + std::to_string(N) + " numbers");
    std::array<double, N> found{};
    std::copy(all.begin(), all.end(), found.begin());
    return found;
}

template <std::size_t M>
bool accepted(const Json& stiffness) {
    return positive_definite<M>(fixed<M * M>(stiffness));
}

// Which budgets and stiffnesses are none.
inline void check_inputs(const Json& test, Tally& tally) {
    if (test.has("budget")) {
        tally.truth("accepted", budget_of(test["budget"]).problem() == nullptr, test["expect"]["accepted"].truth());
        return;
    }
    const Json& told = test["stiffness"];
    const std::size_t m = told.items().size();
    tally.truth("accepted", m == 1 ? accepted<1>(told) : m == 2 ? accepted<2>(told) : m == 3 ? accepted<3>(told)
                            : accepted<6>(told), test["expect"]["accepted"].truth());
}

// Periods that are booked, and levels that are set.
inline void check_ledger(const Json& test, Tally& tally) {
    const Budget budget = budget_of(test["budget"]);
    const double period_s = test["period_s"].number();
    Tank tank;
    tank.fill(budget);
    const std::string name = tally.place;
    std::size_t count = 0;
    for (const Json& step : test["steps"].items()) {
        tally.place = name + ", step " + std::to_string(count++);
        const Json& expect = step["expect"];
        if (step.has("set_level_j")) {
            tally.truth("refused", !tank.set_level(budget, step["set_level_j"].number()), expect["refused"].truth());
        } else {
            const std::vector<double> torque = step["torque"].numbers(), before = step["before"].numbers(),
                                      after = step["after"].numbers();
            const double work = work_done(torque.data(), before.data(), after.data(), torque.size());
            const double supply = step["supply_j"].is_null() ? unlimited : step["supply_j"].number();
            const double spilled = tank.spilled_j, overdraft = tank.overdraft_j;
            const bool booked = tank.book(budget, period_s, work, supply);
            tally.truth("refused", !booked, expect["refused"].truth());
            if (booked) {
                tally.number("work_j", work, expect["work_j"].number());
                tally.number("spilled_j", tank.spilled_j - spilled, expect["spilled_j"].number());
                tally.number("overdraft_j", tank.overdraft_j - overdraft, expect["overdraft_j"].number());
            } else {
                // Python raises there and C++ cannot: it latches instead, which the next line takes back.
                tally.truth("latched", tank.latched, true);
                tank.clear();
            }
        }
        tally.number("level_j", tank.level_j, expect["level_j"].number());
    }
    compare_tank(tally, tank, test["expect"]);
}

#endif
