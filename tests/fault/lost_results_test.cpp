// What a run has written and somebody has removed or damaged: it is written again where the run
// still has it, and never named as if it were there.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "support/demo.h"
#include "support/process.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::Process;
using test::run_program;

class LostResults : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { world = std::make_unique<test::SmallWorld>(); }
  static void TearDownTestSuite() { world.reset(); }

  static fs::path path(const std::string& name) { return world->root() / name; }
  static Outcome train(const std::string& run, const std::vector<std::string>& more) {
    return run_program(world->training(run, more));
  }
  /// At this rate nothing changes, so that the first epoch stays the best.
  static Outcome train_unmoved(const std::string& run, std::vector<std::string> more) {
    more.insert(more.end(), {"--set", "optimizer.rate=1e-12"});
    return train(run, more);
  }
  static void damage(const fs::path& file) {
    std::string bytes = read_file(file);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_file(file, bytes);
  }

  static std::unique_ptr<test::SmallWorld> world;
};
std::unique_ptr<test::SmallWorld> LostResults::world;

TEST_F(LostResults, TheLastEpochsModelAndCurvesAreWrittenAgain) {
  ASSERT_EQ(train("again", {"--epochs", "1"}).code, 0);
  const std::string model = sha256_file(path("again/best.model"));
  const std::string curves = sha256_file(path("again/curves.svg"));
  for (const bool removed : {true, false}) {
    for (const char* name : {"again/best.model", "again/curves.svg"}) {
      removed ? static_cast<void>(fs::remove(path(name))) : damage(path(name));
    }
    const Outcome outcome = train("again", {"--epochs", "1", "--resume"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(contains(outcome.out, "best.model")) << outcome.out;
    EXPECT_EQ(sha256_file(path("again/best.model")), model);
    EXPECT_EQ(sha256_file(path("again/curves.svg")), curves);
  }
}

TEST_F(LostResults, AnEarlierEpochsModelIsMissedByName) {
  const Outcome first = train_unmoved("earlier", {"--epochs", "2", "--json"});
  ASSERT_EQ(first.code, 0) << first.err;
  ASSERT_EQ(json::parse(first.out).at("best_epoch"), 1);
  const fs::path model = path("earlier/best.model");
  const std::string whole = read_file(model);
  for (const std::string how : {"is gone", "cannot be read", "is not the one"}) {
    write_file(model, whole);
    if (how == "is gone") fs::remove(model);
    if (how == "cannot be read") damage(model);
    if (how == "is not the one") {
      ASSERT_EQ(train("other", {"--epochs", "1", "--seed", "9"}).code, 0);
      fs::copy_file(path("other/best.model"), model, fs::copy_options::overwrite_existing);
    }
    const Outcome outcome = train_unmoved("earlier", {"--epochs", "2", "--resume"});
    EXPECT_EQ(outcome.code, 1) << how << outcome.err;
    EXPECT_EQ(outcome.out, "") << how;
    for (const std::string& part : {model.string() + " of epoch 1", how, std::string("--epochs")}) {
      EXPECT_TRUE(contains(outcome.err, part)) << outcome.err;
    }
  }
  const Outcome more = train_unmoved("earlier", {"--epochs", "3", "--resume", "--json"});
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_TRUE(contains(more.err, "warning: " + model.string())) << more.err;
  EXPECT_EQ(json::parse(more.out).at("best_epoch"), 3);
  EXPECT_EQ(run_program({"inspect", model.string()}).code, 0);
}

TEST_F(LostResults, AModelThatVanishesMeanwhileIsMissedAtTheEnd) {
  std::vector<std::string> words =
      world->training("vanished", {"--epochs", "6", "--set", "optimizer.rate=1e-12"});
  Process process(words);
  ASSERT_TRUE(process.until([&] { return contains(process.err(), "epoch 2/"); }));
  fs::remove(path("vanished/best.model"));
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, path("vanished/best.model").string() + " of epoch 1"))
      << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

TEST_F(LostResults, ASeriesMissesItsModelsToo) {
  ASSERT_EQ(train("seeds", {"--epochs", "1", "--seeds", "2"}).code, 0);
  const fs::path model = path("seeds/seed0/best.model");
  const std::string whole = sha256_file(model);
  fs::remove(model);
  const Outcome outcome = train("seeds", {"--epochs", "1", "--resume"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(sha256_file(model), whole);
  EXPECT_TRUE(contains(outcome.err, "seed1: has ended before")) << outcome.err;
}

}  // namespace
}  // namespace medurwkv
