// Texts, shapes, random numbers, threads and files.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/shape.h"
#include "core/text.h"
#include "core/threads.h"
#include "support/paths.h"

namespace medurwkv {
namespace {

TEST(Text, FormatsNumbersForPeople) {
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(1000), "1,000");
  EXPECT_EQ(with_thousands(-14330530), "-14,330,530");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(12'340'000), "12.3 MB");
  EXPECT_EQ(human_seconds(5), "5 s");
  EXPECT_EQ(human_seconds(184), "3 min 04 s");
  EXPECT_EQ(human_seconds(3720), "1 h 02 min");
  EXPECT_EQ(fixed(-0.126, 2), "-0.13");
}

TEST(Text, SplitsAndJoins) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(join({"a", "", "b"}, ","), "a,,b");
  EXPECT_EQ(trim(" \ta b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(upper("model-1"), "MODEL-1");
}

TEST(Text, SuggestsOnlyWhatIsNear) {
  EXPECT_EQ(nearest_name("epohs", {"epochs", "batch"}), "epochs");
  EXPECT_EQ(nearest_name("zzzzzz", {"epochs", "batch"}), "");
  EXPECT_EQ(suggestion("bach", {"epochs", "batch"}), ", did you mean batch?");
  EXPECT_EQ(suggestion("zzzzzz", {"epochs", "batch"}), "; known: epochs, batch");
}

TEST(Shapes, CountElementsWithoutOverflow) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({2, 3, 4}), 24);
  EXPECT_EQ(element_count({5, 0}), 0);
  EXPECT_THROW(element_count({-1, 2}), Error);
  const std::int64_t big = std::int64_t{1} << 32;
  EXPECT_THROW(element_count({big, big}), Error);
  EXPECT_EQ(shape_text({2, 3}), "2x3");
  EXPECT_EQ(shape_text({}), "scalar");
}

// Moments within four standard errors; a wrong generator misses them by far.
TEST(RandomNumbers, HaveTheirMoments) {
  const Random random({1, 2, 3});
  constexpr int count = 200000;
  double uniform = 0;
  double normal = 0;
  double square = 0;
  for (int i = 0; i < count; ++i) {
    const auto index = static_cast<std::uint64_t>(i);
    const double u = random.uniform(index);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    uniform += u / count;
    const double n = random.normal(index);
    normal += n / count;
    square += n * n / count;
  }
  EXPECT_NEAR(uniform, 0.5, 4 * std::sqrt(1.0 / 12 / count));
  EXPECT_NEAR(normal, 0, 4 * std::sqrt(1.0 / count));
  EXPECT_NEAR(square, 1, 4 * std::sqrt(2.0 / count));
}

TEST(RandomNumbers, StreamsDiffer) {
  const Random a({7, 1});
  const Random b({7, 2});
  const Random named(7, "augment");
  int equal = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    equal += a.bits(i) == b.bits(i) || a.bits(i) == named.bits(i) ? 1 : 0;
  }
  EXPECT_EQ(equal, 0);
  EXPECT_EQ(a.bits(5), Random({7, 1}).bits(5)) << "a pure function";
}

TEST(RandomNumbers, BelowIsUniform) {
  const Random random({4});
  std::vector<int> seen(7);
  constexpr int count = 70000;
  for (std::uint64_t i = 0; i < count; ++i) ++seen[random.below(i, 7)];
  // Chi-square with 6 degrees of freedom: above 22.5 once in a thousand.
  double chi = 0;
  for (const int n : seen) chi += (n - 10000.0) * (n - 10000.0) / 10000;
  EXPECT_LT(chi, 22.5);
}

TEST(RandomNumbers, PermutationHoldsEveryNumberOnce) {
  for (const std::int64_t count : {0, 1, 2, 100}) {
    std::vector<std::int64_t> order = Random({9}).permutation(count);
    std::sort(order.begin(), order.end());
    std::vector<std::int64_t> expected(static_cast<std::size_t>(count));
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(order, expected);
  }
}

