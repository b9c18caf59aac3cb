// Reads the JSON of docs/passivity/vectors: objects, lists, numbers, plain strings, true, false, null. For the check
// program alone: it allocates, and throws std::runtime_error. Not a number is what JSON cannot say: "nan", "inf" and
// "-inf" are read as numbers where one is asked for.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef TILLER_CHECK_JSON_HPP
#define TILLER_CHECK_JSON_HPP

#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

class Json {
public:
    enum class Kind { null, boolean, number, text, list, object };

    static Json parse(const std::string& source) {
        std::size_t at = 0;
        Json found = value(source, at);
        skip(source, at);
        if (at != source.size()) fail(at, "the end");
        return found;
    }

    bool is_null() const { return kind_ == Kind::null; }

    bool truth() const {
        if (kind_ != Kind::boolean) throw std::runtime_error("expected true or false");
        return number_ != 0.0;
    }

    double number() const {
        if (kind_ == Kind::number) return number_;
        if (kind_ == Kind::text && text_ == "nan") return std::numeric_limits<double>::quiet_NaN();
        if (kind_ == Kind::text && text_ == "inf") return std::numeric_limits<double>::infinity();
        if (kind_ == Kind::text && text_ == "-inf") return -std::numeric_limits<double>::infinity();
        throw std::runtime_error("expected a number");
    }

    const std::string& text() const {
        if (kind_ != Kind::text) throw std::runtime_error("expected a string");
        return text_;
    }

    const std::vector<Json>& items() const {
        if (kind_ != Kind::list) throw std::runtime_error("expected a list");
        return items_;
    }

    // All numbers in it, row by row where it is a list of lists.
    std::vector<double> numbers() const {
        std::vector<double> found;
        gather(found);
        return found;
    }

    bool has(const std::string& key) const { return find(key) != nullptr; }

    const Json& operator[](const std::string& key) const {
        const Json* found = find(key);
        if (found == nullptr) throw std::runtime_error("no key '" + key + "'");
        return *found;
    }

private:
    Kind kind_ = Kind::null;
    double number_ = 0.0;
    std::string text_;
    std::vector<std::string> keys_;      // of an object, whose values are in items_
    std::vector<Json> items_;

    const Json* find(const std::string& key) const {
        for (std::size_t i = 0; kind_ == Kind::object && i < keys_.size(); ++i)
            if (keys_[i] == key) return &items_[i];
        return nullptr;
    }

    void gather(std::vector<double>& found) const {
        if (kind_ != Kind::list) return found.push_back(number());
        for (const Json& each : items_) each.gather(found);
    }

    [[noreturn]] static void fail(std::size_t at, const std::string& expected) {
        throw std::runtime_error("JSON: expected " + expected + " at character " + std::to_string(at));
    }

    static void skip(const std::string& source, std::size_t& at) {
        while (at < source.size() && std::isspace(static_cast<unsigned char>(source[at]))) ++at;
    }

    static bool take(const std::string& source, std::size_t& at, const std::string& word) {
        skip(source, at);
        if (source.compare(at, word.size(), word) != 0) return false;
        at += word.size();
        return true;
    }

    static std::string quoted(const std::string& source, std::size_t& at) {
        const std::size_t end = source.find('"', at);
        if (end == std::string::npos) fail(at, "a closing quote");
        const std::string found = source.substr(at, end - at);
        if (found.find('\\') != std::string::npos) fail(at, "a string without escapes");
        at = end + 1;
        return found;
    }

    static Json value(const std::string& source, std::size_t& at) {
        Json found;
        if (take(source, at, "null")) return found;
        if (take(source, at, "true") || take(source, at, "false")) {
            found.kind_ = Kind::boolean;
            found.number_ = source[at - 2] == 'u' ? 1.0 : 0.0;
        } else if (take(source, at, "\"")) {
            found.kind_ = Kind::text;
            found.text_ = quoted(source, at);
        } else if (take(source, at, "[")) {
            found.kind_ = Kind::list;
            if (take(source, at, "]")) return found;
            do found.items_.push_back(value(source, at));
            while (take(source, at, ","));
            if (!take(source, at, "]")) fail(at, "',' or ']'");
        } else if (take(source, at, "{")) {
            found.kind_ = Kind::object;
            if (take(source, at, "}")) return found;
            do {
                if (!take(source, at, "\"")) fail(at, "a key");
                found.keys_.push_back(quoted(source, at));
                if (!take(source, at, ":")) fail(at, "':'");
                found.items_.push_back(value(source, at));
            } while (take(source, at, ","));
            if (!take(source, at, "}")) fail(at, "',' or '}'");
        } else {
            const char* start = source.c_str() + at;
            char* end = nullptr;
            found.kind_ = Kind::number;
            found.number_ = std::strtod(start, &end);
            if (end == start) fail(at, "a value");
            at += static_cast<std::size_t>(end - start);
        }
        return found;
    }
};

#endif
