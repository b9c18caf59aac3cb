// An energy budget for a controller of torques: a tank that is exact, and the two filters that keep to it.
//
// For the inner loop of a robot: no dependency, no allocation, no exception, no lock, no clock. It gives the same
// numbers as tiller's Python (robot/safety/energy), held to it by docs/passivity/vectors; docs/passivity.md has the
// equations and how to hook this in. Passivity is not safety, and nothing here is rated after any standard.
//
// SI units: J, W, N, N*m, m, rad, s. Positive work is energy from the controller to the robot.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef TILLER_ENERGY_HPP
#define TILLER_ENERGY_HPP

// Every other header includes this one, so the check stands here alone. Where the compiler may assume that there is no
// NaN, std::isfinite is always true, and a NaN would pass both filters without latching the tank.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0) || defined(_M_FP_FAST)
#error "tiller: needs IEEE arithmetic: compile without -ffast-math, -Ofast, -ffinite-math-only, /fp:fast"
#endif

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace tiller::energy {

inline constexpr double unlimited = std::numeric_limits<double>::infinity();
inline constexpr double longest_period_s = 0.002;    // of the torque filter: slower is no inner loop
inline constexpr double braking_share = 0.5;         // of all that is in the tank, which one braking period may use
inline constexpr double inside = 1.0 - 1e-9;         // of a share, so that rounding ends on the side that is allowed
inline constexpr double longer = 1.2;                // times the way of scaling, that projecting may be
inline constexpr double still = 1e-14;               // squared joint way of a period, below which it has no direction
inline constexpr double slack_j = 1e-12;             // of rounding, in the set-point filter
inline constexpr int passes = 4;

// Why a filter changed something.
enum class Reason : int { none, tank, power, leash, force, latency, invalid };

inline const char* name(Reason reason) noexcept {
    constexpr const char* names[] = {"", "tank", "power", "leash", "force", "latency", "invalid"};
    return names[static_cast<int>(reason)];
}

// The limits; `unlimited` where there is none.
struct Budget {
    double initial_j;                // E_0, in the tank at first
    double reserve_j;                // E_min, which only braking may use
    double capacity_j;               // E_max: what braking gives back beyond it is spilled
    double power_w;                  // P_max
    double supply_w = 0.0;           // added from outside at most; logged, never asked for by a policy
    double gamma = 0.2;              // share of what is above the reserve that one period may take
    double spring_j = unlimited;     // V_cap, of the impedance law's spring
    double force_n = unlimited;      // F_cap, of that spring at rest

    // What is wrong with it, or nullptr: ask when the controller is configured, and refuse to start.
    const char* problem() const noexcept {
        for (double each : {initial_j, reserve_j, capacity_j, power_w, supply_w, gamma, spring_j, force_n})
            if (!(each >= 0.0)) return "a number is negative or none";
        for (double each : {power_w, spring_j, force_n})
            if (!(each > 0.0)) return "power_w, spring_j and force_n have to be above 0";
        if (!(gamma > 0.0 && gamma <= 1.0)) return "gamma has to be above 0 and at most 1";
        if (std::isinf(supply_w) || std::isinf(reserve_j)) return "supply_w and reserve_j have to be finite";
        if (!(reserve_j < initial_j && initial_j <= capacity_j)) return "not reserve_j < initial_j <= capacity_j";
        return nullptr;
    }
};

// W_k = tau_k . (q_{k+1} - q_k): the energy of a torque that is held over a period, exactly. `before` and `after` are
// what the encoders say: no velocity, no filter.
inline double work_done(const double* torque, const double* before, const double* after, std::size_t n) noexcept {
    double total = 0.0;
    for (std::size_t i = 0; i < n; ++i) total += torque[i] * (after[i] - before[i]);
    return total;
}

// The tank of one robot: E_{k+1} = min(E_max, E_k - W_k + S_k), and what there is to know about it.
struct Tank {
    double level_j = 0.0;
    double work_j = 0.0;             // sum of W
    double spent_j = 0.0;            // sum of its positive part
    double peak_j = 0.0;             // the largest sum of W so far
    double supplied_j = 0.0;         // sum of S, with what `set_level` added
    double spilled_j = 0.0;          // what did not fit
    std::int64_t overdrafts = 0;     // periods that took more than there was
    double overdraft_j = 0.0;        // and how much
    std::int64_t steps = 0;
    bool latched = false;            // after an input that was not finite, until `clear`

    void fill(const Budget& budget) noexcept {
        *this = Tank{};
        level_j = budget.initial_j;
    }

    // Close a period: `work_j` of `work_done` with the torque that was applied, after every limit. `supply_j` comes
    // from outside, and is cut to supply_w * T; as it stands it is that much. False, and nothing booked, when the
    // numbers are none or the supply is negative: then the tank is latched.
    bool book(const Budget& budget, double period_s, double work, double supply = unlimited) noexcept {
        if (!std::isfinite(work) || !(supply >= 0.0)) {
            latched = true;
            return false;
        }
        const double added = std::min(supply, budget.supply_w * period_s);
        const double before = level_j;
        double level = before - work + added;
        if (level > budget.capacity_j) {
            spilled_j += level - budget.capacity_j;
            level = budget.capacity_j;
        }
        const double deeper = std::max(-level, 0.0) - std::max(-before, 0.0);
        if (deeper > 0.0) {
            ++overdrafts;
            overdraft_j += deeper;
        }
        level_j = level;
        work_j += work;
        spent_j += std::max(work, 0.0);
        peak_j = std::max(peak_j, work_j);
        supplied_j += added;
        ++steps;
        return true;
    }

    // A reset or a switch of mode is a supply: it is added to `supplied_j`, and the caller logs why. False when the
    // level is below nothing or above the capacity.
    bool set_level(const Budget& budget, double level) noexcept {
        if (!(level >= 0.0 && level <= budget.capacity_j)) return false;
        supplied_j += std::isfinite(level) ? level - level_j : 0.0;
        level_j = level;
        return true;
    }

    void clear() noexcept { latched = false; }
};

// What the torque filter knows of n joints, each array n long.
struct Drives {
    std::size_t n;
    const double* acceleration;      // rad/s^2, the most that a joint can be accelerated with, contacts included
    const double* low;               // N*m, what the drives can give
    const double* high;
};

// Change a torque (n,) in place, as little as the tank demands, before it is applied for one period of `period_s`.
//
// With |dq_i - T qd_i| <= T^2 a_i / 2, the most that a torque can give is wc(u) = T u.qd + T^2/2 sum |u_i| a_i. It is
// held to what the tank and the power limit allow: by a projection along qd, where that takes hardly more away than
// scaling does, else by scaling, which always suffices. A torque that brakes (u.qd < 0) may use the reserve; one that
// gives may not, whatever it is changed to.
//
// torque: without gravity, after every other limit. damping: the part of it that only takes energy out, or nullptr;
// kept where the rest suffices. velocity: rad/s, as measured.
inline Reason filter_torque(double* torque, const double* damping, const double* velocity, double period_s,
                            const Drives& drives, const Budget& budget, Tank& tank) noexcept {
    const std::size_t n = drives.n;
    const auto refuse = [&]() noexcept {
        tank.latched = true;
        std::fill(torque, torque + n, 0.0);
        return Reason::invalid;
    };
    bool finite = !std::isnan(tank.level_j);
    for (std::size_t i = 0; i < n; ++i) finite = finite && std::isfinite(torque[i]) && std::isfinite(velocity[i]);
    if (!finite || tank.latched) return refuse();
    const auto cut = [&](std::size_t i, double value) noexcept {
        return std::min(std::max(value, drives.low[i]), drives.high[i]);
    };
    // Of damping, too, the drives give no more than they can.
    const auto held = [&](std::size_t i) noexcept { return damping == nullptr ? 0.0 : cut(i, damping[i]); };
    for (std::size_t i = 0; i < n; ++i) torque[i] = cut(i, torque[i]);
    const double half = 0.5 * period_s * period_s;
    Reason reason = Reason::none;
    bool gave = false;
    for (int attempt = 0; attempt < passes; ++attempt) {
        double power = 0.0, margin = 0.0, speed2 = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            power += torque[i] * velocity[i];
            margin += std::abs(torque[i]) * drives.acceleration[i];
            speed2 += velocity[i] * velocity[i];
        }
        const double worst = period_s * power + half * margin;
        if (!std::isfinite(worst)) return refuse();
        gave = gave || (attempt == 0 && power >= 0.0);
        double room = budget.gamma * std::max(tank.level_j - budget.reserve_j, 0.0);
        if (!gave) room = std::max(room, braking_share * std::max(tank.level_j, 0.0));
        const double allowed = gave ? std::min(room, budget.power_w * period_s) : room;
        if (worst <= allowed) return reason;
        if (reason == Reason::none) reason = allowed < room ? Reason::power : Reason::tank;
        if (attempt == 0 && gave && half * margin <= allowed && period_s * period_s * speed2 > still) {
            const double excess = (worst - allowed) / (period_s * speed2);
            double size2 = 0.0;
            for (std::size_t i = 0; i < n; ++i) size2 += torque[i] * torque[i];
            // Joints that are slow beside their margin would be thrown back: scaling takes less away.
            if (excess * std::sqrt(speed2) <= longer * (1.0 - allowed / worst) * std::sqrt(size2)) {
                for (std::size_t i = 0; i < n; ++i) torque[i] = cut(i, torque[i] - excess * velocity[i]);
                continue;
            }
        }
        double kept = 0.0, kept_margin = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            kept += held(i) * velocity[i];
            kept_margin += std::abs(held(i)) * drives.acceleration[i];
        }
        const double least = period_s * kept + half * kept_margin;
        // Damping that the drives cut joint by joint may push: it is none then.
        if (attempt < 2 && kept <= 0.0 && least <= allowed && least < worst) {
            // wc is convex: between the damping alone and all of it, it stays below the straight line.
            const double share = inside * (allowed - least) / (worst - least);
            for (std::size_t i = 0; i < n; ++i) torque[i] = held(i) + share * (torque[i] - held(i));
        } else {
            const double share = inside * std::max(allowed / worst, 0.0);
            for (std::size_t i = 0; i < n; ++i) torque[i] *= share;
        }
    }
    return reason;
}

}  // namespace tiller::energy

#endif
