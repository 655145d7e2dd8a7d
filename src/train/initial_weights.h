// The file that a run's weights start from: a published encoder (--pretrained) or a model of ours
// (--init). Relies on weights/coverage.h and torch/parameter_store.h.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "net/config.h"
#include "torch/parameter_store.h"
#include "train/run/config.h"
#include "weights/coverage.h"
#include "weights/model_file.h"
#include "weights/weights_source.h"

namespace medurwkv::train {

/// What a run must remember of the file that its weights came from.
// NOLINTNEXTLINE(bugprone-exception-escape): moving JSON checks its invariant, it does not throw.
struct Origin {
  /// "option" ("--pretrained" or "--init"), "content_sha256" of the file, "content", "network"
  /// (preset), "used", "new", "new_in_encoder", "unused", "mismatched" (counts), "changed" (names).
  nlohmann::json record;
  /// The network's tensors whose values are the file's.
  std::vector<std::string> tensors;
};

/// The hash by which a record of InitialWeights names its file, as a text for people.
std::string recorded_hash(const nlohmann::json& recorded);

/// What fill() has read.
struct Filled {
  weights::Coverage coverage;
  std::string content;  ///< content_sha256 of the file
};

/// Names and shapes of the file are read at once, its values by fill(). Throws Error naming it.
class InitialWeights {
 public:
  static constexpr const char* pretrained = "--pretrained";
  static constexpr const char* init = "--init";

  /// `option` is one of the two above.
  InitialWeights(std::string option, const std::filesystem::path& path);

  [[nodiscard]] const std::string& option() const { return option_; }
  /// content_sha256 of the file, which is read for it. fill() gives it too.
  [[nodiscard]] std::string content() const { return file_.check(); }
  /// Whether `recorded`, an Origin::record, is of this option and of a file with this content. An
  /// earlier record has the SHA-256 of the file.
  [[nodiscard]] bool is_origin(const nlohmann::json& recorded, const std::string& content) const;

  /// The configuration of a run that says nothing else: bi-WKV's mode is the file's, released32
  /// where the file names none; the preset is that of the file's sizes; with --init the whole
  /// network is the file's.
  [[nodiscard]] Config defaults() const;

  /// Reads what the file has for `config`, the network of `store`, into its tensors. Throws Error
  /// as weights::cover_encoder and cover_network do, and where the file is damaged or a value is
  /// NaN or infinite; the tensors must not be used then.
  [[nodiscard]] Filled fill(const net::NetworkConfig& config,
                            torch_backend::ParameterStore& store) const;

  [[nodiscard]] Origin origin(const Filled& filled) const;

  /// What the user should know: file, content, mode, counts; with `names`, every tensor.
  [[nodiscard]] std::vector<std::string> report(const net::NetworkConfig& config,
                                                const Filled& filled, bool names) const;

 private:
  std::string option_, path_;
  weights::WeightsSource file_;
  weights::Contents contents_;
};

}  // namespace medurwkv::train
