#include "pairs.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "net/presets.h"
#include "plain_ops.h"
#include "plain_wkv.h"
#include "trainer_tail.h"
#include "yardstick.h"

namespace medurwkv::bench {
namespace {

using measure::Contender;
using measure::estimate;
using measure::Limits;
using measure::Times;
using nlohmann::json;
using torch_backend::TorchOps;

constexpr auto last = at::MemoryFormat::ChannelsLast;
constexpr auto first = at::MemoryFormat::Contiguous;
using PlainLast = PlainOps<last>;
using PlainFirst = PlainOps<first>;

/// One of ours and those it is measured against; the fastest of them is the peer.
struct Pair {
  BenchCase ours;
  std::vector<Contender> peers;
  Bar bar;
};

/// What belongs to a size and a number of threads. Kept until another is asked for.
struct World {
  Setup setup;
  Point point;
  plan::Plan plan;
  std::unique_ptr<Yardstick> machine;
  std::vector<Pair> networks;
};

World& world_at(const Setup& setup, const Point& point) {
  static std::unique_ptr<World> kept;
  if (kept && kept->point == point) return *kept;
  kept.reset();
  use_threads(point.threads);
  kept = std::make_unique<World>();
  kept->setup = setup;
  kept->point = point;
  kept->plan = plan::record(net::preset(setup.preset), 1, point.size, point.size);
  kept->machine = std::make_unique<Yardstick>(kept->plan);
  return *kept;
}

void judge(json& row, const Bar& bar) {
  if (!bar.share && !bar.ratio_at_least && !bar.ratio_at_most) return;
  const double ratio = row.at("ratio").at("median").get<double>();
  row["bar"] = json::object();
  bool met = true;
  const auto demand = [&](const char* name, const std::optional<double>& limit, bool reached) {
    if (!limit) return;
    row["bar"][name] = *limit;
    met = met && reached;
  };
  demand("share", bar.share, row.at("share").at("median").get<double>() >= bar.share.value_or(0));
  demand("ratio_at_least", bar.ratio_at_least, ratio >= bar.ratio_at_least.value_or(0));
  demand("ratio_at_most", bar.ratio_at_most, ratio <= bar.ratio_at_most.value_or(0));
  row["met"] = met;
}

/// Which time is divided by which.
enum class RatioOf { peer_to_ours, ours_to_peer };

json row_of(const BenchCase& one, const Times& ours, const Times& peer,
            const std::vector<Limits>& limits, const Bar& bar,
            RatioOf direction = RatioOf::peer_to_ours) {
  const bool speedup = direction == RatioOf::peer_to_ours;
  json row = case_figures(one, ours, limits);
  row["peer"] = {{"name", peer.name}, {"seconds", estimate(peer.seconds)}};
  row["ratio"] = speedup ? measure::ratio(peer, ours) : measure::ratio(ours, peer);
  row["ratio_of"] = speedup ? "peer / ours" : "ours / peer";
  judge(row, bar);
  return row;
}

Rows measured(World& world, const Pair& pair, double seconds) {
  std::vector<Contender> contenders = world.machine->contenders();
  const std::size_t machine = contenders.size();
  contenders.push_back({.name = "ours", .run = pair.ours.run});
  contenders.insert(contenders.end(), pair.peers.begin(), pair.peers.end());
  const std::vector<Times> times =
      measure::measure_in_turn(contenders, {.rounds = world.setup.rounds, .seconds = seconds});
  const auto peer =
      std::min_element(times.begin() + static_cast<std::ptrdiff_t>(machine) + 1, times.end(),
                       [](const Times& a, const Times& b) {
                         return estimate(a.seconds).median < estimate(b.seconds).median;
                       });
  json row = row_of(pair.ours, times[machine], *peer, world.machine->limits(times), pair.bar);
  row["machine"] = world.machine->describe(times);
  row["threads"] = world.point.threads;
  return {row};
}

Bar bar_of(const Setup& setup, const Point& point, const std::string& name,
           const std::string& pass) {
  if (point.size != 256 || setup.preset != "tiny") return {};
  if (name.starts_with("encoder") && pass == "forward") {
    return {.share = 0.55, .ratio_at_least = 2.5, .ratio_at_most = {}};
  }
  if (pass == "training step") return {.share = 0.45, .ratio_at_least = 1.8, .ratio_at_most = {}};
  return {};
}

/// Largest difference over largest value.
double difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item().toDouble();
}

void expect_close(const std::string& what, double distance) {
  if (!(distance < 1e-3)) {
    throw_internal(concat("the peer's ", what, " differs from ours by ", distance));
  }
}

void check_wkv() {
  const at::Tensor decay = at::linspace(-0.5, 3, 24).requires_grad_();
  const at::Tensor own = at::linspace(-1, 1, 24).requires_grad_();
  const at::Tensor key = at::randn({2, 37, 24}).requires_grad_();
  const at::Tensor value = at::randn({2, 37, 24}).requires_grad_();
  const at::Tensor grad = at::randn({2, 37, 24});
  const at::Tensor ours = TorchOps::bi_wkv(decay, own, key, value, net::WkvMode::exact);
  const at::Tensor plain = plain_bi_wkv(decay, own, key, value, net::WkvMode::exact);
  expect_close("bi-WKV", difference(plain.detach(), ours.detach()));
  const std::vector<at::Tensor> inputs{decay, own, key, value};
  const auto ours_back = torch::autograd::grad({ours}, inputs, {grad});
  const auto plain_back = torch::autograd::grad({plain}, inputs, {grad});
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    expect_close(concat("gradient ", i, " of bi-WKV"), difference(plain_back[i], ours_back[i]));
  }
}

