// TensorBoard's file of scalars: records of protocol-buffer events, each with its length and
// checksums. Written by hand, so that nothing but this is needed. Sources: TensorFlow's record
// format (record_writer.h) and event.proto. Relies on core.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/output.h"

namespace medurwkv::train {

/// CRC-32C (Castagnoli) of `bytes`.
std::uint32_t crc32c(std::string_view bytes);

using Scalars = std::vector<std::pair<std::string, double>>;

/// The record that begins every file.
std::string event_file_start(double seconds);
/// One record with a value for each tag; `seconds` since 1970.
std::string scalar_event(double seconds, std::int64_t step, const Scalars& scalars);

/// A file that grows; what it holds is whole up to a last record that may be cut short when the
/// program is killed, which readers skip.
class EventFile {
 public:
  /// Makes events.out.tfevents.SECONDS.medurwkv in `folder`, takes away those of earlier starts.
  EventFile(const OutputPath& folder, double seconds);

  /// Throws Error naming the file.
  void add(std::string_view record) { file_.append(record); }

 private:
  GrowingFile file_;
};

}  // namespace medurwkv::train
