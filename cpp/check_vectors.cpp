// Holds the header to the vectors that tiller's Python made.
//
//     c++ -std=c++17 -O2 -I include check_vectors.cpp -o check_vectors
//     ./check_vectors ../docs/passivity/vectors/*.json      # 0 when each number agrees to 1e-12, else 1
//     ./check_vectors --time                                 # what a call of the torque filter costs here
//
// Numbers agree when they differ by 1e-12 at most, or by that share of what is expected where it is above 1.
//
// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <fstream>
#include <iterator>

#include "check/measure.hpp"
#include "check/setpoint.hpp"
#include "check/torque.hpp"

namespace {

bool check_file(const char* path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot be read");
    const std::string source{std::istreambuf_iterator<char>(file), {}};
    const Json all = Json::parse(source);
    if (all["format"].text() != "tiller energy vectors 1") throw std::runtime_error("another format");
    const std::string kind = all["kind"].text();
    void (*check)(const Json&, Tally&) = kind == "inputs" ? check_inputs : kind == "ledger" ? check_ledger
        : kind == "torque" ? check_torque : kind == "offset" ? check_offset
        : kind == "setpoint" ? check_setpoints : nullptr;
    if (check == nullptr) throw std::runtime_error("unknown kind '" + kind + "'");
    Tally tally;
    for (const Json& test : all["cases"].items()) {
        tally.place = test["name"].text();
        check(test, tally);
    }
    if (all["cases"].items().empty()) throw std::runtime_error("no cases");
    std::printf("%s: %zu cases, %ld values, %ld wrong, the others %.1e apart at most\n", path,
                all["cases"].items().size(), tally.numbers, tally.wrong, tally.furthest);
    return tally.wrong == 0;
}

}  // namespace

int main(int count, char** words) {
    if (count == 2 && std::strcmp(words[1], "--time") == 0) {
        measure();
        return 0;
    }
    if (count < 2) {
        std::fprintf(stderr, "check_vectors FILE.json ... | --time\n");
        return 2;
    }
    bool right = true;
    for (int i = 1; i < count; ++i) {
        try {
            right = check_file(words[i]) && right;
        } catch (const std::exception& error) {
            std::printf("%s: %s\n", words[i], error.what());
            right = false;
        }
    }
    return right ? 0 : 1;
}
