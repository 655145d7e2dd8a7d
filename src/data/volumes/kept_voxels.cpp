#include "data/volumes/kept_voxels.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <list>
#include <mutex>
#include <system_error>
#include <utility>

#include "core/memory.h"
#include "core/text.h"

namespace medurwkv::data {
namespace {

class KeptVoxels {
 public:
  std::shared_ptr<const std::string> get(const std::string& key, const std::string& name,
                                         std::uint64_t bytes,
                                         const std::function<std::string()>& make) {
    const std::scoped_lock lock(mutex_);
    const auto found =
        std::find_if(kept_.begin(), kept_.end(), [&](const Kept& one) { return one.key == key; });
    if (found != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, found);
      return kept_.front().voxels;
    }
    const MemoryClaim claim(name, static_cast<std::int64_t>(bytes));
    auto made = std::make_shared<const std::string>(make());
    kept_.push_front({key, made});
    std::uint64_t sum = 0;
    const auto most = static_cast<std::uint64_t>(
        std::clamp<std::int64_t>(memory_left() / 8, 0, std::int64_t{1} << 30));
    for (auto one = kept_.begin(); one != kept_.end();) {
      sum += one->voxels->size();
      one = one != kept_.begin() && sum > most ? kept_.erase(one) : std::next(one);
    }
    return made;
  }

 private:
  struct Kept {
    std::string key;
    std::shared_ptr<const std::string> voxels;
  };
  std::mutex mutex_;
  std::list<Kept> kept_;  ///< the last used first
};

}  // namespace

std::shared_ptr<const std::string> kept_voxels(const std::string& key, const std::string& name,
                                               std::uint64_t bytes,
                                               const std::function<std::string()>& make) {
  static KeptVoxels all;
  return all.get(key, name, bytes, make);
}

std::string file_state(const std::filesystem::path& file) {
  std::error_code error;
  return concat(file.string(), "\n", std::filesystem::file_size(file, error), "\n",
                std::filesystem::last_write_time(file, error).time_since_epoch().count(), "\n");
}

std::string slice_as_seen(const Volume& volume, std::size_t slice, std::string_view all,
                          std::size_t element_bytes, bool channels_together) {
  const auto channels = static_cast<std::size_t>(volume.channels);
  const std::array<std::int64_t, 3> seen = volume.sides();
  std::array<std::size_t, 3> stored{};  // sides
  for (std::size_t i = 0; i < 3; ++i) {
    stored.at(volume.turn.axis.at(i)) = static_cast<std::size_t>(seen.at(i));
  }
  std::string out(static_cast<std::size_t>(seen[0] * seen[1]) * channels * element_bytes, '\0');
  const std::size_t volume_elements = stored[0] * stored[1] * stored[2];
  std::size_t to = 0;
  std::array<std::size_t, 3> at{0, 0, slice};
  for (at[1] = 0; at[1] < static_cast<std::size_t>(seen[1]); ++at[1]) {
    for (at[0] = 0; at[0] < static_cast<std::size_t>(seen[0]); ++at[0]) {
      std::array<std::size_t, 3> place{};
      for (std::size_t i = 0; i < 3; ++i) {
        const auto side = static_cast<std::size_t>(seen.at(i));
        place.at(volume.turn.axis.at(i)) =
            volume.turn.flipped.at(i) ? side - 1 - at.at(i) : at.at(i);
      }
      const std::size_t voxel = (place[2] * stored[1] + place[1]) * stored[0] + place[0];
      for (std::size_t c = 0; c < channels; ++c) {
        const std::size_t from =
            channels_together ? voxel * channels + c : c * volume_elements + voxel;
        std::memcpy(&out[to], all.data() + from * element_bytes, element_bytes);
        to += element_bytes;
      }
    }
  }
  return out;
}

}  // namespace medurwkv::data
