#include "weights/read_weights.h"

#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv::weights {
namespace {

/// A header of less than 4 GB: four of the eight bytes of its length are zero, which in a zip
/// archive or a pickle they are not.
bool looks_like_safetensors(std::string_view bytes) {
  return bytes.size() >= 8 && bytes.substr(4, 4) == std::string_view("\0\0\0\0", 4);
}

}  // namespace

TensorFile parse_weights(const std::string& file, std::string bytes) {
  if (looks_like_safetensors(bytes)) return TensorFile::parse(file, std::move(bytes));
  throw_failure(concat(file,
                       ": holds no weights: it is neither a safetensors file nor a .pth that "
                       "torch.save wrote"));
}

TensorFile read_weights(const std::filesystem::path& path) {
  return parse_weights(path.string(), read_file(path));
}

}  // namespace medurwkv::weights
