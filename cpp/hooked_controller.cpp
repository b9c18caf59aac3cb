// The stage in a controller: a mass on a spring that a policy of no sense at all shakes against a hard wall.
//
//     c++ -std=c++17 -O2 -I include hooked_controller.cpp -o hooked_controller && ./hooked_controller
//
// One line with the stage and one without: what the controller gave to the mass by an account of its own, the largest
// force on the wall, and by how much kinetic and elastic energy differ from what was given (the integrator's error).
//
// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <random>

#include "tiller/torque_stage.hpp"

namespace {

using tiller::energy::Budget;
using tiller::energy::Reason;
using tiller::energy::TorqueStage;

constexpr double mass_kg = 3.0, wall_n_per_m = 1e5, period_s = 0.001, stiffness_n_per_m = 2000.0;
constexpr double damping_ns_per_m = 150.0, most_n = 100.0;
constexpr int substeps = 200, periods = 20000;

void run(const char* name, bool staged) {
    // A push of 100 N accelerates 3 kg with 33 m/s^2; the wall, pressed in by 3 mm, with 100 m/s^2 more.
    const TorqueStage<1>::Settings settings{Budget{0.5, 0.02, 1.0, 20.0}, period_s, 1.5 * period_s, {150.0},
                                            {-most_n}, {most_n}};
    if (const char* problem = settings.problem()) {
        std::printf("%s: %s\n", name, problem);
        return;
    }
    TorqueStage<1> stage(settings);
    std::mt19937_64 draw(0);
    std::uniform_real_distribution<double> anywhere(-0.2, 0.2);
    double place = -0.01, speed = 0.0, wanted = 0.0, given = 0.0, most_given = 0.0, peak_n = 0.0;
    stage.start({place});
    for (int k = 0; k < periods; ++k) {
        if (k % 50 == 0) wanted = anywhere(draw);                      // the policy, at 20 Hz
        // The controller's own law and limits come first,
        const std::array<double, 1> damping{-damping_ns_per_m * speed};
        std::array<double, 1> force{stiffness_n_per_m * (wanted - place) + damping[0]};
        force[0] = std::min(std::max(force[0], -most_n), most_n);
        // then the stage, and what it leaves is what the drives get.
        if (staged) stage.update(force, &damping, {place}, {speed}, period_s);
        const double before = place;
        for (int s = 0; s < substeps; ++s) {                           // the world: leapfrog
            const double h = period_s / substeps;
            const auto pull = [&]() { return force[0] - wall_n_per_m * std::max(place, 0.0); };
            speed += 0.5 * h * pull() / mass_kg;
            place += h * speed;
            speed += 0.5 * h * pull() / mass_kg;
            peak_n = std::max(peak_n, wall_n_per_m * place);
        }
        given += force[0] * (place - before);
        most_given = std::max(most_given, given);
    }
    const double held = 0.5 * mass_kg * speed * speed + 0.5 * wall_n_per_m * std::max(place, 0.0) * std::max(place, 0.0);
    std::printf("%s given_at_most_j %.6f peak_n %.1f residual_j %.2e level_j %.6f overdrafts %lld\n", name, most_given,
                peak_n, held - given, stage.tank().level_j, static_cast<long long>(stage.tank().overdrafts));
}

}  // namespace

int main() {
    run("without", false);
    run("with", true);
    return 0;
}
