#include "train/run/launcher.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <limits>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv::train {
namespace {

/// As many as the option --world takes.
constexpr int most_ranks = 4096;
constexpr int most_ports = 65535;

constexpr const char* to_train_alone =
    "; to train in one process, unset what is set or give --nproc 1";

/// The variables, read and checked.
class Variables {
 public:
  explicit Variables(const Environment& all) : all_(all) {}

  /// Empty where it is not set, or set to nothing.
  [[nodiscard]] std::string text(const std::string& name) const {
    const auto found = all_.find(name);
    return found == all_.end() ? std::string() : found->second;
  }
  [[nodiscard]] bool has(const std::string& name) const { return !text(name).empty(); }

  /// "RANK=1", for messages.
  [[nodiscard]] std::string shown(const std::string& name) const {
    return concat(name, "=", text(name));
  }

  /// Throws a usage Error unless the variable is a whole number from `least` to `most`.
  [[nodiscard]] int number(const std::string& name, int least, int most) const {
    const std::string digits = text(name);
    int out = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, out);
    if (error != std::errc() || stop != end || out < least || out > most) {
      throw_usage(concat(shown(name), ": expected a whole number from ", least, " to ", most));
    }
    return out;
  }

  /// The first of the names that is set; empty where none is.
  [[nodiscard]] std::string any_of(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      if (has(name)) return name;
    }
    return {};
  }

 private:
  const Environment& all_;
};

/// How a launcher calls what all of them say.
struct Names {
  const char* launcher;
  const char* rank;
  const char* world;
  const char* local_rank;
  const char* local_world;
};

constexpr Names pytorch{"RANK and WORLD_SIZE", "RANK", "WORLD_SIZE", "LOCAL_RANK",
                        "LOCAL_WORLD_SIZE"};
constexpr Names open_mpi{"mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
                         "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"};
constexpr Names slurm{"srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", ""};

void refuse_half(const Variables& variables, const std::string& set, const std::string& missing) {
  throw_usage(concat(variables.shown(set), " is set and ", missing, " is not; a launcher sets both",
                     to_train_alone));
}

LaunchedRank read(const Variables& variables, const Names& names) {
  if (!variables.has(names.world)) refuse_half(variables, names.rank, names.world);
  if (!variables.has(names.rank)) refuse_half(variables, names.world, names.rank);
  LaunchedRank out;
  out.launcher = names.launcher;
  out.world = variables.number(names.world, 1, most_ranks);
  out.rank = variables.number(names.rank, 0, std::numeric_limits<int>::max());
  if (out.rank >= out.world) {
    throw_usage(concat(variables.shown(names.rank), " contradicts ", variables.shown(names.world),
                       ": expected 0 to ", out.world - 1));
  }
  out.local_rank = variables.has(names.local_rank)
                       ? variables.number(names.local_rank, 0, out.world - 1)
                       : out.rank;
  if (variables.has(names.local_world)) {
    out.local_world = variables.number(names.local_world, 1, most_ranks);
    if (out.local_world > out.world || out.local_rank >= out.local_world) {
      const bool larger = out.local_world > out.world;
      throw_usage(concat(variables.shown(names.local_world), " contradicts ",
                         variables.shown(larger ? names.world : names.local_rank)));
    }
  }
  return out;
}

/// Slurm's variables mean a rank only in a step of several tasks: the shell of an sbatch file, and
/// a step of one task, have SLURM_PROCID=0, too.
bool is_slurm_step(const Variables& variables) {
  return variables.has(slurm.world) &&
         variables.number(slurm.world, 1, std::numeric_limits<int>::max()) > 1;
}

/// Several processes were started, and each of them is told that it is alone.
void refuse_alone_among_several(const Variables& variables) {
  for (const Names* outer : {&open_mpi, &slurm}) {
    if (!variables.has(outer->world) ||
        variables.number(outer->world, 1, std::numeric_limits<int>::max()) == 1) {
      continue;
    }
    throw_usage(concat("WORLD_SIZE=1 contradicts ", variables.shown(outer->world),
                       ": each of these processes would train by itself; let ", outer->launcher,
                       " start one process, or torchrun with --nnodes", to_train_alone));
  }
}