TEST(Threads, PartsCoverTheRangeOnce) {
  const int kept = thread_count();
  for (const int threads : {1, 2, 5}) {
    set_thread_count(threads);
    for (const std::int64_t count : {0, 1, 4, 1001}) {
      std::vector<int> seen(static_cast<std::size_t>(count));
      parallel_for(count, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
      });
      EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), count) << threads << " threads";
    }
  }
  set_thread_count(kept);
}

// As Python's multiprocessing does it after a loop has run: OpenMP's threads are gone there.
TEST(Threads, AForkedProcessComputesAlone) {
  const int before = thread_count();
  set_thread_count(2);
  const auto sum = [] {
    std::vector<std::int64_t> parts(2, 0);
    parallel_for(1000, [&](std::int64_t begin, std::int64_t end, std::int64_t part) {
      for (std::int64_t i = begin; i < end; ++i) parts[static_cast<std::size_t>(part)] += i;
    });
    return parts[0] + parts[1];
  };
  EXPECT_EQ(sum(), 499500);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(sum() == 499500 && thread_count() == 1 ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(thread_count(), 2);
  set_thread_count(before);
}

TEST(Files, AreReplacedAsAWhole) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "a.bin";
  write_file(path, std::string_view("first"));
  EXPECT_EQ(read_file(path), "first");
  EXPECT_THROW(write_file(path,
                          [](const AppendBytes& append) {
                            append("half");
                            throw_failure("interrupted");
                          }),
               Error);
  EXPECT_EQ(read_file(path), "first") << "a failed write leaves the former file";
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1)
      << "and no temporary one";
  write_file(path, std::string_view("second"));
  EXPECT_EQ(read_file(path), "second");
}

TEST(Files, ReadingSaysWhatIsWrong) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "a.bin";
  const auto message = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_NE(message([&] { read_file(path); }).find("a.bin"), std::string::npos);
  EXPECT_NE(message([&] { read_file(folder.path()); }).find("regular file"), std::string::npos);
  write_file(path, std::string(100, 'x'));
  EXPECT_NE(message([&] { read_file(path, 99); }).find("a.bin"), std::string::npos);
}

// FIPS 180-2's examples.
TEST(Files, Sha256IsTheStandards) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// What a killed writer left goes; what only looks like it stays.
TEST(Files, RemoveTheLeftoversOfKilledWriters) {
  const test::TemporaryFolder folder;
  const std::vector<std::string> kept{
      "a",          ".a.12x.tmp", ".a..tmp",  ".a.tmp",
      ".a.b.7.tmp", ".b.12.tmp",  "a.12.tmp", concat(".a.", ::getppid(), ".tmp")};
  const std::vector<std::string> removed{".a.4194305.tmp", ".a.4194304.tmp"};
  for (const auto* names : {&kept, &removed}) {
    for (const std::string& name : *names) write_file(folder.path() / name, "x");
  }
  remove_leftovers(folder.path(), {"a", "c"});
  for (const std::string& name : kept) {
    EXPECT_TRUE(std::filesystem::exists(folder.path() / name)) << name;
  }
  for (const std::string& name : removed) {
    EXPECT_FALSE(std::filesystem::exists(folder.path() / name)) << name;
  }
}

// A rate over no time is a nonsense number; over half a second it is one that can be checked.
TEST(ProgressLine, HasARateOnlyAfterAWhile) {
  constexpr std::int64_t total = 1000;
  testing::internal::CaptureStderr();
  {
    Progress progress("counting", total);
    progress.update(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    progress.update(total);
  }
  const std::vector<std::string> lines = split(testing::internal::GetCapturedStderr(), '\n');
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "counting 1/1000");
  EXPECT_TRUE(lines[1].starts_with("counting 1000/1000  ")) << lines[1];
  const double rate = std::stod(lines[1].substr(20));
  EXPECT_LE(rate, static_cast<double>(total) / 0.6 + 1);
  EXPECT_GT(rate, 0);
}

}  // namespace
}  // namespace medurwkv
