// Files of DICOM made of elements. Relies on the standard library alone.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace medurwkv::dicom {

/// As `write` of data/volumes/dicom/entry.h. Throws std::exception.
std::vector<char> encoded(std::string_view text, const void* pixels, std::size_t pixels_size);

}  // namespace medurwkv::dicom
