// A fixture for tests of the commands: a small data set and one model trained on it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "support/demo.h"
#include "support/process.h"

namespace medurwkv::test {

class TrainedWorld : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    world = std::make_unique<SmallWorld>();
    trained = world->trained("run", {"--epochs", "2"});
  }
  static void TearDownTestSuite() { world.reset(); }
  void SetUp() override { ASSERT_EQ(trained.code, 0) << trained.err; }

  static std::filesystem::path path(const std::string& name) { return world->root() / name; }
  static std::string model() { return path("run/best.model").string(); }
  static std::string data() { return world->data().string(); }
  static std::string split() { return world->split().string(); }

  static inline std::unique_ptr<SmallWorld> world;
  static inline Outcome trained;
};

}  // namespace medurwkv::test
