// Requests of the program to the training library. The program fills them in, they cross the C
// interface (library/training_library.h) as JSON with the fields' own names (library/json.h), and
// the library works on them. Relies on core/output.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/output.h"

namespace medurwkv::library {

/// One training run, or a series of them.
struct TrainRequest {
  std::string task = "segmentation";  ///< or a pretraining: classify, simmim, distill
  std::filesystem::path data;         ///< folder of images and masks
  std::vector<std::string> pictures;  ///< of a pretraining: folders or zips of images
  std::filesystem::path teacher;      ///< TorchScript module, of distill; or empty
  std::vector<std::string> targets;   ///< .npy files of stored maps or vectors, of distill
  std::filesystem::path split;        ///< split file
  OutputPath out = "";                ///< folder of the run or of the series
  std::filesystem::path config;       ///< TOML configuration; empty: the defaults
  std::vector<std::string> settings;  ///< "key=value"; they override the configuration
  std::string device = "auto";        ///< cpu, cuda or auto
  int threads = 1;                    ///< to compute with
  std::filesystem::path pretrained;   ///< encoder that the weights start from; or empty
  std::filesystem::path init;         ///< model that the weights start from; or empty
  bool names = false;                 ///< list every tensor of these files
  std::string folds;                  ///< fold used for validation, 1 to K, or "all"
  int seeds = 1;                      ///< how many runs, from run.seed on
  bool resume = false;                ///< go on with what lies in `out`
  double max_minutes = 0;             ///< 0: no limit; resumed time counts
  double save_every = 60;             ///< seconds between checkpoints
  double cache = -1;                  ///< bytes of decoded images; below 0: half of what is left
  std::int64_t memory = 0;            ///< bytes of the whole process; 0: what is available
  std::string rendezvous;             ///< "host:port" where processes meet; empty: alone
  int rank = 0;                       ///< this process's rank, 0 to world - 1
  int world = 1;                      ///< processes that train together
  int local_rank = -1;                ///< among this machine's processes; below 0: as `rank`

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("task", self.task);
    visit("data", self.data);
    visit("pictures", self.pictures);
    visit("teacher", self.teacher);
    visit("targets", self.targets);
    visit("split", self.split);
    visit("out", self.out);
    visit("config", self.config);
    visit("settings", self.settings);
    visit("device", self.device);
    visit("threads", self.threads);
    visit("pretrained", self.pretrained);
    visit("init", self.init);
    visit("names", self.names);
    visit("folds", self.folds);
    visit("seeds", self.seeds);
    visit("resume", self.resume);
    visit("max_minutes", self.max_minutes);
    visit("save_every", self.save_every);
    visit("cache", self.cache);
    visit("memory", self.memory);
    visit("rendezvous", self.rendezvous);
    visit("rank", self.rank);
    visit("world", self.world);
    visit("local_rank", self.local_rank);
  }
};

/// A model file, opened to be run.
struct EngineRequest {
  std::filesystem::path model;  ///< model file
  std::string device = "auto";  ///< cpu, cuda or auto
  int threads = 1;              ///< to compute with
  std::int64_t memory = 0;      ///< bytes of the whole process; 0: what is available

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("model", self.model);
    visit("device", self.device);
    visit("threads", self.threads);
    visit("memory", self.memory);
  }
};

/// Arrays through a network, to the encoder's maps and logits.
struct FeaturesRequest {
  std::filesystem::path model;  ///< model file, or bare tensors of a network
  std::filesystem::path input;  ///< .npy, N x channels x height x width, normalised
  OutputPath out = "";          ///< folder of the files that are written
  std::string preset;  ///< network of bare tensors, instead of what their sizes say; or empty
  std::string wkv;     ///< bi-WKV mode instead of the file's; or empty
  std::string dtype = "float32";      ///< float32 or float64: arithmetic, input and outputs
  std::vector<std::string> settings;  ///< of encoder alone: "encoder.post_norm=true"
  std::string device = "auto";        ///< cpu, cuda or auto
  int threads = 1;                    ///< to compute with
  std::int64_t memory = 0;            ///< bytes of the whole process; 0: what is available
  bool force = false;                 ///< overwrite what lies in `out`

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("model", self.model);
    visit("input", self.input);
    visit("out", self.out);
    visit("preset", self.preset);
    visit("wkv", self.wkv);
    visit("dtype", self.dtype);
    visit("settings", self.settings);
    visit("device", self.device);
    visit("threads", self.threads);
    visit("memory", self.memory);
    visit("force", self.force);
  }
};

/// Time and memory of a network on this processor.
struct BenchRequest {
  std::filesystem::path model;        ///< model file; empty: `preset` with start values
  std::string preset = "tiny";        ///< of 3 channels and 2 classes, a classifier of 1000
  std::string task = "segmentation";  ///< of the preset; or classify, by the encoder's trunk alone
  std::vector<std::int64_t> sizes;    ///< of square images; empty: the model's own, a preset's 256
  std::int64_t batch = 4;             ///< of the training step
  int threads = 1;                    ///< to compute with
  int rounds = 15;                    ///< in which all are timed in turn

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("model", self.model);
    visit("preset", self.preset);
    visit("task", self.task);
    visit("sizes", self.sizes);
    visit("batch", self.batch);
    visit("threads", self.threads);
    visit("rounds", self.rounds);
  }
};

}  // namespace medurwkv::library
