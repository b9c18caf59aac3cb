// The filter of set-points, at the rate of a policy, over an impedance law that is passive while its set-point and
// stiffness stand still: only their changes inject energy.
//
// The old pair (x_d, K) is in force, the new one (x_d', K') is wanted, x is measured, and the new pair is applied up to a
// latency later, when the tool is somewhere within v_max * latency of x. With e = x_d - x, r = x_d' - x and
// a(K) = sqrt(lambda_max(K)) v_max latency:
//
//     V+ = (|r|_K' + a(K'))^2 / 2           the most that the spring can hold then
//     V- = max(0, |e|_K - a(K))^2 / 2       the least that it holds before
//     accept when V+ - V- <= room, V(r, K') - V(e, K) <= P_max T, V+ <= V_cap and |K' r| <= F_cap
//
// What is not accepted is drawn towards the tool, x_d* = x + s r, or softened first, K* = c K'. The margin a belongs to
// the acceptance alone: the tank takes what was realised.
//
// Matrices are row-major. SI units. No allocation, no exception. SPDX-License-Identifier: Apache-2.0
#ifndef TILLER_SETPOINT_HPP
#define TILLER_SETPOINT_HPP

#include <array>

#include "energy.hpp"

namespace tiller::energy {

// Components [first, last) of a pose that share a largest speed: translation first, then rotation.
struct Block {
    std::size_t first;
    std::size_t last;
    double way;                      // m or rad: v_max * latency
};

// Of a stiffness that is wanted: where less would do, the one in force is kept.
constexpr double softest = 1e-3;

namespace inner {

inline double square(double value) noexcept { return value * value; }

// Row i of a matrix (m, m) times a vector.
inline double row(const double* matrix, const double* vector, std::size_t i, std::size_t m) noexcept {
    double total = 0.0;
    for (std::size_t j = 0; j < m; ++j) total += matrix[i * m + j] * vector[j];
    return total;
}

// (1/2) r.K r, J, whatever its sign.
inline double quadratic(const double* offset, const double* stiffness, std::size_t m) noexcept {
    double total = 0.0;
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < m; ++j) total += offset[i] * stiffness[i * m + j] * offset[j];
    return 0.5 * total;
}

inline double spring(const double* offset, const double* stiffness, std::size_t m) noexcept {
    return std::max(quadratic(offset, stiffness, m), 0.0);
}

// A bound (the largest row sum) of the eigenvalues of a block of K, or of K - other.
inline double largest(const double* stiffness, const double* other, const Block& block, std::size_t m) noexcept {
    double found = 0.0;
    for (std::size_t i = block.first; i < block.last; ++i) {
        double sum = 0.0;
        for (std::size_t j = block.first; j < block.last; ++j)
            sum += std::abs(stiffness[i * m + j] - (other == nullptr ? 0.0 : other[i * m + j]));
        found = std::max(found, sum);
    }
    return found;
}

// a(K): sum over blocks of sqrt(lambda) * way, at least |d|_K of every way d.
inline double spread(const double* stiffness, const Block* blocks, std::size_t count, std::size_t m) noexcept {
    double total = 0.0;
    for (std::size_t b = 0; b < count; ++b)
        total += std::sqrt(largest(stiffness, nullptr, blocks[b], m)) * blocks[b].way;
    return total;
}

// At least d.(K - other) d of every way d; what couples two blocks is bounded by its Frobenius norm.
inline double turned(const double* stiffness, const double* other, const Block* blocks, std::size_t count,
                     std::size_t m) noexcept {
    double total = 0.0;
    for (std::size_t b = 0; b < count; ++b) {
        total += largest(stiffness, other, blocks[b], m) * square(blocks[b].way);
        for (std::size_t c = 0; c < b; ++c) {
            double squares = 0.0;
            for (std::size_t i = blocks[b].first; i < blocks[b].last; ++i)
                for (std::size_t j = blocks[c].first; j < blocks[c].last; ++j)
                    squares += square(stiffness[i * m + j] - other[i * m + j]);
            total += 2.0 * std::sqrt(squares) * blocks[b].way * blocks[c].way;
        }
    }
    return total;
}

}  // namespace inner

// What is let through: x_d* = x + offset r, K* = stiffness K'.
struct Factors {
    double offset = 1.0;
    double stiffness = 1.0;
    Reason reason = Reason::none;
};

