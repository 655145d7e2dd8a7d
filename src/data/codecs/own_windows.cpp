#include "data/codecs/own_windows.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/codecs/arrays.h"
#include "data/image/levels.h"
#include "data/volumes/kept_voxels.h"
#include "data/volumes/planes.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// Slices of the volume that the source is a slice of, in their order.
std::vector<ImageSource> slices_of(const ImageSource& source) {
  std::vector<ImageSource> out;
  if (source.store) {
    for (const std::string& id : source.store->slices_beside(source.array)) {
      out.push_back(source);
      out.back().array = id;
    }
    return out;
  }
  if (is_of_volume(source)) {
    // As stored, so that a volume's window is the same in whichever plane it is seen.
    const auto stored = std::make_shared<const Volume>(as_stored(volume_of(source)));
    for (std::int64_t i = 0; i < stored->slices; ++i) {
      out.push_back(source);
      out.back().slice = i;
      out.back().volume = stored;
    }
    return out;
  }
  std::int64_t count = 0;
  for (const ArrayInfo& one : list_arrays(source.file)) {
    if (one.name == source.array) count = one.shape.at(0);
  }
  for (std::int64_t i = 0; i < count; ++i) {
    out.push_back(source);
    out.back().slice = i;
  }
  return out;
}

/// The volume as it is now.
std::string key_of(const ImageSource& source, const OwnWindow& own) {
  std::string out =
      concat(source.file.string(), "\n", to_string(own), " ", std::bit_cast<std::uint64_t>(own.low),
             " ", std::bit_cast<std::uint64_t>(own.high), "\n",
             source.store ? source.store->slices_beside(source.array).front() : source.array);
  for (const fs::path& file : source.files()) out += file_state(file);
  if (source.volume && !source.volume->dicom) out += file_state(source.volume->data);
  return out;
}

/// Windows of volumes: a few numbers each, so all are kept.
class VolumeWindows {
 public:
  Windows of(const ImageSource& source, const OwnWindow& own) {
    const std::shared_ptr<One> one = entry(key_of(source, own));
    // Others that want this volume's wait; other volumes go on.
    const std::scoped_lock lock(one->mutex);
    if (!one->windows) one->windows = read(source, own);
    return *one->windows;
  }

 private:
  struct One {
    std::mutex mutex;
    std::optional<Windows> windows;
  };

  std::shared_ptr<One> entry(const std::string& key) {
    const std::scoped_lock lock(mutex_);
    std::shared_ptr<One>& out = all_[key];
    if (!out) out = std::make_shared<One>();
    return out;
  }

  static Windows read(const ImageSource& source, const OwnWindow& own) {
    const std::vector<ImageSource> slices = slices_of(source);
    if (slices.empty()) throw_internal(concat(source.name(), ": a volume without slices"));
    std::optional<Levels> levels;
    std::optional<MemoryClaim> claim;
    for (const ImageSource& slice : slices) {
      const Image image = read_image(slice);
      const ImageSize size{image.width, image.height};
      if (!levels) {
        levels.emplace(size, std::ssize(slices));
        claim.emplace(source.name(), Levels::memory(size, std::ssize(slices), image.channels));
      }
      levels->add(image);
    }
    return levels->windows(own);
  }

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<One>> all_;
};

VolumeWindows& volume_windows() {
  static VolumeWindows one;
  return one;
}

Windows of_image(const Image& image, const OwnWindow& own) {
  Levels levels({image.width, image.height});
  levels.add(image);
  return levels.windows(own);
}

/// What `find` gives; an Error begins with the source's name.
template <class Find>
std::vector<FoundWindows> named(const ImageSource& source, const std::vector<OwnWindow>& wanted,
                                const Find& find) {
  std::vector<FoundWindows> out;
  for (const OwnWindow& own : wanted) {
    try {
      out.push_back({own, find(own)});
    } catch (const MemoryError&) {
      throw;
    } catch (const Error& error) {
      if (std::string(error.what()).starts_with(source.file.string())) throw;
      throw Error(error.kind(), concat(source.name(), ": ", error.what()));
    }
  }
  return out;
}

}  // namespace

std::vector<FoundWindows> find_windows(const ImageSource& source, const Image& image,
                                       const std::vector<OwnWindow>& wanted) {
  return named(source, wanted, [&](const OwnWindow& own) {
    const bool of_volume = own.of_volume && image.extent == Extent::slice;
    return of_volume ? volume_windows().of(source, own) : of_image(image, own);
  });
}

Image read_image(const ImageSource& source, const std::vector<OwnWindow>& wanted) {
  Image out = read_image(source);
  out.windows = find_windows(source, out, wanted);
  return out;
}

std::unique_ptr<ImageRows> open_rows(const ImageSource& source,
                                     const std::vector<OwnWindow>& wanted) {
  if (wanted.empty()) return open_rows(source);
  if (source.slice || source.store) return rows_of(read_image(source, wanted));
  constexpr std::int64_t at_once = 64;
  std::vector<FoundWindows> windows;
  {
    const std::unique_ptr<ImageRows> rows = open_rows(source);
    const ImageForm& form = rows->form();
    const MemoryClaim claim(source.name(), rows->memory(at_once) + at_once * form.row_bytes() +
                                               Levels::memory(form.size(), 1, form.channels));
    Levels levels(form.size());
    for (std::int64_t y = 0; y < form.height; y += at_once) levels.add(rows->next(at_once));
    windows =
        named(source, wanted, [&](const OwnWindow& own) -> Windows { return levels.windows(own); });
  }
  std::unique_ptr<ImageRows> out = open_rows(source);
  out->set_windows(std::move(windows));
  return out;
}

void add_wanted(const InputContract& contract, std::vector<OwnWindow>& wanted) {
  if (!contract.own_window) return;
  if (std::find(wanted.begin(), wanted.end(), *contract.own_window) != wanted.end()) return;
  wanted.push_back(*contract.own_window);
}

}  // namespace medurwkv::data
