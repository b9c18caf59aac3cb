// Cases of the set-point filter. SPDX-License-Identifier: Apache-2.0
#ifndef TILLER_CHECK_SETPOINT_HPP
#define TILLER_CHECK_SETPOINT_HPP

#include "ledger.hpp"

using namespace tiller::energy;

inline std::vector<Block> blocks_of(const Json& sizes, const std::vector<double>& ways) {
    std::vector<Block> found;
    std::size_t first = 0;
    for (const Json& size : sizes.items()) {
        const std::size_t last = first + static_cast<std::size_t>(size.number());
        found.push_back({first, last, ways.at(found.size())});
        first = last;
    }
    return found;
}

// One acceptance.
inline void check_offset(const Json& test, Tally& tally) {
    const std::vector<double> offset = test["offset"].numbers(), stiffness = test["stiffness"].numbers(),
                              old_offset = test["old_offset"].numbers(),
                              old_stiffness = test["old_stiffness"].numbers();
    const std::vector<Block> blocks = blocks_of(test["blocks"], test["ways"].numbers());
    const Factors found = filter_offset(offset.data(), stiffness.data(), old_offset.data(), old_stiffness.data(),
                                        offset.size(), blocks.data(), blocks.size(), test["room_tank_j"].number(),
                                        test["room_power_j"].number(), test["spring_j"].number(),
                                        test["force_n"].number(), test["softens"].truth());
    tally.word("reason", name(found.reason), test["expect"]["reason"].text());
    tally.number("s", found.offset, test["expect"]["offset"].number());
    tally.number("c", found.stiffness, test["expect"]["stiffness"].number());
}

// Set-points one after the other.
template <std::size_t M>
void check_setpoint(const Json& test, Tally& tally) {
    const Budget budget = budget_of(test["budget"]);
    const double latency_s = test["latency_s"].number();
    std::vector<double> ways = test["speeds"].numbers();
    for (double& way : ways) way = latency_s > 0.0 ? way * latency_s : 0.0;
    const std::vector<Block> given = blocks_of(test["blocks"], ways);
    typename SetpointFilter<M>::Settings settings{test["period_s"].number(), latency_s, test["measured"].truth(),
                                                  test["softens"].truth(), given.size(), {}};
    std::copy(given.begin(), given.end(), settings.blocks.begin());
    SetpointFilter<M> filter(fixed<M>(test["setpoint"]), fixed<M * M>(test["stiffness"]), settings);
    Tank tank;
    tank.fill(budget);
    const std::string name = tally.place;
    std::size_t count = 0;
    for (const Json& step : test["steps"].items()) {
        tally.place = name + ", step " + std::to_string(count++);
        const Json& expect = step["expect"];
        if (step["clear"].truth()) tank.clear();
        typename SetpointFilter<M>::Matrix wanted{};
        const bool asked = !step["stiffness"].is_null();
        if (asked) wanted = fixed<M * M>(step["stiffness"]);
        const auto found = filter.filter(fixed<M>(step["setpoint"]), fixed<M>(step["tool"]), asked ? &wanted : nullptr,
                                         step["work_j"].is_null() ? 0.0 : step["work_j"].number(), budget, tank);
        tally.word("reason", tiller::energy::name(found.reason), expect["reason"].text());
        tally.numbers_of("setpoint", filter.setpoint().data(), expect["setpoint"]);
        tally.numbers_of("stiffness", filter.stiffness().data(), expect["stiffness"]);
        tally.number("spring_j", found.spring_j, expect["spring_j"].number());
        tally.number("injected_j", found.injected_j, expect["injected_j"].number());
        tally.number("level_j", tank.level_j, expect["level_j"].number());
        tally.truth("latched", tank.latched, expect["latched"].truth());
    }
    compare_tank(tally, tank, test["expect"]);
}

inline void check_setpoints(const Json& test, Tally& tally) {
    switch (test["setpoint"].items().size()) {
        case 1: return check_setpoint<1>(test, tally);
        case 2: return check_setpoint<2>(test, tally);
        case 3: return check_setpoint<3>(test, tally);
        case 4: return check_setpoint<4>(test, tally);
        case 5: return check_setpoint<5>(test, tally);
        case 6: return check_setpoint<6>(test, tally);
        default: throw std::runtime_error("expected 1 to 6 components");
    }
}

#endif
