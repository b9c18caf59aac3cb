// What was compared with what was expected. SPDX-License-Identifier: Apache-2.0
#ifndef TILLER_CHECK_TALLY_HPP
#define TILLER_CHECK_TALLY_HPP

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "json.hpp"

inline constexpr double tolerance = 1e-12;
inline constexpr int shown = 10;                // of what disagrees, in each file

// What was compared, and how far it was apart.
struct Tally {
    std::string place;
    long numbers = 0, wrong = 0;
    double furthest = 0.0;

    void number(const std::string& what, double got, double expected) {
        ++numbers;
        if (got == expected || (std::isnan(got) && std::isnan(expected))) return;
        const double apart = std::abs(got - expected) / std::max(1.0, std::abs(expected));
        if (apart <= tolerance) furthest = std::max(furthest, apart);
        else if (++wrong <= shown)
            std::printf("  %s: %s is %.17g, expected %.17g\n", place.c_str(), what.c_str(), got, expected);
    }

    void numbers_of(const std::string& what, const double* got, const Json& expected) {
        const std::vector<double> all = expected.numbers();
        for (std::size_t i = 0; i < all.size(); ++i) number(what + "[" + std::to_string(i) + "]", got[i], all[i]);
    }

    void word(const std::string& what, const std::string& got, const std::string& expected) {
        ++numbers;
        if (got != expected && ++wrong <= shown)
            std::printf("  %s: %s is '%s', expected '%s'\n", place.c_str(), what.c_str(), got.c_str(), expected.c_str());
    }

    void truth(const std::string& what, bool got, bool expected) {
        word(what, got ? "true" : "false", expected ? "true" : "false");
    }
};

#endif