// How much of a new set-point and of a new stiffness is let through.
//
// offset (m,): r. stiffness (m, m): K', symmetric and positive definite. old_offset, old_stiffness: e and K, in force.
// room_tank_j, room_power_j: what the change may inject, by the tank wherever the tool is when it is in force, by the
// power limit with the tool where it was measured. softens: whether the controller takes another stiffness.
inline Factors filter_offset(const double* offset, const double* stiffness, const double* old_offset,
                             const double* old_stiffness, std::size_t m, const Block* blocks, std::size_t count,
                             double room_tank_j, double room_power_j, double spring_j, double force_n,
                             bool softens) noexcept {
    using namespace inner;
    bool finite = true;
    for (std::size_t i = 0; i < m; ++i) finite = finite && std::isfinite(offset[i]) && std::isfinite(old_offset[i]);
    for (std::size_t i = 0; i < m * m; ++i) finite = finite && std::isfinite(stiffness[i]);
    if (!finite) return {0.0, 0.0, Reason::invalid};
    Factors found;
    const double after = spring(offset, stiffness, m), before = spring(old_offset, old_stiffness, m);
    const double reach = spread(stiffness, blocks, count, m);
    const double old_reach = spread(old_stiffness, blocks, count, m);
    const double least = 0.5 * square(std::max(0.0, std::sqrt(2 * before) - old_reach));
    const double most = 0.5 * square(std::sqrt(2 * after) + reach);
    // A pair that hardly changes injects hardly anything, wherever the tool is by then: the smaller bound counts.
    double change = after - before + 0.5 * turned(stiffness, old_stiffness, blocks, count, m);
    double push = 0.0;
    for (std::size_t b = 0; b < count; ++b) {
        double pulled = 0.0;
        for (std::size_t i = blocks[b].first; i < blocks[b].last; ++i) {
            const double pull = row(stiffness, offset, i, m);
            pulled += square(pull - row(old_stiffness, old_offset, i, m));
            if (b == 0) push += square(pull);
        }
        change += std::sqrt(pulled) * blocks[b].way;
    }
    push = std::sqrt(push);
    const double filled = before + room_power_j;  // the most the spring may hold with the tool where it was measured
    if (std::min(most - least, change) > room_tank_j + slack_j || most > spring_j + slack_j ||
        after > filled + slack_j) {
        const double allowed = std::min(spring_j, least + room_tank_j);
        if (after <= spring_j && after - before <= std::min(room_tank_j, room_power_j)) found.reason = Reason::latency;
        else if (std::min(least + room_tank_j, filled) >= spring_j) found.reason = Reason::leash;
        else found.reason = room_tank_j <= room_power_j ? Reason::tank : Reason::power;
        const double root = std::sqrt(2 * allowed), brim = std::sqrt(2 * filled);
        const double unchanged = std::sqrt(2 * spring(offset, old_stiffness, m));
        if (softens && unchanged + old_reach <= root && unchanged <= brim) {  // the stiffness is the cause
            found.stiffness = most > 0.0 ? std::min(1.0, allowed / most) : 1.0;
            if (after > 0.0) found.stiffness = std::min(found.stiffness, filled / after);
        } else {
            // With the whole of it no set-point would do.
            if (softens && reach > root) found.stiffness = std::min(1.0, square(root / reach));
            const double left = std::max(root - reach * std::sqrt(found.stiffness), 0.0);
            const double length = std::sqrt(2 * after * found.stiffness);
            if (length > 0.0) found.offset = std::min({1.0, left / length, brim / length});
        }
    }
    const double pushed = push * found.offset * found.stiffness;
    if (pushed > force_n) {
        found.reason = Reason::force;
        double old_push = 0.0;
        for (std::size_t i = blocks[0].first; i < blocks[0].last; ++i)
            old_push += square(row(old_stiffness, offset, i, m));
        if (softens && std::sqrt(old_push) * found.offset <= force_n) found.stiffness *= force_n / pushed;
        else found.offset *= force_n / pushed;
    }
    return found;
}

// Whether K (m, m) is finite, symmetric and positive definite: by Cholesky's way, in place of nothing.
template <std::size_t M>
bool positive_definite(const std::array<double, M * M>& stiffness) noexcept {
    std::array<double, M * M> lower{};
    for (std::size_t i = 0; i < M; ++i)
        for (std::size_t j = 0; j <= i; ++j) {
            const double here = stiffness[i * M + j], mirrored = stiffness[j * M + i];
            if (!std::isfinite(here) || !std::isfinite(mirrored)) return false;
            if (std::abs(here - mirrored) > 1e-9 + 1e-9 * std::abs(mirrored)) return false;
            double sum = here;
            for (std::size_t k = 0; k < j; ++k) sum -= lower[i * M + k] * lower[j * M + k];
            if (i == j && !(sum > 0.0)) return false;
            lower[i * M + j] = i == j ? std::sqrt(sum) : sum / lower[j * M + j];
        }
    return true;
}

