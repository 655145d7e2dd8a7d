// How many channels the images of a set have, and whether a network takes them, before any is
// decoded. Relies on data/layout/dataset.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/codecs/read.h"
#include "data/layout/dataset.h"

namespace medurwkv::data {

/// The channels that read_image gives: from the header of PNG, JPEG, arrays and packs; other
/// formats are decoded. Throws Error as read_image.
std::int64_t read_channels(const ImageSource& source);
/// Of all files of the case.
std::int64_t read_channels(const Case& item);

/// Of every case, on all threads. Throws the first Error by the order of cases.
std::vector<std::int64_t> read_channels(const std::vector<Case>& cases);

/// Throws a usage Error, naming the file, for the first of the cases (with its `channels`) that a
/// network of `wanted` channels does not take. Its remedy is `setting` ("network.channels=") with
/// the number that fits all cases, where there is one.
void check_channels(const std::vector<Case>& cases, const std::vector<std::int64_t>& channels,
                    std::int64_t wanted, const std::string& setting);

/// The channels of a network for images of `channels`: 3 for gray and colour, else those of the
/// first.
std::int64_t channels_for(const std::vector<std::int64_t>& channels);

}  // namespace medurwkv::data
