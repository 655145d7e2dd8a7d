// Opens the set that a request names. Relies on data/check/examine.h.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/listener.h"
#include "data/check/examine.h"
#include "data/layout/dataset.h"

namespace medurwkv::app {

/// A set, and what its masks mean where the set does not say.
struct SetRequest {
  std::filesystem::path folder;
  std::string encoding;                  ///< name of a MaskEncoding; empty: decided over all masks
  std::vector<std::string> class_names;  ///< background first; empty: the set's
  std::filesystem::path class_file;      ///< in place of class_names
  std::string plane;  ///< of volumes; empty: as stored, or as a split or pack says
};

/// Throws a usage Error for an unknown encoding or plane and for class names beside a class file.
data::DatasetOptions dataset_options(const SetRequest& request);

/// Sends each note to the listener as a line "note: ...".
void say_notes(const std::vector<std::string>& notes, Listener& listener);

/// Reads every file of the set, and says what is left out. Throws Error for the first error that
/// `data check` would list.
data::Examination open_set(const SetRequest& request, Listener& listener);

/// Opens the set. Masks mean what the request says, else what the split file says. Volumes are cut
/// as the split file says; a usage Error where the request says otherwise. Says what is left out.
data::Dataset open_split_set(const SetRequest& request, const std::filesystem::path& split,
                             Listener& listener);

}  // namespace medurwkv::app
