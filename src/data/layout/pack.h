// A set as one file: decoded images and class indices, each piece checksummed, read without image
// codecs (docs/formats.md). Relies on data/layout/layout.h, nlohmann/json and zlib.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/listener.h"
#include "core/model_description.h"
#include "data/layout/dataset.h"
#include "data/layout/layout.h"

namespace medurwkv::data {

/// Whether the file begins as a pack does. False for what cannot be read.
bool is_pack(const std::filesystem::path& file);

/// An opened pack. Pieces are read when they are asked for, from any thread.
class PackFile : public PixelStore {
 public:
  /// Reads the index and checks it. Throws Error naming the file and the place.
  explicit PackFile(const std::filesystem::path& file);

  /// The encoding of the set's masks, before they became class indices.
  [[nodiscard]] MaskEncoding encoding() const { return encoding_; }
  [[nodiscard]] const std::vector<ClassInfo>& classes() const { return classes_; }
  /// Name of the set's layout.
  [[nodiscard]] const std::string& layout() const { return layout_; }
  /// Into whose slices volumes were cut.
  [[nodiscard]] Plane plane() const { return plane_; }
  /// By id. Their sources have no store yet: pack_layout sets it.
  [[nodiscard]] const std::vector<Case>& cases() const { return cases_; }

  /// Of the case with this id. Throw Error naming it when its bytes are not those that were packed.
  [[nodiscard]] Image image(const std::string& id) const override;
  [[nodiscard]] LabelMap labels(const std::string& id) const override;
  [[nodiscard]] ImageSize size(const std::string& id) const override;
  [[nodiscard]] std::int64_t channels(const std::string& id) const override;
  /// Throws Error for a pack that an earlier program wrote, which does not say it.
  [[nodiscard]] std::vector<std::string> slices_beside(const std::string& id) const override;

 private:
  struct Piece {
    std::uint64_t start = 0, packed = 0, size = 0;  ///< bytes
    std::string sha256;                             ///< of the packed bytes
  };
  struct Entry {
    Image form;  ///< without samples
    Piece image, labels;
    std::string volume{};  ///< where it was a slice of a file of several, else empty
    bool untold = false;   ///< whether it was is not known
  };
  [[nodiscard]] const Entry& entry(const std::string& id) const;
  [[nodiscard]] std::string unpacked(const std::string& what, const Piece& piece) const;
  void read_index(std::string_view index, std::uint64_t end);

  std::string name_;
  FilePieces file_;
  MaskEncoding encoding_ = MaskEncoding::index;
  std::vector<ClassInfo> classes_;
  std::string layout_;
  Plane plane_ = Plane::stored;
  std::vector<Case> cases_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::vector<std::string>> volumes_;  ///< ids by the order of slices
};

/// The layout of a pack: every case's image and mask lie in it.
Layout pack_layout(const std::filesystem::path& file);

/// Decodes every case and writes the pack, atomically. The same set gives the same bytes on any
/// number of threads. Throws the first Error by the order of cases, and Stopped.
void write_pack(const Dataset& dataset, const std::filesystem::path& file, Listener& listener);

}  // namespace medurwkv::data
