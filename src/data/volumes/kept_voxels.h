// Voxels of volumes that had to be unpacked or decoded, or are seen across, and slices of them.
// Relies on data/volumes/volume.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "data/volumes/volume.h"

namespace medurwkv::data {

/// What `make` gives, kept for the next call with this key. Volumes used last are kept, at most 1
/// GiB or an eighth of what memory is left, so that a set of many is read through with few in
/// memory. `bytes` are claimed for `name` while they are made. Safe from any thread.
std::shared_ptr<const std::string> kept_voxels(const std::string& key, const std::string& name,
                                               std::uint64_t bytes,
                                               const std::function<std::string()>& make);

/// A file and what it is now: its size and its time.
std::string file_state(const std::filesystem::path& file);

/// The elements of a slice of a volume that is seen in another way than its file has it, out of
/// `all` of them in the file's order: channels of a voxel beside each other, or each channel a
/// volume of its own.
std::string slice_as_seen(const Volume& volume, std::size_t slice, std::string_view all,
                          std::size_t element_bytes, bool channels_together);

}  // namespace medurwkv::data
