// `bench`: time and memory of a network on this machine: a prediction by the native engine and,
// where the training library is, a training step. Relies on app/machine.h, native and library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/machine.h"
#include "core/listener.h"
#include "library/requests.h"
#include "library/results.h"

namespace medurwkv::app {

/// All operations of one kind in a prediction.
struct OperationFigures {
  std::string name;
  std::int64_t count = 0;
  double seconds = 0;      ///< the median over the rounds
  double share = 0;        ///< of the time of all operations
  double gflop = 0;        ///< least floating-point operations, in billions
  double gbyte = 0;        ///< least bytes read and written, in billions
  double bound_share = 0;  ///< its roofline over its time

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("name", self.name);
    visit("count", self.count);
    visit("seconds", self.seconds);
    visit("share", self.share);
    visit("gflop", self.gflop);
    visit("gbyte", self.gbyte);
    visit("bound_share", self.bound_share);
  }
};

/// Images of one size.
struct BenchSize {
  std::int64_t width = 0;
  std::int64_t height = 0;
  library::BenchFigures prediction;                    ///< of one image
  std::vector<OperationFigures> profile;               ///< when asked for; the slowest first
  std::optional<library::BenchFigures> training_step;  ///< none without the training library

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("width", self.width);
    visit("height", self.height);
    visit("prediction", self.prediction);
    visit("profile", self.profile);
    visit("training_step", self.training_step);
  }
};

struct BenchReport {
  Machine machine;        ///< that it was measured on
  std::string libtorch;   ///< version; empty without the training library
  std::string network;    ///< preset or "custom"
  std::string task;       ///< that it is trained for: segmentation or classify
  std::string precision;  ///< of the prediction
  std::int64_t batch = 0;
  std::int64_t threads = 0;
  std::int64_t rounds = 0;
  std::vector<BenchSize> sizes;

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("machine", self.machine);
    visit("libtorch", self.libtorch);
    visit("network", self.network);
    visit("task", self.task);
    visit("precision", self.precision);
    visit("batch", self.batch);
    visit("threads", self.threads);
    visit("rounds", self.rounds);
    visit("sizes", self.sizes);
  }
};

struct BenchOptions {
  library::BenchRequest request;
  std::string precision = "float32";  ///< of the prediction (native/precision.h)
  bool profile = false;               ///< also each kind of operation by itself
  bool training = true;               ///< also a training step
};

/// Throws Error, naming the size where it does not fit into memory, or Stopped.
BenchReport measure_network(const BenchOptions& options, Listener& listener);

}  // namespace medurwkv::app
