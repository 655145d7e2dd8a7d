// A file of weights that is read once, piece by piece, into places of the reader's choice. Relies
// on weights/model_file.h and core/threads.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/files.h"
#include "weights/tensor_file.h"

namespace medurwkv::weights {

/// What the file says of its tensors is known at once. Their bytes are read when they are asked
/// for. In memory is only what says where they are, and tensors of a .pth that are deflated or
/// spread over their storage.
class WeightsSource : public TensorIndex {
 public:
  /// A file of any kind. Throws Error as model_layout and FilePieces do.
  static WeightsSource open(const std::filesystem::path& path);
  explicit WeightsSource(TensorFile file);

  /// Some bytes of `tensor`, from its byte `at` on: whole elements, aligned as numbers of 8 bytes.
  using Take =
      std::function<void(const TensorInfo& tensor, std::uint64_t at, std::string_view piece)>;

  /// Reads every tensor once; each piece is hashed and given to `take` while the processor's cache
  /// holds it. Several threads share the tensors: `take` is called by all of them, for one tensor
  /// by one. Returns content_sha256 of what was read. Throws Error naming the file when the
  /// checksum among the metadata or the CRC of a tensor is another; what `take` was given must not
  /// be used then.
  std::string read(const Take& take) const;  // NOLINT(modernize-use-nodiscard)

  /// Reads without a taker.
  std::string check() const;  // NOLINT(modernize-use-nodiscard)

  /// What `use` makes of names, shapes and metadata. They may be damaged as long as the tensors are
  /// not read. So where `use` throws, the file is read, and refused as damaged if it is.
  template <class Use>
  auto understood(const Use& use) const {
    try {
      return use();
    } catch (const std::exception&) {
      check();
      throw;
    }
  }

 private:
  struct OnDisk {
    FilePieces pieces;
    std::vector<TensorPlace> places;
    std::shared_ptr<const std::deque<std::string>> made;
  };

  WeightsSource(const std::string& file, FilePieces pieces, FileLayout layout);
  void read_bytes(std::size_t tensor, std::uint64_t at, std::span<char> out) const;

  std::variant<OnDisk, TensorFile> bytes_;
};

}  // namespace medurwkv::weights
