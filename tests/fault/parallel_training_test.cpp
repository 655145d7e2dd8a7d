// Training in several processes as users start it: the scores of one process, a rank that dies, a
// stop and a resume, other settings on another rank, machines of their own (network namespaces).
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/files.h"
#include "support/demo.h"
#include "support/free_port.h"
#include "support/process.h"
#include "weights/tensor_file.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Outcome;
using test::Process;
using test::run_program;

std::vector<std::string> with(std::vector<std::string> words,
                              const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// A column of log.csv, counted from 0.
std::vector<double> column(const fs::path& run, std::size_t index) {
  std::istringstream log(read_file(run / "log.csv"));
  std::vector<double> out;
  std::string line;
  std::getline(log, line);
  while (std::getline(log, line)) {
    std::istringstream cells(line);
    std::string cell;
    for (std::size_t i = 0; i <= index; ++i) std::getline(cells, cell, ',');
    out.push_back(std::stod(cell));
  }
  return out;
}

/// The process of a rank that another one started, by its command line; 0 without.
pid_t process_of(const std::string& run, const std::string& rank) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      continue;
    }
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    const std::string words{std::istreambuf_iterator<char>(file), {}};
    if (contains(words, run) && contains(words, rank)) return std::stoi(name);
  }
  return 0;
}

class ParallelTraining : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { world = std::make_unique<test::SmallWorld>(); }
  static void TearDownTestSuite() { world.reset(); }
  void SetUp() override {
    const Outcome probe =
        run_program(world->training("probe", {"--nproc", "2", "--epochs", "1", "--json"}));
    fs::remove_all(path("probe"));
    if (contains(probe.err, "no Gloo headers")) GTEST_SKIP() << probe.err;
    ASSERT_EQ(probe.code, 0) << probe.err;
  }
  static fs::path path(const std::string& name) { return world->root() / name; }

  static inline std::unique_ptr<test::SmallWorld> world;
};

// A batch of two for three processes: in every step one sample only stands in.
TEST_F(ParallelTraining, ProcessesTrainLikeOne) {
  ASSERT_EQ(run_program(world->training("alone", {"--epochs", "2"})).code, 0);
  for (const std::string count : {"2", "3"}) {
    const Outcome together =
        run_program(world->training("together" + count, {"--epochs", "2", "--nproc", count}));
    ASSERT_EQ(together.code, 0) << together.err;
    for (const std::size_t index : {2U, 8U}) {  // loss, validation Dice
      const std::vector<double> one = column(path("alone"), index);
      const std::vector<double> more = column(path("together" + count), index);
      ASSERT_EQ(one.size(), 2U);
      ASSERT_EQ(more.size(), 2U);
      for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(one[i], more[i], 1e-3) << count << " " << i;
    }
  }
  // Only rank 0 has written: all its files are there, and no other process had a folder.
  EXPECT_TRUE(fs::exists(path("together2") / "best.model"));
}

TEST_F(ParallelTraining, ADeadRankEndsTheRunWithItsCheckpoint) {
  const std::vector<std::string> words =
      world->training("dead", {"--epochs", "500", "--nproc", "2", "--save-every", "0.00001"});
  Process run(words);
  ASSERT_TRUE(run.until([] { return fs::exists(path("dead") / "last.ckpt"); })) << run.err();
  const pid_t rank = process_of(path("dead").string(), "--rank=1");
  ASSERT_NE(rank, 0);
  const auto killed = std::chrono::steady_clock::now();
  ::kill(rank, SIGKILL);
  const Outcome ended = run.wait(120);
  EXPECT_LT(std::chrono::steady_clock::now() - killed, std::chrono::seconds(60));
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(contains(ended.err, "rank 1 of 2 was ended by signal 9")) << ended.err;
  EXPECT_TRUE(contains(ended.err, "rank 0 of 2: ")) << ended.err;
  EXPECT_GT(weights::TensorFile::read(path("dead") / "last.ckpt").tensors().size(), 100U);

  // Goes on from it, until somebody wants it to stop.
  Process again(with(words, {"--resume"}));
  ASSERT_TRUE(again.until([&] { return contains(again.err(), "resuming after step"); }))
      << again.err();
  again.send(SIGTERM);
  EXPECT_EQ(again.wait(120).code, 143);
}

