#include "data/layout/picture_zip.h"

#include <cstdint>
#include <string_view>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/codecs/codecs.h"

namespace medurwkv::data {

PictureZip::PictureZip(const std::filesystem::path& file)
    : file_(file), archive_(file.string(), file_.bytes()) {
  file_.let_go(file_.bytes());
}

/// Memory does not grow by the archive's size while one member after the other is read.
class PictureZip::Reading {
 public:
  Reading(const MappedFile& file, const ZipMember& member)
      : file_(file), part_(file.bytes().substr(member.start, member.packed)) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  Reading(Reading&&) = delete;
  Reading& operator=(Reading&&) = delete;
  ~Reading() { file_.let_go(part_); }

 private:
  const MappedFile& file_;
  std::string_view part_;
};

template <class Use>
auto PictureZip::with_member(const std::string& id, const Use& use) const {
  file_.check_same();
  const std::string name = concat(file_.path().string(), " (", shown(id), ")");
  const ZipMember* member = archive_.find(id);
  if (member == nullptr) throw_failure(concat(name, ": the archive has no such member"));
  const Reading reading(file_, *member);
  std::string room;  // stays empty: the archive is in memory
  if (!member->deflated) return use(name, archive_.stored(*member, room));
  if (member->size > file_limit) {
    throw_failure(concat(name, ": unpacks to ", member->size, " bytes, more than the ", file_limit,
                         " that are read here"));
  }
  const MemoryClaim claim(name, static_cast<std::int64_t>(member->size));
  const std::string bytes = archive_.read(*member, file_limit);
  return use(name, std::string_view(bytes));
}

Image PictureZip::image(const std::string& id) const {
  return with_member(id, [](const std::string& name, std::string_view bytes) {
    return decode_image(name, bytes).image;
  });
}

LabelMap PictureZip::labels(const std::string& id) const {
  throw_internal(concat(file_.path().string(), " (", shown(id), "): a zip of images has no masks"));
}

ImageSize PictureZip::size(const std::string& id) const {
  return with_member(
      id, [](const std::string& name, std::string_view bytes) { return image_size(name, bytes); });
}

std::int64_t PictureZip::channels(const std::string& id) const {
  return image(id).channels;
}

}  // namespace medurwkv::data
