// A file of weights that is read once, piece by piece: the same bytes as in the whole file, on any
// number of threads, and no damage passes.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/threads.h"
#include "support/paths.h"
#include "support/read_weights.h"
#include "support/refusal.h"
#include "weights/model_file.h"
#include "weights/pth_file.h"
#include "weights/weights_source.h"

namespace medurwkv::weights {
namespace {

namespace fs = std::filesystem;

class WeightsSources : public ::testing::Test {
 protected:
  void TearDown() override { set_thread_count(available_cores()); }
  [[nodiscard]] fs::path path() const { return folder_.path() / "weights"; }
  /// One tensor of several pieces, not a whole number of them, one of a piece, one of none.
  [[nodiscard]] std::vector<TensorView> tensors() const {
    return {{"large", DType::f32, {200'003}, as_text(std::span<const float>(numbers_))},
            {"bytes", DType::u8, {2, 2}, "wxyz"},
            {"none", DType::f32, {0, 4}, {}}};
  }
  static std::string refusal(const fs::path& file) {
    const auto refused = test::refusal_of([&] {
      const auto source = WeightsSource::open(file);
      source.understood([&] {
        if (source.metadata().at("key") != "value") throw_failure("not understood");
      });
      source.check();
    });
    return refused ? refused->message : "";
  }

 private:
  static std::vector<float> counted() {
    std::vector<float> out(200'003);
    std::iota(out.begin(), out.end(), -7.0F);
    return out;
  }
  test::TemporaryFolder folder_;
  std::vector<float> numbers_ = counted();
};

TEST_F(WeightsSources, GiveEveryByteOnce) {
  const std::vector<TensorView> written = tensors();
  const auto expect_given = [&] {
    for (const int threads : {1, 3}) {
      set_thread_count(threads);
      std::map<std::string, std::string> got = test::pieces_of(WeightsSource::open(path()));
      for (const TensorView& one : written) EXPECT_EQ(got[one.name], one.data) << one.name;
      EXPECT_EQ(got.size(), written.size());
    }
  };
  write_model_file(path(), written, {{"key", "value"}});
  expect_given();
  const TensorFile whole = read_checked(path());
  EXPECT_EQ(WeightsSource(whole).read([](const auto&, auto, auto) {}),
            stored_checksum(whole.metadata()));
  EXPECT_EQ(whole.file_sha256(), sha256_file(path()));
  // Its checksum is over what it says, so that another kind of file keeps it.
  write_pth_file(path(), written, whole.metadata());
  expect_given();
}

TEST_F(WeightsSources, RefuseEveryDamage) {
  write_model_file(path(), tensors(), {{"key", "value"}});
  const std::string whole = read_file(path());
  ASSERT_EQ(refusal(path()), "");
  const std::vector<std::size_t> places{whole.find("\"value\"") + 1, whole.find("large"),
                                        whole.size() - 1, whole.size() / 2,
                                        whole.size() - 4 - 4 * 200'003};
  for (const std::size_t place : places) {
    std::string bytes = whole;
    bytes[place] = static_cast<char>(bytes[place] ^ 1);
    write_file(path(), bytes);
    EXPECT_NE(refusal(path()).find("weights: is damaged"), std::string::npos)
        << place << ": " << refusal(path());
  }
}

// A .pth of others has no checksum but the CRC of each member, of all its bytes.
TEST_F(WeightsSources, RefuseAPthWithAnotherCrc) {
  write_pth_file(path(), tensors(), {});
  const auto said = [&] {
    const auto refused = test::refusal_of([&] { WeightsSource::open(path()).check(); });
    return refused ? refused->message : "";
  };
  const std::string whole = read_file(path());
  ASSERT_EQ(said(), "");
  for (const std::size_t place :
       {whole.size() / 8, whole.size() / 2, whole.find("wxyz"), whole.find("wxyz") + 3}) {
    std::string bytes = whole;
    bytes[place] = static_cast<char>(bytes[place] ^ 1);
    write_file(path(), bytes);
    EXPECT_NE(said().find("do not have the CRC"), std::string::npos) << place << ": " << said();
  }
}

TEST_F(WeightsSources, RefuseAFileThatIsCutWhileItIsRead) {
  write_model_file(path(), tensors(), {});
  const auto source = WeightsSource::open(path());
  fs::resize_file(path(), fs::file_size(path()) / 2);
  const auto refused = test::refusal_of([&] { source.check(); });
  ASSERT_TRUE(refused);
  EXPECT_NE(refused->message.find("became shorter"), std::string::npos) << refused->message;
}

// What is thrown for one piece ends the reading on all threads.
TEST_F(WeightsSources, PassOnWhatATakerThrows) {
  write_model_file(path(), tensors(), {});
  const auto source = WeightsSource::open(path());
  EXPECT_THROW(source.read([](const auto&, auto, auto) { throw_failure("taken ill"); }), Error);
}

}  // namespace
}  // namespace medurwkv::weights
