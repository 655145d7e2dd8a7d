// Which stored values become 0 and 1: windows by name, and windows that follow from the values of
// an image or a volume. Relies on data/image/image.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "data/image/image.h"

namespace medurwkv::data {

/// A window in Hounsfield units, of CT alone.
struct NamedWindow {
  const char* name;
  Window window;
};
/// lung, bone, soft, brain, mediastinum, liver.
std::span<const NamedWindow> named_windows();

/// What the setting input.window says; neither where it is empty.
struct WindowChoice {
  std::optional<Window> window{};
  std::optional<OwnWindow> own{};
};
/// `text`: a name of named_windows, two numbers "-160,240", "percentile", "percentile:1,99" or
/// "zscore"; `over`: "volume" or "image". Throws a usage Error, which suggests the nearest name.
WindowChoice window_choice(const std::string& text, const std::string& over);

/// Values of one image, or of a volume slice by slice. Of more than 2^22 values every n-th pixel is
/// taken, evenly spread over all rows, columns and slices, so that the same pixels give the same
/// window in whichever pieces they come.
class Levels {
 public:
  /// `slice`: the size of a slice, or of the one image. `colors`: three channels of 8 or 16 bits
  /// are colours and have one window, or their balance would be lost.
  explicit Levels(ImageSize slice, std::int64_t slices = 1, bool colors = true);

  /// Bytes that the values take, and their copy while a window is found.
  static std::int64_t memory(ImageSize slice, std::int64_t slices, std::int64_t channels);

  /// The next pixels: whole rows, from the first one of the first slice on. Throws Error for values
  /// that are not finite.
  void add(const Image& rows);

  /// One for each channel, once all pixels were added. Percentiles are interpolated linearly
  /// between the two nearest values; the standard deviation is that of all values (divided by their
  /// number). Where two percentiles are one value, the window reaches from the least to the
  /// largest value; of a constant image from the value to 1 above.
  [[nodiscard]] Windows windows(const OwnWindow& own) const;

 private:
  std::int64_t area_;  ///< pixels of a slice
  std::int64_t pixels_;
  std::int64_t step_ = 1;  ///< pixels from one that is taken to the next
  std::int64_t seen_ = 0;  ///< pixels
  bool colors_;
  std::int64_t channels_ = 0;
  std::vector<std::vector<float>> values_;  ///< of each channel; of colours of all together
};

/// The windows by which the image becomes 0..1 under the contract: of a window that follows from
/// values, those that it was read with, else those of its own values (where a case has several
/// files, three channels are no colours). A slice of a volume whose
/// contract wants the volume's, and a part of an image, must have been read with them: that they
/// were not is an internal Error.
Windows windows_for(const Image& image, const InputContract& contract);
/// The same of each of `wanted`; `colors` as of Levels.
std::vector<FoundWindows> find_windows(const Image& image, const std::vector<OwnWindow>& wanted,
                                       bool colors = true);

}  // namespace medurwkv::data
