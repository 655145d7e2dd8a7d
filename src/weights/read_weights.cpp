#include "weights/read_weights.h"

#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "weights/torch_file.h"

namespace medurwkv::weights {
namespace {

/// Eight bytes of a header length below 4 GB.
bool could_be_safetensors(std::string_view bytes) {
  return bytes.size() >= 8 && bytes.substr(4, 4) == std::string_view("\0\0\0\0", 4);
}

}  // namespace

bool looks_like_safetensors(std::string_view start) {
  // An empty archive and a pickle in frames have these zeros too, but no '{' behind them.
  return could_be_safetensors(start) && start.substr(8, 1) == "{";
}

TensorFile parse_weights(const std::string& file, std::string bytes) {
  if (looks_like_safetensors(bytes)) return TensorFile::parse(file, std::move(bytes));
  if (looks_like_zip(bytes)) return parse_torch_zip(file, std::move(bytes));
  if (looks_like_pickle(bytes)) return parse_torch_legacy(file, std::move(bytes));
  if (could_be_safetensors(bytes)) return TensorFile::parse(file, std::move(bytes));
  throw_failure(concat(file,
                       ": holds no weights: it is neither a safetensors file nor a .pth that "
                       "torch.save wrote"));
}

TensorFile read_weights(const std::filesystem::path& path) {
  return parse_weights(path.string(), read_file(path));
}

}  // namespace medurwkv::weights