template <class Ops>
at::Tensor small_network_output(at::MemoryFormat format) {
  at::manual_seed(7);
  NetworkRun<Ops, PlainTail> run(net::preset("nano"), 2, 64, format);
  run.training_step();
  return run.forward().front();
}

/// Threads of OpenBLAS, whose own pool knows nothing of OpenMP; other BLASes follow the
/// environment.
void set_blas_threads(int threads) {
  using Set = void (*)(int);
  const auto set = reinterpret_cast<Set>(::dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  if (set != nullptr) set(threads);
}

}  // namespace

void use_threads(int threads) {
  set_thread_count(threads);
  at::set_num_threads(threads);
  set_blas_threads(threads);
}

std::string blas_core() {
  using Name = char* (*)();
  const auto name = reinterpret_cast<Name>(::dlsym(RTLD_DEFAULT, "openblas_get_corename"));
  return name != nullptr ? name() : "unknown";
}

void check_peers() {
  check_wkv();
  const at::Tensor ours = small_network_output<TorchOps>(last);
  expect_close("network", difference(small_network_output<PlainLast>(last), ours));
  expect_close("network", difference(small_network_output<PlainFirst>(first), ours));
}

std::vector<std::string> network_names(const Setup& setup, const Point& point) {
  std::vector<std::string> out{"network/forward", "network/forward_backward"};
  if (net::preset(setup.preset).architecture == net::Architecture::med_urwkv) {
    out.insert(out.begin(), {"encoder/forward", "encoder/forward_backward"});
  }
  if (point.size == 256) out.emplace_back("network/training_step");
  return out;
}

Rows network_rows(const Setup& setup, const Point& point, std::size_t index) {
  World& world = world_at(setup, point);
  if (world.networks.empty()) {
    const NetworkCases which{
        .preset = setup.preset, .size = point.size, .step_batch = point.size == 256 ? 4 : 0};
    auto ours = network_cases<TorchOps, TrainerTail>(which, last);
    auto peers_last = network_cases<PlainLast, PlainTail>(which, last);
    auto peers_first = network_cases<PlainFirst, PlainTail>(which, first);
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const Bar bar = bar_of(setup, point, ours[i].name, ours[i].pass);
      world.networks.push_back(
          {.ours = std::move(ours[i]),
           .peers = {{.name = "plain LibTorch, channels last", .run = peers_last[i].run},
                     {.name = "plain LibTorch, contiguous", .run = peers_first[i].run}},
           .bar = bar});
    }
  }
  return measured(world, world.networks.at(index), 0.02);
}

