// JSON in pieces, by nlohmann_json's events: its own trees of a large file take ten times the file.
#include <cstddef>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/polygons/parsers.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t deepest = 64;

/// Bytes of memory that a value takes, lists growing and their ends counted.
constexpr std::int64_t value_bytes = 32;
constexpr std::int64_t list_bytes = 96;
/// How often memory is asked for: it takes as long as parsing some kilobytes.
constexpr std::int64_t step = std::int64_t{1} << 22;

/// Builds values, each to be taken when it is complete.
class Events : public nlohmann::json_sax<json> {
 public:
  Events(const fs::path& file, std::function<void(JsonItem&&)> take, bool whole)
      : file_(file), take_(std::move(take)), whole_(whole) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& value) override { return add(std::move(value)); }
  bool start_object(std::size_t /*count*/) override { return open(json::object()); }
  bool start_array(std::size_t /*count*/) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& value) override {
    if (!building_.empty()) {
      key_in_item_.back() = std::move(value);
    } else if (depth_ == 1) {
      list_ = std::move(value);
      if (!lists_.insert(list_).second) fail(concat("has two members ", shown(list_)));
    } else {
      key_ = std::move(value);
    }
    return true;
  }

  bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    std::string what = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    if (const auto end = what.find("] "); end != std::string::npos) what.erase(0, end + 2);
    fail(concat("is not JSON: ", shown(what)));
  }

  std::set<std::string> lists() && { return std::move(lists_); }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw_failure(concat(file_.string(), ": ", what));
  }

  /// How many brackets stand around an item.
  [[nodiscard]] std::size_t around() const {
    if (whole_) return 0;
    return top_is_list_ ? 1 : 2;
  }

  json& put(json&& value) {
    json& into = *building_.back();
    if (into.is_array()) {
      into.push_back(std::move(value));
      return into.back();
    }
    return into[key_in_item_.back()] = std::move(value);
  }

  /// Values may double when a list grows, and nlohmann_json needs room to destroy them; where there
  /// is none it ends the process.
  void count(std::int64_t bytes) {
    bytes_ += bytes;
    if (bytes_ < asked_) return;
    asked_ = bytes_ + step;
    const std::int64_t left = memory_left();
    if (left >= 2 * asked_) return;
    throw MemoryError(concat(file_.string(), ": an entry of it takes more than ",
                             human_bytes(static_cast<double>(bytes_)), " of memory; ",
                             memory_left_text(left)));
  }

  bool add(json&& value) {
    count(value_bytes);
    if (building_.empty()) {
      give(std::move(value));
    } else {
      put(std::move(value));
    }
    return true;
  }

  bool open(json&& value) {
    if (depth_ >= deepest) fail(concat("is nested deeper than ", deepest));
    if (building_.empty() && depth_ == 0) top_is_list_ = value.is_array();
    if (building_.empty() && depth_ < around()) {
      if (depth_ == 1) key_.clear();
      ++depth_;
      return true;
    }
    ++depth_;
    count(list_bytes);
    if (building_.empty()) {
      item_ = std::move(value);
      building_.push_back(&item_);
    } else {
      // References into arrays end when these grow, but only the innermost one grows.
      building_.push_back(&put(std::move(value)));
    }
    key_in_item_.emplace_back();
    return true;
  }

  bool close() {
    --depth_;
    if (building_.empty()) return true;
    building_.pop_back();
    key_in_item_.pop_back();
    if (building_.empty()) give(std::move(item_));
    return true;
  }

  void give(json&& value) {
    bytes_ = 0;
    asked_ = step;
    take_({list_, depth_ >= 2 ? key_ : std::string(), std::move(value)});
    item_ = nullptr;
  }

  const fs::path& file_;
  std::function<void(JsonItem&&)> take_;
  bool whole_;
  bool top_is_list_ = false;
  std::size_t depth_ = 0;
  std::int64_t bytes_ = 0, asked_ = step;
  std::string list_, key_;
  std::set<std::string> lists_;
  json item_;
  std::vector<json*> building_;
  std::vector<std::string> key_in_item_;
};

}  // namespace

json read_json(const fs::path& file, std::string_view text) {
  json out;
  Events events(
      file, [&](JsonItem&& item) { out = std::move(item.value); }, true);
  json::sax_parse(text.begin(), text.end(), &events);
  return out;
}

std::set<std::string> read_json_items(const fs::path& file, std::string_view text,
                                      const std::function<void(JsonItem&&)>& take) {
  Events events(file, take, false);
  json::sax_parse(text.begin(), text.end(), &events);
  return std::move(events).lists();
}

const json& member(const json& object, const char* name) {
  static const json none;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? none : *found;
}

std::string text_member(const json& object, const char* name) {
  const json& value = member(object, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}

}  // namespace medurwkv::data
