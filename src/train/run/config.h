// A training run's complete configuration: TOML in, `--set key=value` over it, TOML out as used.
// What each setting means is in docs/train.md. Relies on core, net and data/feed/augment.h; toml++
// for parsing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/regions.h"
#include "data/feed/augment.h"
#include "data/feed/view.h"
#include "net/config.h"

namespace medurwkv::train {

/// What a run learns: the commands `train` and `pretrain TASK`. Each has its own settings beside
/// those that all share.
enum class TaskKind { segmentation, classify, simmim, distill };
/// "segmentation", "classify", "simmim", "distill".
const char* to_string(TaskKind task);
/// Throws a usage Error for another name.
TaskKind task_from(const std::string& name);

/// Every setting with its default (docs/architecture.md, "Training"; docs/pretrain.md).
struct Config {
  TaskKind task = TaskKind::segmentation;
  struct Network {
    std::string preset = "tiny";
    std::int64_t channels = 3;
    std::string wkv = "exact";
    double drop_path = 0.1;
  } network;
  /// Where the encoder differs from the preset's. What is not set is as in the preset.
  struct Encoder {
    std::optional<bool> post_norm;
    std::optional<bool> key_norm;
    std::optional<double> layer_scale;  ///< start value of the gammas; 0 = no layer scale
    /// With --pretrained alone: epochs in which the file's tensors stay as they are, and the factor
    /// of the rate from one block to the block before it afterwards.
    std::int64_t frozen_epochs = 5;
    double rate_decay = 0.95;
  } encoder;
  struct Input {
    std::int64_t width = 256;
    std::int64_t height = 256;
    std::string fit = "stretch";         ///< stretch, pad, native, tile
    std::string plane = "stored";        ///< of volumes: stored, axial, coronal or sagittal
    std::string window;                  ///< by name, numbers, percentile or zscore; empty: below
    std::string window_over = "volume";  ///< of percentile and zscore: volume or image
    double window_low = 0;               ///< stored values that become 0 and 1; equal: no window
    double window_high = 0;
    std::string augment = "medium";  ///< preset of [augment]: none, light, medium or strong
  } input;
  /// Naming a preset sets all of them; single ones may follow.
  data::AugmentSettings augment = data::augment_preset("medium");
  struct Optimizer {
    double rate = 5e-4;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double weight_decay = 0.01;
    double clip_norm = 1;
    std::string schedule = "poly";    ///< how the rate falls: poly or cosine
    double least_rate = 0;            ///< share of the rate at the end
    std::int64_t warmup_steps = 500;  ///< at most; never more than one epoch
    double warmup_epochs = 0;         ///< above 0: in place of warmup_steps
    std::int64_t accumulate = 1;      ///< batches whose gradients make one step
    double ema =
        0;  ///< decay of the moving average of the weights that is judged and kept; 0: none
  } optimizer;
  /// Weights of the parts; a part of weight 0 is not computed.
  struct Loss {
    double cross_entropy = 1;
    double dice = 1;
    double focal = 0;
    double tversky = 0;
    double boundary = 0;
    double focal_gamma = 2;
    double tversky_alpha = 0.3;         ///< weight of false positives
    double tversky_beta = 0.7;          ///< weight of false negatives
    std::vector<double> class_weights;  ///< of cross-entropy and focal; empty: all 1
    std::string regions;  ///< empty: one class per pixel; "separate", or "1+2+3, 2+3, 3"
    bool deep_supervision = false;
  } loss;
  /// Views of a picture, of a pretraining.
  data::ViewSettings view;
  struct Classify {
    double smoothing = 0.1;  ///< of the labels
    double mixup = 0;        ///< shape of its Beta distribution; 0: none
    double cutmix = 0;       ///< the same; with both, half of the batches take each
    bool adapter = false;    ///< learn the whole adapter: the head stands on its coarsest map
  } classify;
  struct Simmim {
    double ratio = 0.6;       ///< share of the patches that are masked
    std::int64_t patch = 32;  ///< their side in pixels, a multiple of 16
  } simmim;
  struct Distill {
    std::string loss = "smooth_l1";    ///< or cosine
    std::int64_t teacher_scale = 2;    ///< side of the teacher's picture, of the network's input
    std::vector<double> weights = {};  ///< of the maps; empty: all 1
  } distill;
  struct Run {
    std::int64_t epochs = 200;
    std::int64_t epoch_steps = 0;  ///< steps of an epoch; 0: one pass over the images
    std::int64_t batch = 8;
    std::uint64_t seed = 0;
    std::int64_t patience = 0;  ///< epochs without a better validation Dice that end it; 0: any
    std::int64_t pictures = 4;  ///< validation cases in an epoch's pictures
    std::string precision = "float32";  ///< or bfloat16: of linear maps and convolutions
    bool calibrate = true;              ///< fit a temperature on the validation part at the end
    std::int64_t fold = 0;     ///< of a split with folds the one that is val, from 1; else 0
    double validation = 0.05;  ///< share of the pictures of a pretraining that are judged alone
  } run;
};

/// What a run of the task has where nothing is set.
Config default_config(TaskKind task);

/// `defaults`, then `file` (when not empty), then `settings` ("optimizer.rate=1e-3"). Throws a
/// usage Error that names the nearest known key, or the key whose value has the wrong type or
/// range.
Config load_config(const std::filesystem::path& file, const std::vector<std::string>& settings,
                   const Config& defaults = {});

/// Overrides what is set.
void apply(const Config::Encoder& settings, net::EncoderConfig& encoder);

/// The network of a pretraining: the classifier of `classes`, or the encoder alone; the settings
/// of `config.encoder` that were unset are filled in. Throws a usage Error.
net::NetworkConfig resolve_pretrained(Config& config, std::int64_t classes);

/// The network that is to be trained on a set of `classes`; the settings of `config.encoder` that
/// were unset are filled in. Throws a usage Error for a network that cannot be.
net::NetworkConfig resolve_network(Config& config, std::int64_t classes);

/// The complete configuration as TOML that load_config reads back.
std::string to_toml(const Config& config);

/// The task that a configuration names, segmentation where it names none; none for a text that is
/// no configuration.
std::optional<TaskKind> task_in(const std::string& text);

/// The text of a configuration file over the defaults; `name` stands for the file in messages.
/// Throws as load_config.
Config parse_config(const std::string& text, const std::string& name,
                    TaskKind task = TaskKind::segmentation);

/// A setting as the documentation lists it: its default as TOML (empty: the preset's) and range.
struct Setting {
  std::string key, value;
  bool number = false;
  double least = 0, most = 0;
};
std::vector<Setting> settings(TaskKind task = TaskKind::segmentation);

/// A setting that two configurations have differently, its values as TOML (empty: the preset's).
struct Difference {
  std::string key, was, now;
};
std::vector<Difference> differences(const Config& was, const Config& now);

/// What `loss.regions` says for a set of `classes`, the background counted
/// (core/regions.h); empty for one class per pixel. Throws a usage Error.
Regions regions_of(const Config& config, std::int64_t classes);

}  // namespace medurwkv::train