std::vector<std::string> operation_names(const Setup& setup, const Point& point) {
  const plan::Plan plan = plan::record(net::preset(setup.preset), 1, point.size, point.size);
  std::vector<std::string> out;
  for (const OperationUse& use : distinct_operations(plan)) out.push_back(use.name);
  return out;
}

Rows operation_rows(const Setup& setup, const Point& point, std::size_t index) {
  World& world = world_at(setup, point);
  const OperationUse use = distinct_operations(world.plan).at(index);
  auto ours = operation_case<TorchOps>(world.plan, use, last);
  auto peers_last = operation_case<PlainLast>(world.plan, use, last);
  auto peers_first = operation_case<PlainFirst>(world.plan, use, first);
  Rows out;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const Pair pair{.ours = std::move(ours[i]),
                    .peers = {{.name = "channels last", .run = peers_last[i].run},
                              {.name = "contiguous", .run = peers_first[i].run}},
                    .bar = {}};
    for (json& row : measured(world, pair, 0.005)) out.push_back(std::move(row));
  }
  return out;
}

Rows wkv_rows(const Setup& setup, std::int64_t tokens, int threads) {
  constexpr std::int64_t channels = 192;
  World& world = world_at(setup, {.size = 256, .threads = threads});
  // Exact, released32, released16; forward and backward of each.
  std::vector<BenchCase> cases = wkv_cases({tokens}, channels);
  // The scan's time does not depend on the values.
  const at::Tensor decay = at::linspace(0, 3, channels) / static_cast<double>(tokens);
  const at::Tensor own = at::full({channels}, 0.3 / static_cast<double>(tokens));
  const at::Tensor key = at::rand({tokens, channels});
  const at::Tensor value = at::rand({tokens, channels});
  const at::Tensor y = at::empty({tokens, channels});
  const at::Tensor work = at::empty({3 * tokens});
  std::vector<Contender> contenders = world.machine->contenders();
  const std::size_t machine = contenders.size();
  for (const BenchCase& one : cases) {
    contenders.push_back({.name = concat(one.name, " ", one.pass), .run = one.run});
  }
  contenders.push_back({.name = "plain scan", .run = [&] {
                          plain_wkv_forward(1, tokens, channels, decay.data_ptr<float>(),
                                            own.data_ptr<float>(), key.data_ptr<float>(),
                                            value.data_ptr<float>(), y.data_ptr<float>(),
                                            work.data_ptr<float>());
                        }});
  const std::vector<Times> times =
      measure::measure_in_turn(contenders, {.rounds = setup.rounds, .seconds = 0.01});
  const std::vector<Limits> limits = world.machine->limits(times);
  const Times& plain = times.back();
  const auto of = [&](std::size_t index) -> const Times& { return times[machine + index]; };
  Rows out;
  const auto add = [&](std::size_t index, const Times& peer, const Bar& bar, RatioOf direction) {
    out.push_back(row_of(cases[index], of(index), peer, limits, bar, direction));
    out.back()["machine"] = world.machine->describe(times);
    out.back()["threads"] = threads;
  };
  // The scan is one thread's.
  const Bar ten{.share = {},
                .ratio_at_least = threads == 1 ? std::optional(10.0) : std::nullopt,
                .ratio_at_most = {}};
  add(0, plain, ten, RatioOf::peer_to_ours);
  const auto at_most = [&](std::size_t index, std::size_t peer, double most) {
    add(index, of(peer), {.share = {}, .ratio_at_least = {}, .ratio_at_most = most},
        RatioOf::ours_to_peer);
  };
  at_most(2, 0, 1.6);
  at_most(4, 0, 1.6);
  at_most(1, 0, 4);
  at_most(3, 2, 4);
  at_most(5, 4, 4);
  return out;
}

}  // namespace medurwkv::bench
