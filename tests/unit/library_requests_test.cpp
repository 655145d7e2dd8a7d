// What crosses to and from the training library: every field of a request and of a result is
// documented where it is declared, is visited under its own name, and comes back as it was sent.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "library/json.h"
#include "library/requests.h"
#include "library/results.h"
#include "support/paths.h"

namespace medurwkv::library {
namespace {

using Names = std::vector<std::string>;

/// The members of each struct of a header that have a comment behind them, and all of them.
struct Declared {
  Names members, documented;
};

std::map<std::string, Declared> declared() {
  static const std::regex start(R"(struct (\w+) \{)");
  static const std::regex member(R"(  [\w:<>]+ (\w+)( = [^;]+)?;(\s*///< .{5,})?)");
  std::map<std::string, Declared> out;
  std::istringstream lines(read_file(test::source_folder() / "src/library/requests.h") +
                           read_file(test::source_folder() / "src/library/results.h"));
  std::string line;
  std::string name;
  while (std::getline(lines, line)) {
    std::smatch match;
    if (std::regex_match(line, match, start)) {
      name = match[1];
    } else if (!name.empty() && std::regex_match(line, match, member)) {
      out[name].members.push_back(match[1]);
      if (match[3].matched) out[name].documented.push_back(match[1]);
    }
  }
  return out;
}

template <class Request>
Names visited() {
  Names out;
  const Request request;
  Request::fields(request,
                  [&](const char* name, const auto& /*value*/) { out.emplace_back(name); });
  return out;
}

/// Another value than the default, and another for each field.
void set(std::string& value, int number) {
  value = "text " + std::to_string(number);
}
void set(std::filesystem::path& value, int number) {
  value = "path/" + std::to_string(number);
}
void set(OutputPath& value, int number) {
  value = OutputPath("out/" + std::to_string(number));
}
void set(std::vector<std::string>& value, int number) {
  value = {"a", std::to_string(number)};
}
void set(std::vector<std::int64_t>& value, int number) {
  value = {1, number};
}
void set(measure::Estimate& value, int number) {
  value.median = number;
  value.high = number + 1;
}
void set(measure::LoopSpeeds& value, int number) {
  value.triad_gb_s.low = number;
}
template <class T>
void set(std::optional<T>& value, int number);
template <Fields T>
void set(T& value, int number);
template <Fields T>
void set(std::vector<T>& value, int number) {
  set(value.emplace_back(), number);
}
void set(bool& value, int /*number*/) {
  value = !value;
}
template <class Number>
requires std::is_arithmetic_v<Number>
void set(Number& value, int number) {
  value = static_cast<Number>(number) + 100;
}
template <class T>
void set(std::optional<T>& value, int number) {
  set(value.emplace(), number);
}
template <Fields T>
void set(T& value, int number) {
  T::fields(value, [&](const char* /*name*/, auto& field) { set(field, ++number); });
}

template <class Request>
class Requests : public testing::Test {};

template <class T>
constexpr const char* name_of = nullptr;
template <>
constexpr const char* name_of<TrainRequest> = "TrainRequest";
template <>
constexpr const char* name_of<EngineRequest> = "EngineRequest";
template <>
constexpr const char* name_of<FeaturesRequest> = "FeaturesRequest";
template <>
constexpr const char* name_of<BenchRequest> = "BenchRequest";
template <>
constexpr const char* name_of<LibraryDescription> = "LibraryDescription";
template <>
constexpr const char* name_of<RunResult> = "RunResult";
template <>
constexpr const char* name_of<TrainResult> = "TrainResult";
template <>
constexpr const char* name_of<ArrayFile> = "ArrayFile";
template <>
constexpr const char* name_of<FeaturesResult> = "FeaturesResult";
template <>
constexpr const char* name_of<BenchFigures> = "BenchFigures";
template <>
constexpr const char* name_of<BenchResult> = "BenchResult";

using All =
    testing::Types<TrainRequest, EngineRequest, FeaturesRequest, BenchRequest, LibraryDescription,
                   RunResult, TrainResult, ArrayFile, FeaturesResult, BenchFigures, BenchResult>;
TYPED_TEST_SUITE(Requests, All);

TYPED_TEST(Requests, EveryFieldIsDeclaredDocumentedAndVisited) {
  const Declared there = declared()[name_of<TypeParam>];
  ASSERT_GE(there.members.size(), 1U) << "the header was not understood";
  EXPECT_EQ(there.documented, there.members);
  EXPECT_EQ(visited<TypeParam>(), there.members);
}

TYPED_TEST(Requests, ComesBackAsItWasSent) {
  using Request = TypeParam;
  Request sent;
  int number = 0;
  Request::fields(sent, [&](const char* /*name*/, auto& value) { set(value, ++number); });
  const std::string text = to_text(sent);
  EXPECT_EQ(nlohmann::json::parse(text).size(), visited<Request>().size());
  EXPECT_NE(text, to_text(Request()));
  EXPECT_EQ(to_text(from_text<Request>(text)), text);
}

TEST(RequestTexts, ATextThatIsNotUtf8IsRefused) {
  TrainRequest request;
  request.data = "caf\xe9";
  EXPECT_THROW(to_text(request), Error);
  request.data = "data";
  request.settings = {"run.epochs=1", "\xff"};
  EXPECT_THROW(to_text(request), Error);
}

}  // namespace
}  // namespace medurwkv::library
