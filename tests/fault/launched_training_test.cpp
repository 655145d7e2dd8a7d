// Training that a launcher starts: processes that get their ranks from the variables that torchrun
// sets. scripts/test-launchers does the same with torchrun, mpirun and srun themselves.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/text.h"
#include "support/demo.h"
#include "support/free_port.h"
#include "support/process.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using test::operator+;
using test::contains;
using test::Outcome;
using test::Process;
using test::run_program;
using test::Start;
using test::Words;

using Variables = std::vector<std::pair<std::string, std::string>>;

/// Of one of two processes of this machine, as torchrun sets them.
Start by_torchrun(int rank, int port, const Variables& more = {}) {
  const std::string number = std::to_string(rank);
  Start out;
  out.environment = {{"RANK", number},
                     {"WORLD_SIZE", "2"},
                     {"LOCAL_RANK", number},
                     {"LOCAL_WORLD_SIZE", "2"},
                     {"MASTER_ADDR", "127.0.0.1"},
                     {"MASTER_PORT", std::to_string(port)},
                     {"TORCHELASTIC_RUN_ID", concat("run", port)},
                     {"TORCHELASTIC_USE_AGENT_STORE", "False"}};
  out.environment.insert(out.environment.end(), more.begin(), more.end());
  return out;
}

/// Listens at a port while it lives, as torchrun's agent does with its store.
class Listening {
 public:
  Listening() : handle_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(handle_, any, size) != 0 || ::listen(handle_, 8) != 0 ||
        ::getsockname(handle_, any, &size) != 0) {
      throw std::runtime_error("no port to listen at");
    }
    port_ = ntohs(address.sin_port);
  }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;
  Listening(Listening&&) = delete;
  Listening& operator=(Listening&&) = delete;
  ~Listening() { ::close(handle_); }
  [[nodiscard]] int port() const { return port_; }

 private:
  int handle_ = -1;
  int port_ = 0;
};

class LaunchedTraining : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { world = std::make_unique<test::SmallWorld>(); }
  static void TearDownTestSuite() { world.reset(); }
  void SetUp() override {
    const Outcome probe = run_program(world->training("probe", {"--nproc", "2", "--epochs", "1"}));
    fs::remove_all(path("probe"));
    if (contains(probe.err, "no Gloo headers")) GTEST_SKIP() << probe.err;
    ASSERT_EQ(probe.code, 0) << probe.err;
  }
  static fs::path path(const std::string& name) { return world->root() / name; }
  static std::string log(const std::string& run) { return read_file(path(run) / "log.csv"); }

  static inline std::unique_ptr<test::SmallWorld> world;
};

// The launcher's ranks are those of --nproc: the same log, to the last digit.
TEST_F(LaunchedTraining, RanksFromVariablesTrainTogether) {
  const int port = test::free_port();
  const Words words = world->training("launched", {"--epochs", "2"});
  Process follower(words, by_torchrun(1, port));
  const Outcome leader = run_program(words, by_torchrun(0, port));
  ASSERT_EQ(leader.code, 0) << leader.err;
  EXPECT_TRUE(
      contains(leader.err, concat("rank 0 of 2 by torchrun; the ranks meet at 127.0.0.1:", port)))
      << leader.err;
  const Outcome other = follower.wait(60);
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_EQ(other.out, "") << "rank 0 speaks for all";
  ASSERT_EQ(run_program(world->training("nproc", {"--epochs", "2", "--nproc", "2"})).code, 0);
  EXPECT_EQ(log("launched"), log("nproc"));
}

TEST_F(LaunchedTraining, RanksMeetBesideTheStoreOfTheAgent) {
  const Listening agent;
  const Variables has_store{{"TORCHELASTIC_USE_AGENT_STORE", "True"}};
  const Words words = world->training("beside", {"--epochs", "1"});
  Process follower(words, by_torchrun(1, agent.port(), has_store));
  const Outcome leader = run_program(words, by_torchrun(0, agent.port(), has_store));
  EXPECT_EQ(leader.code, 0) << leader.err;
  EXPECT_EQ(follower.wait(60).code, 0) << follower.err();
}

