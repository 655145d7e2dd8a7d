// Images in a zip archive, decoded where they lie. Relies on core/mapped_file.h, core/zip.h and
// data/codecs.
#pragma once

#include <filesystem>
#include <string>

#include "core/mapped_file.h"
#include "core/zip.h"
#include "data/codecs/read.h"

namespace medurwkv::data {

/// A zip whose members are image files; an image's id is its member's name. The archive is mapped,
/// nothing decoded is kept. Throws Error naming the zip and, where it is one's fault, the member.
class PictureZip : public PixelStore {
 public:
  /// Reads the directory and checks it against every local header (core/zip.h).
  explicit PictureZip(const std::filesystem::path& file);

  [[nodiscard]] const ZipArchive& archive() const { return archive_; }

  /// By the member's content, as read_image; checked against the archive's CRC. Safe from any
  /// thread.
  [[nodiscard]] Image image(const std::string& id) const override;
  /// Always an Error: a zip of images has no masks.
  [[nodiscard]] LabelMap labels(const std::string& id) const override;
  [[nodiscard]] ImageSize size(const std::string& id) const override;
  /// Decodes the image.
  [[nodiscard]] std::int64_t channels(const std::string& id) const override;

 private:
  class Reading;
  /// Calls use(name, bytes) with the member's name for messages and its content.
  template <class Use>
  auto with_member(const std::string& id, const Use& use) const;

  MappedFile file_;
  ZipArchive archive_;
};

}  // namespace medurwkv::data
