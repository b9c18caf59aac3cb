// How long the torque filter takes. SPDX-License-Identifier: Apache-2.0
#ifndef TILLER_CHECK_MEASURE_HPP
#define TILLER_CHECK_MEASURE_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

#include "tiller/energy.hpp"

// The time of one call, n = 7, over many torques: a tank that is full, one that is nearly empty, one that is empty.
inline void measure() {
    using namespace tiller::energy;
    using clock = std::chrono::steady_clock;
    constexpr std::size_t n = 7, calls = 200000, kinds = 1024;
    const std::array<double, n> acceleration{60, 60, 60, 60, 80, 80, 80}, high{87, 87, 87, 87, 12, 12, 12},
        low{-87, -87, -87, -87, -12, -12, -12};
    const Drives drives{n, acceleration.data(), low.data(), high.data()};
    const Budget budget{1.0, 0.02, 2.0, 20.0};
    std::mt19937_64 draw(0);
    std::normal_distribution<double> normal;
    std::vector<std::array<double, n>> torques(kinds), velocities(kinds), dampings(kinds);
    for (std::size_t k = 0; k < kinds; ++k)
        for (std::size_t i = 0; i < n; ++i) {
            velocities[k][i] = 0.5 * normal(draw);
            dampings[k][i] = -5.0 * velocities[k][i];
            torques[k][i] = dampings[k][i] + 0.2 * high[i] * normal(draw);
        }
    std::vector<double> taken(calls);
    for (const double level : {1.0, 0.03, 0.0}) {
        Tank tank;
        tank.fill(budget);
        double sum = 0.0;
        std::size_t changed = 0;
        for (std::size_t call = 0; call < calls; ++call) {
            std::array<double, n> torque = torques[call % kinds];
            tank.level_j = level;
            const auto start = clock::now();
            const Reason reason = filter_torque(torque.data(), dampings[call % kinds].data(),
                                                velocities[call % kinds].data(), 0.001, drives, budget, tank);
            taken[call] = std::chrono::duration<double, std::nano>(clock::now() - start).count();
            changed += reason != Reason::none;
            sum += torque[0];
        }
        std::sort(taken.begin(), taken.end());
        std::printf("tank at %.2f J: p50 %.0f ns, p99 %.0f ns, largest %.0f ns, %.0f %% changed (sum %.3g)\n", level,
                    taken[calls / 2], taken[calls * 99 / 100], taken.back(),
                    100.0 * static_cast<double>(changed) / static_cast<double>(calls), sum);
    }
    for (double& each : taken) {
        const auto start = clock::now();
        each = std::chrono::duration<double, std::nano>(clock::now() - start).count();
    }
    std::sort(taken.begin(), taken.end());
    std::printf("reading the clock, which is in each of them: p50 %.0f ns\n", taken[calls / 2]);
}

#endif
