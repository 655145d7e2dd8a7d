// What the variables of launchers mean for a training: expected values are those that the
// launchers' manuals give their variables.
#include <gtest/gtest.h>

#include <string>

#include "support/refusal.h"
#include "train/run/launcher.h"

namespace medurwkv::train {
namespace {

Environment with(Environment variables, const Environment& more) {
  for (const auto& [name, value] : more) variables[name] = value;
  return variables;
}

Environment without(Environment variables, const std::string& name) {
  variables.erase(name);
  return variables;
}

/// `torchrun --nnodes 2 --nproc-per-node 2`, the second process of the second machine.
const Environment by_torchrun{{"RANK", "3"},
                              {"WORLD_SIZE", "4"},
                              {"LOCAL_RANK", "1"},
                              {"LOCAL_WORLD_SIZE", "2"},
                              {"GROUP_RANK", "1"},
                              {"MASTER_ADDR", "node1"},
                              {"MASTER_PORT", "29500"},
                              {"TORCHELASTIC_RUN_ID", "job7"},
                              {"TORCHELASTIC_USE_AGENT_STORE", "False"}};
/// `srun -N 2 -n 3`, the third process.
const Environment by_srun{{"SLURM_JOB_ID", "4711"},
                          {"SLURM_STEP_ID", "0"},
                          {"SLURM_PROCID", "2"},
                          {"SLURM_NTASKS", "3"},
                          {"SLURM_LOCALID", "0"},
                          {"SLURM_NODEID", "1"},
                          {"SLURM_STEP_NUM_TASKS", "3"},
                          {"SLURM_STEP_NUM_NODES", "2"},
                          {"SLURM_STEP_TASKS_PER_NODE", "2,1"},
                          {"SLURM_STEP_NODELIST", "gpu[07-08]"},
                          {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.9"}};
/// `mpirun -n 2` on one machine, the second process.
const Environment by_mpirun{{"OMPI_COMM_WORLD_RANK", "1"},
                            {"OMPI_COMM_WORLD_SIZE", "2"},
                            {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                            {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                            {"PMIX_NAMESPACE", "1234567"}};

std::string refusal(const Environment& variables) {
  const auto refused = test::refusal_of([&] { return launched_rank(variables); });
  if (!refused) return "not refused";
  EXPECT_EQ(refused->kind, ErrorKind::usage);
  return refused->message;
}

void expect_rank(const Environment& variables, const LaunchedRank& expected) {
  const auto rank = launched_rank(variables);
  ASSERT_TRUE(rank);
  EXPECT_EQ(rank->launcher, expected.launcher);
  EXPECT_EQ(rank->rank, expected.rank);
  EXPECT_EQ(rank->world, expected.world);
  EXPECT_EQ(rank->local_rank, expected.local_rank);
  EXPECT_EQ(rank->local_world, expected.local_world);
  if (!expected.rendezvous.empty()) {
    EXPECT_EQ(rank->rendezvous, expected.rendezvous);
  }
}

TEST(Launcher, OfNothingIsNone) {
  EXPECT_FALSE(launched_rank({}));
  EXPECT_FALSE(launched_rank({{"PATH", "/bin"}, {"RANK", ""}}));
}

TEST(Launcher, TorchrunsVariables) {
  expect_rank(by_torchrun, {"torchrun", 3, 4, 1, 2, "node1:29500"});
  expect_rank(without(by_torchrun, "TORCHELASTIC_RUN_ID"),
              {"RANK and WORLD_SIZE", 3, 4, 1, 2, "node1:29500"});
  expect_rank(with(by_torchrun, {{"MASTER_ADDR", "fe80::1"}}),
              {"torchrun", 3, 4, 1, 2, "[fe80::1]:29500"});
  EXPECT_EQ(launched_rank(by_torchrun, "here:1")->rendezvous, "here:1") << "--rendezvous";
}

// The agent listens at MASTER_PORT itself: rank 0 needs a port that all ranks find, and no other.
TEST(Launcher, MeetsBesideTheStoreOfTorchrunsAgent) {
  const Environment agent = with(by_torchrun, {{"TORCHELASTIC_USE_AGENT_STORE", "True"}});
  const std::string third = launched_rank(agent)->rendezvous;
  EXPECT_EQ(third, launched_rank(with(agent, {{"RANK", "0"}, {"LOCAL_RANK", "0"}}))->rendezvous);
  EXPECT_NE(third, "node1:29500");
  EXPECT_EQ(third.rfind("node1:2", 0), 0U) << third;
  // A restarted group counts restarts by machine, so the count must not matter.
  EXPECT_EQ(third, launched_rank(with(agent, {{"TORCHELASTIC_RESTART_COUNT", "1"}}))->rendezvous);
  EXPECT_NE(third, launched_rank(with(agent, {{"TORCHELASTIC_RUN_ID", "job8"}}))->rendezvous);
}

TEST(Launcher, SlurmsVariablesInAStepOfSeveralTasks) {
  expect_rank(by_srun, {"srun", 2, 3, 0, 1, {}});
  const std::string place = launched_rank(by_srun)->rendezvous;
  EXPECT_EQ(place.rfind("gpu07:2", 0), 0U) << place;
  expect_rank(with(by_srun, {{"SLURM_PROCID", "1"}, {"SLURM_NODEID", "0"}, {"SLURM_LOCALID", "1"}}),
              {"srun", 1, 3, 1, 2, place});
  // Two steps of one job may run side by side.
  EXPECT_NE(launched_rank(with(by_srun, {{"SLURM_STEP_ID", "1"}}))->rendezvous, place);
  EXPECT_EQ(launched_rank(with(by_srun, {{"MASTER_ADDR", "a"}, {"MASTER_PORT", "9"}}))->rendezvous,
            "a:9");
  EXPECT_EQ(launched_rank(without(by_srun, "SLURM_STEP_NODELIST"))->rendezvous.substr(0, 9),
            "10.0.0.9:");
  EXPECT_EQ(launched_rank(with(by_srun, {{"SLURM_STEP_NUM_NODES", "1"}}))->rendezvous.substr(0, 10),
            "127.0.0.1:");
}

// The shell of an sbatch file for three tasks has SLURM_PROCID=0 and SLURM_NTASKS=3, and is no
// step.
TEST(Launcher, ABatchShellIsNoRank) {
  const Environment shell{{"SLURM_JOB_ID", "4711"},
                          {"SLURM_PROCID", "0"},
                          {"SLURM_NTASKS", "3"},
                          {"SLURM_LOCALID", "0"}};
  EXPECT_FALSE(launched_rank(shell));
  EXPECT_FALSE(launched_rank(with(shell, {{"SLURM_STEP_NUM_TASKS", "1"}})));
}

TEST(Launcher, OpenMpisVariables) {
  expect_rank(by_mpirun, {"mpirun", 1, 2, 1, 2, {}});
  EXPECT_EQ(launched_rank(by_mpirun)->rendezvous.rfind("127.0.0.1:2", 0), 0U);
  const Environment two_machines =
      with(by_mpirun, {{"OMPI_COMM_WORLD_LOCAL_SIZE", "1"}, {"OMPI_COMM_WORLD_LOCAL_RANK", "0"}});
  EXPECT_NE(refusal(two_machines).find("MASTER_ADDR is not"), std::string::npos)
      << refusal(two_machines);
  expect_rank(with(two_machines, {{"MASTER_ADDR", "a"}, {"MASTER_PORT", "9"}}),
              {"mpirun", 1, 2, 0, 1, "a:9"});
  EXPECT_EQ(launched_rank(with(two_machines, {{"SLURM_JOB_NODELIST", "n[1,3]"}}))
                ->rendezvous.substr(0, 3),
            "n1:");
}

// torchrun under srun, and Open MPI's daemons, which srun starts: the inner one knows the ranks.
TEST(Launcher, TheInnermostCounts) {
  expect_rank(with(by_srun, by_torchrun), {"torchrun", 3, 4, 1, 2, "node1:29500"});
  expect_rank(with(by_srun, by_mpirun), {"mpirun", 1, 2, 1, 2, {}});
}

TEST(Launcher, AWorldOfOneIsAlone) {
  const Environment alone{{"RANK", "0"}, {"WORLD_SIZE", "1"}};
  expect_rank(alone, {"RANK and WORLD_SIZE", 0, 1, 0, 1, {}});
  EXPECT_EQ(launched_rank(alone)->rendezvous, "");
}

TEST(Launcher, WhatContradictsIsRefusedByName) {
  const auto refused = [](const Environment& variables, const std::string& words) {
    EXPECT_NE(refusal(variables).find(words), std::string::npos) << words << "\n"
                                                                 << refusal(variables);
  };
  refused({{"RANK", "0"}}, "RANK=0 is set and WORLD_SIZE is not");
  refused({{"WORLD_SIZE", "2"}}, "WORLD_SIZE=2 is set, and nothing says this process's rank");
  refused({{"MASTER_ADDR", "a"}}, "MASTER_ADDR=a is set, and nothing says");
  refused({{"LOCAL_RANK", "0"}}, "LOCAL_RANK=0 is set, and nothing says");
  refused(without(by_torchrun, "MASTER_ADDR"), "WORLD_SIZE=4 is set and MASTER_ADDR is not");
  refused(without(by_torchrun, "MASTER_PORT"), "WORLD_SIZE=4 is set and MASTER_PORT is not");
  refused(with(by_torchrun, {{"MASTER_PORT", "70000"}}), "MASTER_PORT=70000: expected");
  refused(with(by_torchrun, {{"RANK", "4"}}), "RANK=4 contradicts WORLD_SIZE=4");
  refused(with(by_torchrun, {{"RANK", "-1"}}), "RANK=-1: expected");
  refused(with(by_torchrun, {{"WORLD_SIZE", "2x"}}), "WORLD_SIZE=2x: expected");
  refused(with(by_torchrun, {{"LOCAL_RANK", "2"}}), "LOCAL_WORLD_SIZE=2 contradicts LOCAL_RANK=2");
  refused(with(by_torchrun, {{"LOCAL_WORLD_SIZE", "5"}}),
          "LOCAL_WORLD_SIZE=5 contradicts WORLD_SIZE=4");
  refused(with(by_srun, {{"SLURM_PROCID", "3"}}),
          "SLURM_PROCID=3 contradicts SLURM_STEP_NUM_TASKS=3");
  refused(without(by_srun, "SLURM_PROCID"), "SLURM_STEP_NUM_TASKS=3 is set and SLURM_PROCID");
  refused(with(by_srun, {{"WORLD_SIZE", "2"}}), "WORLD_SIZE=2 contradicts SLURM_STEP_NUM_TASKS=3");
  refused(without(by_mpirun, "OMPI_COMM_WORLD_SIZE"),
          "OMPI_COMM_WORLD_RANK=1 is set and OMPI_COMM_WORLD_SIZE is not");
  // Three tasks of srun, each of which would train by itself into the same folder.
  refused(with(by_srun, {{"RANK", "0"}, {"WORLD_SIZE", "1"}}),
          "WORLD_SIZE=1 contradicts SLURM_STEP_NUM_TASKS=3");
  refused(with(by_srun, {{"SLURM_STEP_NODELIST", "gpu[07"}}), "SLURM_STEP_NODELIST=gpu[07");
}

TEST(Launcher, TheFirstHostOfSlurmsLists) {
  const auto first = [](const std::string& list) { return first_host(list, "LIST"); };
  EXPECT_EQ(first("node7"), "node7");
  EXPECT_EQ(first("node7,node1"), "node7");
  EXPECT_EQ(first("node[01-04,07],gpu3"), "node01");
  EXPECT_EQ(first("node[3]"), "node3");
  EXPECT_EQ(first("rack[2-3]n[005,009].local"), "rack2n005.local");
  EXPECT_EQ(first("gpu3,node[01-04]"), "gpu3");
  for (const std::string broken : {"", ",a", "node[", "node[1", "node[]", "node1]", "[,1]"}) {
    EXPECT_TRUE(test::refusal_of([&] { return first(broken); })) << broken;
  }
}

TEST(Launcher, NumbersPerNodeOfSlurm) {
  const auto tasks = [](int node) { return tasks_on_node("2(x3),1", node); };
  EXPECT_EQ(tasks(0), 2);
  EXPECT_EQ(tasks(2), 2);
  EXPECT_EQ(tasks(3), 1);
  EXPECT_EQ(tasks(4), 0);
  for (const std::string broken : {"", "x", "2(x", "2(x3", "2x3", "2(3)"}) {
    EXPECT_EQ(tasks_on_node(broken, 0), 0) << broken;
  }
}

TEST(Launcher, PortsLieBelowThoseThatLinuxGivesAway) {
  for (int job = 0; job < 100; ++job) {
    const int port = port_of(std::to_string(job));
    EXPECT_GE(port, 20000);
    EXPECT_LT(port, 30000);
  }
}

}  // namespace
}  // namespace medurwkv::train
