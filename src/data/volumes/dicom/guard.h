// What DCMTK takes on trust, looked at before it reads: how deep sequences lie in each other, how
// many elements there are, what a deflated file unpacks to, whether packed frames are those of the
// image. Everything here throws std::runtime_error. Relies on zlib.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace medurwkv::dicom {

/// Throws where the elements before the pixels are too many, lie too deep in each other (DCMTK
/// calls itself for each level), or reach beyond the file. `start`: its first bytes, all of them or
/// enough for those elements.
void check_elements(std::string_view start, std::uint64_t file_size);

/// Whether the file says that its elements are deflated.
bool is_deflated(std::string_view start);
/// A deflated file as it would be in explicit VR, `most` bytes of it at most; none where it
/// is longer and `whole` is wanted.
std::optional<std::vector<char>> inflated(std::string_view file, std::size_t most, bool whole);

struct FrameSize {
  std::uint64_t columns = 0, rows = 0, samples = 1, bits = 8;
};
/// Throws where a JPEG or JPEG-LS says another size.
void check_jpeg(std::span<const unsigned char> frame, const FrameSize& size);
/// The samples of a frame that is packed in runs (PS3.5 annex G), little endian, those of a pixel
/// beside each other. Throws where the runs do not give all of them. DCMTK leaves pixels as they
/// were then, and those of 32 bits are not right.
std::vector<unsigned char> from_runs(std::span<const unsigned char> frame, const FrameSize& size);

}  // namespace medurwkv::dicom