/// WORLD_SIZE without RANK, as a job's script may export it for all that it starts.
void refuse_another_world(const Variables& variables, const Names& names) {
  if (!variables.has("WORLD_SIZE") || variables.text("WORLD_SIZE") == variables.text(names.world)) {
    return;
  }
  throw_usage(concat(variables.shown("WORLD_SIZE"), " contradicts ", variables.shown(names.world),
                     "; unset WORLD_SIZE, or set RANK, too"));
}

std::string address(const std::string& host, int port) {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? concat("[", host, "]:", port) : concat(host, ":", port);
}

std::string host_of_slurm(const Variables& variables) {
  if (variables.text("SLURM_STEP_NUM_NODES") == "1") return "127.0.0.1";
  for (const char* list : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST"}) {
    if (variables.has(list)) return first_host(variables.text(list), list);
  }
  return variables.text("SLURM_LAUNCH_NODE_IPADDR");
}

std::string host_of_open_mpi(const Variables& variables, const LaunchedRank& rank) {
  if (rank.local_world == rank.world) return "127.0.0.1";
  for (const char* list : {"SLURM_JOB_NODELIST", "SLURM_NODELIST"}) {
    if (variables.has(list)) return first_host(variables.text(list), list);
  }
  return {};
}

/// What all processes of one start have in common and no other start has.
std::string name_of_job(const Variables& variables, const Names& names) {
  const char* step = &names == &slurm ? "SLURM_STEP_ID" : "PMIX_NAMESPACE";
  const char* job = &names == &slurm ? "SLURM_JOB_ID" : "OMPI_MCA_ess_base_jobid";
  if (variables.any_of({job, step}).empty()) return {};
  return concat(variables.text(job), ".", variables.text(step));
}

/// Where ranks of `names` meet; the host and the port may each be said by MASTER_ADDR and
/// MASTER_PORT.
std::string meeting_place(const Variables& variables, const Names& names,
                          const LaunchedRank& rank) {
  std::string host = variables.text("MASTER_ADDR");
  if (host.empty() && &names == &slurm) host = host_of_slurm(variables);
  if (host.empty() && &names == &open_mpi) host = host_of_open_mpi(variables, rank);
  const std::string job = &names == &pytorch ? std::string() : name_of_job(variables, names);
  const bool has_port = variables.has("MASTER_PORT") || !job.empty();
  if (host.empty() || !has_port) {
    throw_usage(concat(variables.shown(names.world), " is set and ",
                       host.empty() ? "MASTER_ADDR" : "MASTER_PORT",
                       " is not: rank 0 listens at MASTER_ADDR:MASTER_PORT; set both on every "
                       "process (mpirun -x), or give --rendezvous HOST:PORT"));
  }
  if (!variables.has("MASTER_PORT")) return address(host, port_of(job));
  const int port = variables.number("MASTER_PORT", 1, most_ports);
  return address(host, port);
}

/// torchrun's agent keeps its own store at MASTER_PORT. That store speaks the protocol of the
/// agent's PyTorch, which need not be that of our LibTorch (they differ from 2.1 on), so the ranks
/// meet at a port of their own beside it.
std::string beside_agent(const Variables& variables) {
  const std::string host = variables.text("MASTER_ADDR");
  if (host.empty()) {
    throw_usage("TORCHELASTIC_USE_AGENT_STORE is set and MASTER_ADDR is not");
  }
  return address(host, port_of(concat(variables.text("MASTER_PORT"), ".",
                                      variables.text("TORCHELASTIC_RUN_ID"))));
}

LaunchedRank by_pytorch(const Variables& variables) {
  LaunchedRank out = read(variables, pytorch);
  if (variables.has("TORCHELASTIC_RUN_ID")) out.launcher = "torchrun";
  if (out.world == 1) refuse_alone_among_several(variables);
  return out;
}

