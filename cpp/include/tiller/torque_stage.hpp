// The last stage of a torque controller's update: closes the period that has passed with what the encoders say, then
// lets the filter change the torque that comes next. The order is the point of it, so that no controller has to get it
// right by itself. No allocation, no exception. SPDX-License-Identifier: Apache-2.0
#ifndef TILLER_TORQUE_STAGE_HPP
#define TILLER_TORQUE_STAGE_HPP

#include <array>

#include "energy.hpp"

namespace tiller::energy {

template <std::size_t N>
class TorqueStage {
public:
    using Vector = std::array<double, N>;

    struct Settings {
        Budget budget;
        double period_s;             // T, of the loop
        double late_s;               // an update later than this after the last one latches: 1.5 T, or what you can bear
        Vector acceleration;         // rad/s^2, contacts included; thrice as much where a torque acts a period late
        Vector low, high;            // N*m, what the drives give beside gravity

        // What is wrong with them, or nullptr: ask when the controller is configured, and refuse to start.
        const char* problem() const noexcept {
            if (const char* found = budget.problem()) return found;
            if (!(period_s > 0.0 && period_s <= longest_period_s * (1.0 + 1e-9))) return "period_s is not in 0 .. 2 ms";
            if (!(late_s >= period_s)) return "late_s is less than period_s";
            for (std::size_t i = 0; i < N; ++i) {
                if (!(acceleration[i] > 0.0) || std::isinf(acceleration[i])) return "acceleration has to be above 0";
                if (!(low[i] <= 0.0 && high[i] >= 0.0)) return "low .. high has to contain no torque at all";
            }
            return nullptr;
        }
    };

    // The tank begins full: call it once, outside the loop.
    explicit TorqueStage(const Settings& settings) noexcept : settings_(settings) { tank_.fill(settings.budget); }

    // When the controller becomes active, at these joints (rad): nothing was applied up to now. What is in the tank
    // stays; to fill it again is `set_level` of the tank, which is a supply, and the caller's to log.
    void start(const Vector& joints) noexcept {
        before_ = joints;
        applied_.fill(0.0);
        running_ = false;
    }

    // One turn of the loop. torque: without gravity, after every limit and rate limit; changed in place, to be written
    // to the drives as it is (with gravity added). damping: the part of it that only takes energy out, or nullptr.
    // joints, velocity: as measured, not filtered. elapsed_s: since the last turn.
    Reason update(Vector& torque, const Vector* damping, const Vector& joints, const Vector& velocity,
                  double elapsed_s) noexcept {
        const double work = work_done(applied_.data(), before_.data(), joints.data(), N);
        if (running_ && !(elapsed_s > 0.0 && elapsed_s <= settings_.late_s)) tank_.latched = true;
        // No period has passed before the first turn, and nothing is supplied for one.
        const bool known = running_ ? tank_.book(settings_.budget, settings_.period_s, work) : std::isfinite(work);
        if (known) before_ = joints;
        else tank_.latched = true;
        running_ = true;
        const Drives drives{N, settings_.acceleration.data(), settings_.low.data(), settings_.high.data()};
        const Reason reason = filter_torque(torque.data(), damping == nullptr ? nullptr : damping->data(),
                                            velocity.data(), settings_.period_s, drives, settings_.budget, tank_);
        applied_ = torque;
        return reason;
    }

    // Where the drives tell what they applied, or something after this stage changed it: call it after `update`.
    void applied(const Vector& torque) noexcept { applied_ = torque; }

    Tank& tank() noexcept { return tank_; }
    const Tank& tank() const noexcept { return tank_; }

private:
    Settings settings_;
    Tank tank_;
    Vector before_{};
    Vector applied_{};
    bool running_ = false;
};

}  // namespace tiller::energy

#endif