TEST_F(ParallelTraining, ARankWithOtherSettingsIsRefused) {
  const std::string address = "127.0.0.1:" + std::to_string(test::free_port());
  const auto rank = [&](const std::string& number, const std::string& epochs) {
    return world->training(
        "other", {"--rendezvous", address, "--rank", number, "--world", "2", "--epochs", epochs});
  };
  Process leader(rank("0", "1"));
  const Outcome follower = run_program(rank("1", "2"));
  EXPECT_EQ(follower.code, 2);
  EXPECT_TRUE(contains(follower.err, "rank 1: its configuration is not that of rank 0"))
      << follower.err;
  EXPECT_EQ(leader.wait(60).code, 1);
}

TEST_F(ParallelTraining, WrongUsageIsSaidAtOnce) {
  const auto refused = [&](const std::vector<std::string>& more, const std::string& words) {
    const Outcome outcome = run_program(world->training("wrong", more));
    EXPECT_EQ(outcome.code, 2) << words;
    EXPECT_TRUE(contains(outcome.err, words)) << outcome.err;
    EXPECT_LT(outcome.seconds, 20) << words;
  };
  refused({"--nproc", "2", "--seeds", "2"}, "make one run");
  refused({"--rendezvous", "nowhere", "--world", "2"}, "expected HOST:PORT");
  refused({"--rendezvous", "127.0.0.1:9", "--rank", "2", "--world", "2"}, "expected 0 to 1");
  refused({"--world", "2"}, "--rendezvous");
  fs::create_directories(path("taken"));
  write_file(path("taken") / "config.toml", "");
  const Outcome taken = run_program(world->training("taken", {"--nproc", "2"}));
  EXPECT_EQ(taken.code, 2);
  EXPECT_TRUE(contains(taken.err, "holds a training run already")) << taken.err;
  EXPECT_LT(taken.seconds, 20);
}

/// Two network namespaces joined by a cable, as two machines are.
class Namespaces {
 public:
  Namespaces() {
    made_ = shell(
        "ip netns add mu0 && ip netns add mu1 && "
        "ip link add mu0v netns mu0 type veth peer name mu1v netns mu1 && "
        "ip -n mu0 addr add 10.213.0.1/24 dev mu0v && ip -n mu0 link set mu0v up && "
        "ip -n mu1 addr add 10.213.0.2/24 dev mu1v && ip -n mu1 link set mu1v up && "
        "ip -n mu0 link set lo up && ip -n mu1 link set lo up");
  }
  Namespaces(const Namespaces&) = delete;
  Namespaces& operator=(const Namespaces&) = delete;
  Namespaces(Namespaces&&) = delete;
  Namespaces& operator=(Namespaces&&) = delete;
  ~Namespaces() { shell("ip netns del mu0; ip netns del mu1"); }
  [[nodiscard]] bool made() const { return made_; }

 private:
  static bool shell(const std::string& commands) {
    return std::system(("( " + commands + " ) >/dev/null 2>&1").c_str()) == 0;
  }
  bool made_ = false;
};

TEST_F(ParallelTraining, MachinesOfTheirOwnTrainLikeOne) {
  const Namespaces machines;
  if (!machines.made()) GTEST_SKIP() << "network namespaces cannot be made here (ip netns)";
  const auto rank = [&](const std::string& number) {
    return world->training("machines", {"--epochs", "2", "--rendezvous", "10.213.0.1:29511",
                                        "--rank", number, "--world", "2"});
  };
  test::Start left;
  left.within = {"/usr/sbin/ip", "netns", "exec", "mu0"};
  test::Start right;
  right.within = {"/usr/sbin/ip", "netns", "exec", "mu1"};
  Process follower(rank("1"), right);
  const Outcome leader = run_program(rank("0"), left);
  ASSERT_EQ(leader.code, 0) << leader.err;
  EXPECT_EQ(follower.wait(60).code, 0) << follower.err();
  ASSERT_EQ(run_program(world->training("one", {"--epochs", "2"})).code, 0);
  const std::vector<double> one = column(path("one"), 2);
  const std::vector<double> two = column(path("machines"), 2);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(one.at(i), two.at(i), 1e-3);
}

}  // namespace
}  // namespace medurwkv
