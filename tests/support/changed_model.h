// A trained model with another input contract. Relies on weights/model_file.h.
#pragma once

#include <filesystem>
#include <vector>

#include "core/model_description.h"
#include "support/paths.h"
#include "weights/model_file.h"

namespace medurwkv::test {

/// Writes the model of an earlier version that the tests have, its input changed.
template <class Change>
void write_changed_model(const std::filesystem::path& file, const Change& change) {
  const weights::TensorFile from =
      weights::read_checked(source_folder() / "tests/cli/data/version1.model");
  weights::ModelInfo info = weights::model_info(from.file(), from.metadata());
  change(info.input);
  std::vector<weights::TensorView> tensors;
  for (const weights::TensorInfo& one : from.tensors()) {
    tensors.push_back({one.name, one.type, one.shape, from.data(one)});
  }
  weights::write_model_file(file, tensors, weights::to_metadata(info));
}

}  // namespace medurwkv::test
