// Cases of the torque filter. SPDX-License-Identifier: Apache-2.0
#ifndef TILLER_CHECK_TORQUE_HPP
#define TILLER_CHECK_TORQUE_HPP

#include "ledger.hpp"
#include "tiller/torque_stage.hpp"

using namespace tiller::energy;

// The same periods through the stage, which books one when the next begins: nothing else may come of it.
template <std::size_t N>
void check_stage(const Json& test, Tally& tally) {
    const Budget budget = budget_of(test["budget"]);
    const double period_s = test["period_s"].number();
    TorqueStage<N> stage({budget, period_s, 1.5 * period_s, fixed<N>(test["acceleration"]), fixed<N>(test["low"]),
                          fixed<N>(test["high"])});
    if (test["level_j"].number() != budget.initial_j) throw std::runtime_error("a run has to begin with a full tank");
    const std::vector<Json>& steps = test["steps"].items();
    const std::string name = tally.place;
    stage.start(fixed<N>(steps.front()["before"]));
    for (std::size_t k = 0; k < steps.size(); ++k) {
        tally.place = name + ", stage, step " + std::to_string(k);
        if (steps[k]["clear"].truth()) stage.tank().clear();
        auto torque = fixed<N>(steps[k]["torque"]);
        typename TorqueStage<N>::Vector damping{};
        if (!steps[k]["damping"].is_null()) damping = fixed<N>(steps[k]["damping"]);
        const Reason reason = stage.update(torque, steps[k]["damping"].is_null() ? nullptr : &damping,
                                           fixed<N>(steps[k]["before"]), fixed<N>(steps[k]["velocity"]), period_s);
        tally.word("reason", tiller::energy::name(reason), steps[k]["expect"]["reason"].text());
        tally.numbers_of("torque", torque.data(), steps[k]["expect"]["torque"]);
    }
    tally.place = name + ", stage";
    typename TorqueStage<N>::Vector nothing{};
    stage.update(nothing, nullptr, fixed<N>(steps.back()["after"]), typename TorqueStage<N>::Vector{}, period_s);
    compare_tank(tally, stage.tank(), test["expect"]);
    // What comes late, or at no time at all, stops the arm.
    for (const double elapsed_s : {1.6 * period_s, 0.0, std::numeric_limits<double>::quiet_NaN()}) {
        stage.tank().clear();
        auto torque = fixed<N>(steps.front()["torque"]);
        const Reason reason = stage.update(torque, nullptr, fixed<N>(steps.back()["after"]), {}, elapsed_s);
        tally.word("reason of a late turn", tiller::energy::name(reason), "invalid");
        tally.number("torque of a late turn", torque[0], 0.0);
    }
}

inline void check_stages(const Json& test, Tally& tally) {
    switch (test["acceleration"].items().size()) {
        case 1: return check_stage<1>(test, tally);
        case 2: return check_stage<2>(test, tally);
        case 3: return check_stage<3>(test, tally);
        case 4: return check_stage<4>(test, tally);
        case 5: return check_stage<5>(test, tally);
        case 6: return check_stage<6>(test, tally);
        case 7: return check_stage<7>(test, tally);
        default: throw std::runtime_error("expected 1 to 7 joints");
    }
}

// A torque at one level of the tank, or, with `after`, one after the other with what was booked between.
inline void check_torque(const Json& test, Tally& tally) {
    const Budget budget = budget_of(test["budget"]);
    const double period_s = test["period_s"].number();
    const std::vector<double> acceleration = test["acceleration"].numbers(), low = test["low"].numbers(),
                              high = test["high"].numbers();
    const Drives drives{acceleration.size(), acceleration.data(), low.data(), high.data()};
    Tank tank;
    tank.fill(budget);
    tank.level_j = test["level_j"].number();
    tank.latched = test["latched"].truth();
    const std::string name = tally.place;
    std::size_t count = 0;
    for (const Json& step : test["steps"].items()) {
        tally.place = name + ", step " + std::to_string(count++);
        const Json& expect = step["expect"];
        if (step["clear"].truth()) tank.clear();
        std::vector<double> torque = step["torque"].numbers();
        const std::vector<double> velocity = step["velocity"].numbers();
        if (torque.size() != drives.n || velocity.size() != drives.n) throw std::runtime_error("sizes differ");
        const std::vector<double> damping = step["damping"].is_null() ? std::vector<double>{}
                                                                      : step["damping"].numbers();
        const Reason reason = filter_torque(torque.data(), damping.empty() ? nullptr : damping.data(), velocity.data(),
                                            period_s, drives, budget, tank);
        tally.word("reason", tiller::energy::name(reason), expect["reason"].text());
        tally.numbers_of("torque", torque.data(), expect["torque"]);
        tally.truth("latched", tank.latched, expect["latched"].truth());
        if (step.has("after")) {
            const std::vector<double> before = step["before"].numbers(), after = step["after"].numbers();
            tank.book(budget, period_s, work_done(torque.data(), before.data(), after.data(), torque.size()));
            tally.number("level_j", tank.level_j, expect["level_j"].number());
        }
    }
    if (!test.has("expect")) return;
    compare_tank(tally, tank, test["expect"]);
    tally.place = name;
    check_stages(test, tally);
}

#endif