// The filter of one robot, with the pair that is in force. `measured`: the controller tells the work of its torques, and
// the tank is exact; else it is a leash only (spring, force and power), and the total is not bounded.
template <std::size_t M>
class SetpointFilter {
public:
    using Vector = std::array<double, M>;
    using Matrix = std::array<double, M * M>;

    struct Settings {
        double period_s;             // of the calls
        double latency_s;            // from a call until what it returned is in force, at most
        bool measured;
        bool softens;                // whether the controller takes another stiffness
        std::size_t count;           // of the blocks, which have to cover 0 .. M
        std::array<Block, M> blocks;
    };

    struct Result {
        Reason reason;
        double spring_j;             // of what was let through, with the measured state
        double injected_j;           // by the change before this one, as measured
    };

    // The pair that is in force at first.
    SetpointFilter(const Vector& setpoint, const Matrix& stiffness, const Settings& settings) noexcept
        : settings_(settings), setpoint_(setpoint), stiffness_(stiffness), old_setpoint_(setpoint),
          old_stiffness_(stiffness) {}

    const Vector& setpoint() const noexcept { return setpoint_; }
    const Matrix& stiffness() const noexcept { return stiffness_; }

    // wanted, tool: (M,). stiffness: wanted, or nullptr for what is in force. work_j: of the controller's torques since
    // the last call, for `measured` alone. A call with what is not finite, or a stiffness that is none, latches the tank;
    // until `Tank::clear` the set-point is only drawn in.
    Result filter(Vector wanted, Vector tool, const Matrix* stiffness, double work_j, const Budget& budget,
                  Tank& tank) noexcept {
        bool finite = true;
        for (std::size_t i = 0; i < M; ++i) finite = finite && std::isfinite(wanted[i]) && std::isfinite(tool[i]);
        if (settings_.measured) {
            finite = finite && std::isfinite(work_j);
            tank.book(budget, settings_.period_s, std::isfinite(work_j) ? work_j : 0.0);
        }
        const bool proper = stiffness == nullptr || positive_definite<M>(*stiffness);
        if (!finite || !proper) tank.latched = true;
        const bool held = tank.latched;
        if (!finite) tool = setpoint_;
        const double injected = spring(setpoint_, stiffness_, tool) - spring(old_setpoint_, old_stiffness_, tool);
        const Vector old_offset = minus(setpoint_, tool);
        const double room = settings_.measured
            ? std::max(tank.level_j - budget.reserve_j - spring(setpoint_, stiffness_, tool), 0.0) : unlimited;
        const double power = budget.power_w * settings_.period_s;
        const Vector offset = held ? old_offset : minus(wanted, tool);
        Matrix next = held || stiffness == nullptr ? stiffness_ : *stiffness;
        const auto let_through = [&](bool softens) noexcept {
            return filter_offset(offset.data(), next.data(), old_offset.data(), stiffness_.data(), M,
                                 settings_.blocks.data(), settings_.count, room, power, budget.spring_j,
                                 budget.force_n, softens);
        };
        Factors kept = let_through(settings_.softens);
        if (kept.stiffness < softest && kept.reason != Reason::invalid) {
            next = stiffness_;
            const Reason why = kept.reason;
            kept = let_through(false);
            if (kept.reason == Reason::none) kept.reason = why;  // the stiffness was changed, whatever else was
        }
        old_setpoint_ = setpoint_;
        old_stiffness_ = stiffness_;
        // What is let through whole is sent as it was asked for, to the bit.
        if (kept.offset != 1.0)
            for (std::size_t i = 0; i < M; ++i) setpoint_[i] = tool[i] + kept.offset * offset[i];
        else if (!held) setpoint_ = wanted;
        for (double& each : next) each *= kept.stiffness;
        stiffness_ = next;
        return {held ? Reason::invalid : kept.reason, spring(setpoint_, stiffness_, tool), injected};
    }

private:
    static Vector minus(const Vector& first, const Vector& second) noexcept {
        Vector found{};
        for (std::size_t i = 0; i < M; ++i) found[i] = first[i] - second[i];
        return found;
    }

    static double spring(const Vector& setpoint, const Matrix& stiffness, const Vector& tool) noexcept {
        return inner::quadratic(minus(setpoint, tool).data(), stiffness.data(), M);
    }

    Settings settings_;
    Vector setpoint_;
    Matrix stiffness_;
    Vector old_setpoint_;
    Matrix old_stiffness_;
};

}  // namespace tiller::energy

#endif