// A launcher starts a job again with the same command: the first time there is nothing to resume.
TEST_F(LaunchedTraining, AJobThatIsStartedAgainGoesOnFromItsCheckpoint) {
  const Words words =
      world->training("again", {"--epochs", "500", "--auto-resume", "--save-every", "0.00001"});
  {
    const int port = test::free_port();
    Process follower(words, by_torchrun(1, port));
    Process leader(words, by_torchrun(0, port));
    ASSERT_TRUE(leader.until([] { return fs::exists(path("again") / "last.ckpt"); }))
        << leader.err();
    EXPECT_FALSE(contains(leader.err(), "resuming")) << leader.err();
    // A rank is killed. The other one ends, as torchrun needs it to start all of them again.
    follower.send(SIGKILL);
    EXPECT_EQ(leader.wait(60).code, 1) << leader.err();
  }
  const int port = test::free_port();
  Process follower(words, by_torchrun(1, port));
  Process leader(words, by_torchrun(0, port));
  ASSERT_TRUE(leader.until([&] { return contains(leader.err(), "resuming after step"); }))
      << leader.err();
  leader.send(SIGTERM);
  EXPECT_EQ(leader.wait(60).code, 143) << leader.err();
  EXPECT_EQ(follower.wait(60).code, 143) << "all ranks save and end together";
}

// Killed before there is a checkpoint, it begins again.
TEST_F(LaunchedTraining, AutoResumeBeginsAndGoesOn) {
  const Words words = world->training("alone", {"--epochs", "2", "--auto-resume"});
  ASSERT_EQ(run_program(words).code, 0);
  const std::string whole = log("alone");
  EXPECT_EQ(run_program(words + Words{"--resume"}).code, 2) << "they exclude each other";
  const Words other = world->training("early", {"--epochs", "2", "--auto-resume"});
  {
    Process killed(other);
    ASSERT_TRUE(killed.until([] { return fs::exists(path("early") / "config.toml"); }));
    killed.send(SIGKILL);
    killed.wait();
  }
  const Outcome again = run_program(other);
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(log("early"), whole);
}

TEST_F(LaunchedTraining, HalfSetVariablesAreRefusedBeforeAnythingIsWritten) {
  const auto refused = [&](const Variables& variables, const std::string& words) {
    Start start;
    start.environment = variables;
    const Outcome outcome = run_program(world->training("refused"), start);
    EXPECT_EQ(outcome.code, 2) << words;
    EXPECT_TRUE(contains(outcome.err, words)) << outcome.err;
    EXPECT_FALSE(fs::exists(path("refused"))) << words;
  };
  refused({{"RANK", "1"}}, "RANK=1 is set and WORLD_SIZE is not");
  refused({{"RANK", "1"}, {"WORLD_SIZE", "2"}}, "WORLD_SIZE=2 is set and MASTER_ADDR is not");
  refused({{"RANK", "2"}, {"WORLD_SIZE", "2"}}, "RANK=2 contradicts WORLD_SIZE=2");
  refused({{"OMPI_COMM_WORLD_SIZE", "2"}}, "OMPI_COMM_WORLD_RANK is not");
  refused({{"SLURM_STEP_NUM_TASKS", "2"}}, "SLURM_PROCID is not");
}

TEST_F(LaunchedTraining, OptionsWinOverVariables) {
  const Words alone = world->training("options", {"--epochs", "1", "--nproc", "1"});
  EXPECT_EQ(run_program(alone, by_torchrun(1, 9)).code, 0);
  EXPECT_TRUE(fs::exists(path("options") / "best.model")) << "as the one rank, not as rank 1";
  const std::string place = concat("127.0.0.1:", test::free_port());
  const Words elsewhere = world->training("elsewhere", {"--epochs", "1", "--rendezvous", place});
  Process follower(elsewhere, by_torchrun(1, 9));
  const Outcome leader = run_program(elsewhere, by_torchrun(0, 9));
  EXPECT_EQ(leader.code, 0) << leader.err;
  EXPECT_TRUE(contains(leader.err, "meet at " + place)) << leader.err;
  EXPECT_EQ(follower.wait(60).code, 0) << follower.err();
}

}  // namespace
}  // namespace medurwkv
