#include "weights/file_layout.h"

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "weights/torch_file.h"

namespace medurwkv::weights {
namespace {

/// Eight bytes of a header length below 4 GB.
bool could_be_safetensors(std::string_view start) {
  return start.size() >= 8 && start.substr(4, 4) == std::string_view("\0\0\0\0", 4);
}

/// An empty archive and a pickle in frames have these zeros too, but no '{' behind them.
bool looks_like_safetensors(std::string_view start) {
  return could_be_safetensors(start) && start.substr(8, 1) == "{";
}

}  // namespace

FileLayout layout_of(const std::string& file, const FilePieces& pieces) {
  constexpr std::uint64_t start_bytes = 9;
  const std::string start = pieces.read(0, std::min(start_bytes, pieces.size()));
  if (looks_like_safetensors(start)) return safetensors_layout(file, pieces);
  if (looks_like_zip(start)) return torch_zip_layout(file, pieces);
  if (looks_like_pickle(start)) return torch_legacy_layout(file, pieces);
  if (could_be_safetensors(start)) return safetensors_layout(file, pieces);
  throw_failure(concat(file,
                       ": holds no weights: it is neither a safetensors file nor a .pth that "
                       "torch.save wrote"));
}

}  // namespace medurwkv::weights
