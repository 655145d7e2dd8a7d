// What the training library answers. It crosses the C interface (library/training_library.h) as
// JSON with the fields' own names (library/json.h). Relies on measure/roofline.h and core/shape.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/shape.h"
#include "measure/roofline.h"

namespace medurwkv::library {

/// LibTorch on this machine.
struct LibraryDescription {
  std::string libtorch;              ///< version
  std::vector<std::string> devices;  ///< "cpu", "cuda:0", ...
  bool onednn = false;               ///< LibTorch computes with oneDNN
  bool openmp = false;               ///< LibTorch computes on OpenMP's threads
  double matrix_product_gflops = 0;  ///< of 512 x 512 matrices

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("libtorch", self.libtorch);
    visit("devices", self.devices);
    visit("onednn", self.onednn);
    visit("openmp", self.openmp);
    visit("matrix_product_gflops", self.matrix_product_gflops);
  }
};

/// One training run.
struct RunResult {
  std::string folder;                 ///< below the series'; empty of a run alone
  std::string run;                    ///< its folder
  std::string model;                  ///< file of its best model; empty while there is none
  std::string model_checksum;         ///< content_sha256 of that file
  std::optional<double> temperature;  ///< of that model; none: not fitted
  std::string curves;                 ///< file of its curves; empty before the first epoch's end
  std::int64_t epochs = 0;            ///< that it has had
  std::int64_t best_epoch = 0;        ///< whose model is kept; 0: none
  std::string figure;                 ///< that chose it: "validation Dice"
  std::optional<double> best;         ///< value of the figure then
  bool ended = false;                 ///< nothing is left to do
  double seconds = 0;                 ///< of the whole run, resumed time included

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("folder", self.folder);
    visit("run", self.run);
    visit("model", self.model);
    visit("model_checksum", self.model_checksum);
    visit("temperature", self.temperature);
    visit("curves", self.curves);
    visit("epochs", self.epochs);
    visit("best_epoch", self.best_epoch);
    visit("figure", self.figure);
    visit("best", self.best);
    visit("ended", self.ended);
    visit("seconds", self.seconds);
  }
};

/// A training: one run, or a series of them.
struct TrainResult {
  bool series = false;              ///< several runs, some of which may be missing
  std::vector<RunResult> runs;      ///< one, or those of the series that have ended
  std::optional<double> mean;       ///< of a series: of the runs' best figures
  std::optional<double> deviation;  ///< of a series: their standard deviation, of two or more
  std::int64_t averaged = 0;        ///< of a series: runs that have a best figure

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("series", self.series);
    visit("runs", self.runs);
    visit("mean", self.mean);
    visit("deviation", self.deviation);
    visit("averaged", self.averaged);
  }
};

/// A file of one array.
struct ArrayFile {
  std::string name;    ///< path of the file
  Shape shape;         ///< of the array
  std::string sha256;  ///< of the file

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("name", self.name);
    visit("shape", self.shape);
    visit("sha256", self.sha256);
  }
};

/// What `features` has run and written.
struct FeaturesResult {
  std::string content;           ///< of the file: "adapter", "classifier", ...
  std::string architecture;      ///< of the network
  std::string preset;            ///< of the network, or "custom"
  std::string wkv;               ///< bi-WKV's mode
  std::string dtype;             ///< of the arithmetic
  std::vector<ArrayFile> files;  ///< that were written

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("content", self.content);
    visit("architecture", self.architecture);
    visit("preset", self.preset);
    visit("wkv", self.wkv);
    visit("dtype", self.dtype);
    visit("files", self.files);
  }
};

/// What a prediction or a training step takes; times were measured in turn with the machine's
/// loops.
struct BenchFigures {
  measure::LoopSpeeds limits;              ///< of the machine, in the same rounds
  measure::Estimate seconds;               ///< of one prediction or step
  measure::Estimate share;                 ///< the roofline over the time, both of the same round
  double gflop = 0;                        ///< least floating-point operations, in billions
  double gbyte = 0;                        ///< least bytes read and written, in billions
  double bound_seconds = 0;                ///< the median of the rounds' rooflines
  double images = 1;                       ///< of one prediction or step
  std::int64_t expected_memory_bytes = 0;  ///< of the process, before it was measured
  std::int64_t peak_memory_bytes = 0;      ///< of the process, measured

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("limits", self.limits);
    visit("seconds", self.seconds);
    visit("share", self.share);
    visit("gflop", self.gflop);
    visit("gbyte", self.gbyte);
    visit("bound_seconds", self.bound_seconds);
    visit("images", self.images);
    visit("expected_memory_bytes", self.expected_memory_bytes);
    visit("peak_memory_bytes", self.peak_memory_bytes);
  }
};

inline BenchFigures bench_figures(const measure::BesideLimits& found, double images) {
  return {.limits = found.limits,
          .seconds = found.figures.seconds,
          .share = found.figures.share,
          .gflop = found.figures.gflop,
          .gbyte = found.figures.gbyte,
          .bound_seconds = found.figures.bound_seconds,
          .images = images};
}

/// Time and memory of a network's training on this processor.
struct BenchResult {
  std::vector<BenchFigures> training_steps;  ///< of each size, without reading images

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("training_steps", self.training_steps);
  }
};

}  // namespace medurwkv::library
