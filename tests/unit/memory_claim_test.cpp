// Claims on memory: within the limit, refused in words above it, one at a time where two do not
// fit together.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "core/error.h"
#include "core/files.h"
#include "core/memory.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv {
namespace {

constexpr std::int64_t mega = 1'000'000;

class MemoryClaims : public ::testing::Test {
 protected:
  void SetUp() override { set_memory_limit(resident_memory() + 200 * mega); }
  void TearDown() override { set_memory_limit(0); }
};

std::optional<test::Refusal> claiming(std::int64_t bytes) {
  return test::refusal_of([&] {
    const MemoryClaim claim("a file", bytes);
    return bytes;
  });
}

TEST_F(MemoryClaims, TheLimitIsOfWhatIsLeft) {
  EXPECT_LE(memory_left(), 201 * mega);
  EXPECT_GE(memory_left(), 150 * mega);
  EXPECT_FALSE(claiming(100 * mega));
  const auto refused = claiming(400 * mega);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::failure);
  for (const char* part : {"a file: takes about 400", "left", "--memory allows"}) {
    EXPECT_TRUE(refused->names(part)) << refused->message;
  }
  set_memory_limit(0);
  EXPECT_FALSE(claiming(300 * mega)) << "by the machine alone";
}

TEST_F(MemoryClaims, WithinAClaimNothingIsCountedTwice) {
  const MemoryClaim outer("a file", 150 * mega);
  EXPECT_FALSE(claiming(150 * mega));
}

// Two of 150 MB in 200 MB: the second waits, and neither is refused.
TEST_F(MemoryClaims, ClaimsThatDoNotFitTogetherWaitForEachOther) {
  std::atomic<int> holders{0};
  std::atomic<int> most{0};
  std::atomic<int> refused{0};
  const auto work = [&] {
    for (int i = 0; i < 20; ++i) {
      try {
        const MemoryClaim claim("a file", 150 * mega);
        const int now = ++holders;
        most = std::max(most.load(), now);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        --holders;
      } catch (const Error&) {
        ++refused;
      }
    }
  };
  std::thread first(work);
  std::thread second(work);
  first.join();
  second.join();
  EXPECT_EQ(most, 1);
  EXPECT_EQ(refused, 0);
}

TEST_F(MemoryClaims, AFileIsReadWhereThereIsMemoryForIt) {
  const test::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "large";
  write_file(file, "");
  std::filesystem::resize_file(file, 300 * mega);  // holds no blocks
  for (const auto& refused :
       {test::refusal_of([&] { return read_file(file).size(); }),
        test::refusal_of([&] { return FilePieces(file).read(0, 300 * mega).size(); })}) {
    ASSERT_TRUE(refused);
    EXPECT_TRUE(refused->names(file.string() + ": takes about 300")) << refused->message;
  }
}

}  // namespace
}  // namespace medurwkv
