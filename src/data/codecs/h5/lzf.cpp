#include "data/codecs/h5/lzf.h"

#include <lzf.h>

#include <stdexcept>

namespace {

/// LZF makes 264 bytes of 3 at best.
constexpr std::size_t best = 88;

/// HDF5's protocol: 0 for an error, else the number of bytes put into a new *buffer.
std::size_t unpack(unsigned flags, std::size_t count, const unsigned* values, std::size_t bytes,
                   std::size_t* buffer_size, void** buffer) {
  const std::size_t wanted = lzf_chunk_bytes(count, values);
  if ((flags & H5Z_FLAG_REVERSE) == 0 || wanted == 0 || wanted / best > bytes) return 0;
  void* out = H5allocate_memory(wanted, false);
  if (out == nullptr) return 0;
  if (lzf_decompress(*buffer, static_cast<unsigned>(bytes), out, static_cast<unsigned>(wanted)) !=
      wanted) {
    H5free_memory(out);
    return 0;
  }
  H5free_memory(*buffer);
  *buffer = out;
  *buffer_size = wanted;
  return wanted;
}

}  // namespace

std::size_t lzf_chunk_bytes(std::size_t count, const unsigned* values) {
  // h5py's: revision of the filter, version of LZF, bytes of a chunk.
  return count >= 3 ? values[2] : 0;
}

void register_lzf() {
  const H5Z_class2_t filter{H5Z_CLASS_T_VERS, lzf_filter, 0, 1, "lzf", nullptr, nullptr, unpack};
  if (H5Zregister(&filter) < 0) throw std::runtime_error("HDF5 does not take the LZF filter");
}