LaunchedRank by_slurm(const Variables& variables) {
  LaunchedRank out = read(variables, slurm);
  const char* node = "SLURM_NODEID";
  const int index =
      variables.has(node) ? variables.number(node, 0, std::numeric_limits<int>::max()) : 0;
  out.local_world = std::max(1, tasks_on_node(variables.text("SLURM_STEP_TASKS_PER_NODE"), index));
  return out;
}

/// The launcher whose variables count; null for none.
const Names* launcher_of(const Variables& variables) {
  if (variables.has(pytorch.rank)) return &pytorch;
  if (variables.has(open_mpi.rank) || variables.has(open_mpi.world)) return &open_mpi;
  return is_slurm_step(variables) ? &slurm : nullptr;
}

/// No launcher has said a rank. Throws where one was meant to.
void refuse_variables_without_rank(const Variables& variables) {
  const std::string left = variables.any_of(
      {"WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"});
  if (left.empty()) return;
  throw_usage(concat(variables.shown(left),
                     " is set, and nothing says this process's rank (RANK and WORLD_SIZE, or the "
                     "variables of srun or mpirun); start it by the launcher",
                     to_train_alone));
}

}  // namespace

std::string first_host(const std::string& list, const std::string& variable) {
  std::string out;
  std::size_t at = 0;
  while (at < list.size() && list[at] != ',') {
    if (list[at] != '[') {
      if (list[at] == ']') break;
      out += list[at++];
      continue;
    }
    const std::size_t close = list.find(']', at);
    const std::size_t end = list.find_first_of("-,]", at + 1);
    if (close == std::string::npos || end == at + 1) break;
    out.append(list, at + 1, end - at - 1);
    at = close + 1;
  }
  if (out.empty() || (at < list.size() && list[at] != ',')) {
    throw_usage(concat(variable, "=", list, ": expected hosts as Slurm writes them, node[01-04]; ",
                       "set MASTER_ADDR to the host of rank 0"));
  }
  return out;
}

int tasks_on_node(const std::string& list, int node) {
  std::int64_t before = 0;
  for (const std::string& part : split(list, ',')) {
    int tasks = 0;
    std::int64_t times = 1;
    const char* end = part.data() + part.size();
    const auto [stop, error] = std::from_chars(part.data(), end, tasks);
    if (error != std::errc()) return 0;
    if (stop != end) {
      if (end - stop < 4 || stop[0] != '(' || stop[1] != 'x') return 0;
      const auto [close, wrong] = std::from_chars(stop + 2, end, times);
      if (wrong != std::errc() || close + 1 != end || *close != ')') return 0;
    }
    if (node < before + times) return tasks;
    before += times;
  }
  return 0;
}

int port_of(const std::string& text) {
  constexpr int first = 20000;
  constexpr int count = 10000;
  return first + static_cast<int>(std::stoul(sha256(text).substr(0, 8), nullptr, 16) % count);
}

std::optional<LaunchedRank> launched_rank(const Environment& variables,
                                          const std::string& rendezvous) {
  const Variables checked(variables);
  const Names* names = launcher_of(checked);
  if (names == nullptr) {
    refuse_variables_without_rank(checked);
    return std::nullopt;
  }
  if (names != &pytorch) refuse_another_world(checked, *names);
  LaunchedRank out = names == &pytorch ? by_pytorch(checked)
                     : names == &slurm ? by_slurm(checked)
                                       : read(checked, open_mpi);
  if (out.world == 1) return out;
  if (!rendezvous.empty()) {
    out.rendezvous = rendezvous;
  } else if (names == &pytorch && checked.text("TORCHELASTIC_USE_AGENT_STORE") == "True") {
    out.rendezvous = beside_agent(checked);
  } else {
    out.rendezvous = meeting_place(checked, *names, out);
  }
  return out;
}

}  // namespace medurwkv::train
