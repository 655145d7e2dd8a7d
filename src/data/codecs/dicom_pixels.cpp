// Frames of DICOM as images. PS3.3 C.7.6.3 (pixels, palettes), C.11.1 (modality LUT), C.11.2 (VOI
// LUT, window).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/codecs/codecs.h"
#include "data/volumes/kept_voxels.h"
#include "data/volumes/planes.h"
#include "data/volumes/series.h"

namespace medurwkv::data {
namespace {

using Json = nlohmann::json;

[[noreturn]] void refuse(const DicomFile& file, const std::string& what) {
  throw_failure(concat(file.file.string(), ": is DICOM with ", what, ", which is not read"));
}

/// A frame's samples, channels innermost, before they mean anything.
struct Samples {
  std::vector<std::int32_t> values;
  std::string colors;
};

std::size_t pixels_of(const DicomFile& file) {
  return static_cast<std::size_t>(file.columns * file.rows);
}

/// The stored bits of each sample alone, with their sign. `shift`: how many bits stand below them.
void take_stored_bits(const DicomFile& file, int shift, std::vector<std::int32_t>& values) {
  if (file.bits_stored >= 32) return;
  const auto mask = (std::uint32_t{1} << static_cast<unsigned>(file.bits_stored)) - 1;
  const std::uint32_t sign = std::uint32_t{1} << static_cast<unsigned>(file.bits_stored - 1);
  for (std::int32_t& value : values) {
    const std::uint32_t bits =
        static_cast<std::uint32_t>(value) >> static_cast<unsigned>(shift) & mask;
    const bool negative = file.has_sign && (bits & sign) != 0;
    value = static_cast<std::int32_t>(negative ? bits | ~mask : bits);
  }
}

template <class Number>
void widen(const void* bytes, std::vector<std::int32_t>& out) {
  const auto* at = static_cast<const unsigned char*>(bytes);
  for (std::size_t i = 0; i < out.size(); ++i) {
    Number number;
    std::memcpy(&number, at + i * sizeof(Number), sizeof(Number));
    out[i] = static_cast<std::int32_t>(number);
  }
}

/// Two luminances, then the colours that both share.
std::vector<std::int32_t> without_sharing(const std::vector<std::int32_t>& values) {
  std::vector<std::int32_t> out;
  out.reserve(values.size() / 2 * 3);
  for (std::size_t i = 0; i + 3 < values.size(); i += 4) {
    for (const std::size_t luminance : {i, i + 1}) {
      out.insert(out.end(), {values[luminance], values[i + 2], values[i + 3]});
    }
  }
  return out;
}

std::vector<std::int32_t> together(const std::vector<std::int32_t>& planes, std::size_t channels) {
  std::vector<std::int32_t> out(planes.size());
  const std::size_t pixels = planes.size() / channels;
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < pixels; ++i) out[i * channels + c] = planes[c * pixels + i];
  }
  return out;
}

Samples plain_samples(const DicomFile& file, const MedurwkvDicomFrame& frame) {
  Samples out{.values = {}, .colors = frame.colors};
  const bool shared = out.colors == "YBR_FULL_422" || out.colors == "YBR_PARTIAL_422";
  const auto channels = static_cast<std::size_t>(file.samples);
  const std::size_t pixels = pixels_of(file);
  const auto element = static_cast<std::size_t>(file.bits_allocated) / 8;
  const std::size_t unshared = pixels * channels;
  if (shared && file.columns % 2 != 0) refuse(file, "colours shared by an odd number of columns");
  // What was packed comes without sharing.
  const bool still_shared = shared && frame.size == pixels * 2 * element;
  out.values.resize(still_shared ? pixels * 2 : unshared);
  if (file.bits_allocated == 1) {
    if (frame.size * 8 < out.values.size()) {
      throw_failure(concat(file.file.string(), ": its frames have fewer bits than pixels"));
    }
    const auto* bits = static_cast<const unsigned char*>(frame.bytes);
    for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = bits[i / 8] >> i % 8 & 1;
    return out;
  }
  if (frame.size != out.values.size() * element) {
    throw_failure(concat(file.file.string(), ": its frames have ", frame.size,
                         " bytes; its rows and columns take ", out.values.size() * element));
  }
  switch (file.bits_allocated) {
    case 8: widen<std::uint8_t>(frame.bytes, out.values); break;
    case 16: widen<std::uint16_t>(frame.bytes, out.values); break;
    case 32: widen<std::uint32_t>(frame.bytes, out.values); break;
    default: refuse(file, concat(file.bits_allocated, " bits allocated"));
  }
  take_stored_bits(file, file.high_bit + 1 - file.bits_stored, out.values);
  if (still_shared) out.values = without_sharing(out.values);
  if (frame.planar != 0 && channels > 1 && !still_shared) {
    out.values = together(out.values, channels);
  }
  return out;
}

Samples samples_of(const DicomFile& file, std::int64_t frame) {
  Samples out;
  read_frame(file.file, frame, [&](const MedurwkvDicomFrame& one) {
    if (one.jpeg2000 == 0) {
      out = plain_samples(file, one);
      return;
    }
    const std::string_view bytes(static_cast<const char*>(one.bytes), one.size);
    out.values =
        decode_codestream(file.file.string(), bytes, {file.columns, file.rows}, file.samples);
    // A codestream may have no sign where its file says one, and the other way round.
    take_stored_bits(file, 0, out.values);
    out.colors = one.colors;
    // OpenJPEG turns its own transforms back.
    if (out.colors == "YBR_RCT" || out.colors == "YBR_ICT") out.colors = "RGB";
  });
  return out;
}

/// PS3.3 C.7.6.3.1.2: luminance and colour differences of 8 bits.
void to_rgb(std::vector<std::int32_t>& values) {
  for (std::size_t i = 0; i + 2 < values.size(); i += 3) {
    const double y = values[i];
    const double b = values[i + 1] - 128.0;
    const double r = values[i + 2] - 128.0;
    const auto clipped = [](double value) {
      return static_cast<std::int32_t>(std::clamp(std::lround(value), 0L, 255L));
    };
    values[i] = clipped(y + 1.402 * r);
    values[i + 1] = clipped(y - 0.344136 * b - 0.714136 * r);
    values[i + 2] = clipped(y + 1.772 * b);
  }
}

/// A lookup table: (count, first value, bits), and the entries.
struct Table {
  std::int32_t first = 0;
  std::vector<double> entries;

  [[nodiscard]] double at(double value) const {
    const double last = static_cast<double>(entries.size()) - 1;
    const double index = std::clamp(std::round(value) - first, 0.0, last);
    return entries[static_cast<std::size_t>(index)];
  }
};

/// The bits of entries stand in `*bits` where that is asked for.
std::optional<Table> table_of(const DicomFile& file, const Json& elements, const char* form,
                              const char* data, double* bits = nullptr) {
  const std::vector<double> said = numbers_of(elements, form);
  std::vector<double> entries = numbers_of(elements, data);
  if (said.size() != 3 || entries.empty()) return std::nullopt;
  const auto within = [](double least, double most) {
    return [=](double number) { return number >= least && number <= most; };
  };
  if (!within(1, 16)(said[2])) refuse(file, concat("a lookup table of ", said[2], " bits"));
  if (!within(0, 65536)(said[0]) || !within(-32768, 65535)(said[1]) ||
      !std::all_of(entries.begin(), entries.end(), within(0, 65535))) {
    refuse(file, "a lookup table of other numbers than 16 bits hold");
  }
  auto count = static_cast<std::size_t>(said[0]);
  if (count == 0) count = 65536;  // what 16 bits cannot say
  // Entries of 8 bits may lie two to a word, the first in its low byte.
  if (said[2] <= 8 && entries.size() == (count + 1) / 2) {
    std::vector<double> bytes;
    for (const double word : entries) {
      const auto both = static_cast<unsigned>(word);
      bytes.push_back(both & 0xffU);
      bytes.push_back(both >> 8U);
    }
    entries = std::move(bytes);
  }
  if (entries.size() < count) refuse(file, "a lookup table that is cut off");
  entries.resize(count);
  if (bits != nullptr) *bits = said[2];
  auto first = static_cast<std::int32_t>(said[1]);
  // Written as without sign, though the samples have one.
  if (file.has_sign && first > 32767) first -= 65536;
  return Table{first, std::move(entries)};
}

Image empty_image(const Volume& volume, SampleType type, std::int64_t channels) {
  Image out{.width = volume.columns,
            .height = volume.rows,
            .channels = channels,
            .type = type,
            .bytes = {},
            .geometry = geometry_of(volume.placing)};
  const std::size_t size = type == SampleType::f32 ? 4 : type == SampleType::u16 ? 2 : 1;
  out.bytes.resize(static_cast<std::size_t>(volume.columns * volume.rows * channels) * size);
  return out;
}

Image colored(const Volume& volume, const DicomFile& file, Samples samples) {
  const std::size_t pixels = pixels_of(file);
  const std::size_t channels = samples.colors == "PALETTE COLOR" ? 1 : 3;
  if (samples.values.size() != pixels * channels) {
    refuse(file, concat(shown(samples.colors), " of ", file.samples, " samples a pixel"));
  }
  Image out = empty_image(volume, file.bits_stored > 8 ? SampleType::u16 : SampleType::u8, 3);
  if (samples.colors == "PALETTE COLOR") {
    const Json elements = dicom_elements(file.file);
    std::array<std::optional<Table>, 3> tables;
    double bits = 16;
    for (std::size_t c = 0; c < 3; ++c) {
      static constexpr std::array<const char*, 3> forms{"00281101", "00281102", "00281103"};
      static constexpr std::array<const char*, 3> data{"00281201", "00281202", "00281203"};
      tables.at(c) = table_of(file, elements, forms.at(c), data.at(c), &bits);
      if (!tables.at(c)) refuse(file, "a palette in segments, or none");
    }
    // Palettes of 16 bits with the colours in the low byte are written, too.
    const auto largest = [](const Table& table) {
      return *std::max_element(table.entries.begin(), table.entries.end());
    };
    const bool wide = bits > 8 && std::any_of(tables.begin(), tables.end(), [&](const auto& table) {
                        return largest(*table) > 255;
                      });
    out = empty_image(volume, SampleType::u8, 3);
    for (std::size_t i = 0; i < pixels; ++i) {
      for (std::size_t c = 0; c < 3; ++c) {
        const double entry = tables.at(c)->at(samples.values[i]);
        const std::uint32_t most = wide ? 65535 : 255;
        store_spread(out, 3 * i + c, std::min(static_cast<std::uint32_t>(entry), most), most);
      }
    }
    return out;
  }
  if (samples.colors.starts_with("YBR_FULL")) {
    if (file.bits_stored != 8) refuse(file, concat("YBR of ", file.bits_stored, " bits"));
    to_rgb(samples.values);
  } else if (samples.colors != "RGB") {
    refuse(file, concat("colours of the kind ", shown(samples.colors)));
  }
  if (file.bits_stored > 16) refuse(file, concat("colours of ", file.bits_stored, " bits"));
  const std::uint32_t most = (1U << static_cast<unsigned>(file.bits_stored)) - 1;
  for (std::size_t i = 0; i < samples.values.size(); ++i) {
    store_spread(out, i, static_cast<std::uint32_t>(std::max(samples.values[i], 0)), most);
  }
  return out;
}

/// How the samples of a shade become 0 to 1.
class Shades {
 public:
  Shades(const DicomFile& file, const DicomFrame& frame) : frame_(frame) {
    const Json elements = dicom_elements(file.file);
    for (const Json* item : items_of(elements, "00283000")) {
      if (!modality_) modality_ = table_of(file, *item, "00283002", "00283006");
    }
    const std::vector<double> centers = numbers_of(elements, "00281050");
    const std::vector<double> widths = numbers_of(elements, "00281051");
    for (const Json* item : items_of(elements, "00283010")) {
      if (!shown_) shown_ = table_of(file, *item, "00283002", "00283006", &bits_);
    }
    if (!centers.empty() && !widths.empty() && widths.front() >= 1) {
      window_ = {centers.front(), widths.front()};
    }
    function_ = text_of(elements, "00281056");
    const double range = std::exp2(file.bits_stored);
    least_ = modality(file.has_sign ? -range / 2 : 0);
    most_ = modality(file.has_sign ? range / 2 - 1 : range - 1);
    if (modality_) {
      const auto [least, most] =
          std::minmax_element(modality_->entries.begin(), modality_->entries.end());
      least_ = *least;
      most_ = *most;
    }
    turned_ = file.colors == "MONOCHROME1";
  }

  [[nodiscard]] double operator()(std::int32_t sample) const {
    const double value = modality(sample);
    const double out = std::clamp(shade(value), 0.0, 1.0);
    return turned_ ? 1 - out : out;
  }

 private:
  [[nodiscard]] double modality(double sample) const {
    return modality_ ? modality_->at(sample) : frame_.slope * sample + frame_.intercept;
  }

  /// PS3.3 C.11.2.1.2 and C.11.2.1.3.
  [[nodiscard]] double shade(double value) const {
    if (shown_) return shown_->at(value) / (std::exp2(bits_) - 1);
    if (!window_) return most_ == least_ ? 0 : (value - least_) / (most_ - least_);
    const auto [center, width] = *window_;
    if (function_ == "SIGMOID") return 1 / (1 + std::exp(-4 * (value - center) / width));
    if (function_ == "LINEAR_EXACT") return (value - center) / width + 0.5;
    if (width == 1) return value <= center - 0.5 ? 0 : 1;
    return (value - (center - 0.5)) / (width - 1) + 0.5;
  }

  const DicomFrame& frame_;
  std::optional<Table> modality_, shown_;
  std::optional<std::pair<double, double>> window_;
  std::string function_;
  double bits_ = 16, least_ = 0, most_ = 1;
  bool turned_ = false;
};

/// The segments of a slice, each pixel the number of its segment.
Image segments_at(const Volume& volume, std::int64_t slice) {
  const DicomFile& file = *volume.dicom->slices.front().file;
  Image out = empty_image(volume, SampleType::u8, 1);
  for (const std::int64_t frame : volume.dicom->frames_at[static_cast<std::size_t>(slice)]) {
    const Samples samples = samples_of(file, frame);
    const auto segment =
        static_cast<unsigned char>(file.frames[static_cast<std::size_t>(frame)].segment);
    for (std::size_t i = 0; i < out.bytes.size(); ++i) {
      if (2 * samples.values[i] < file.full) continue;
      if (out.bytes[i] != 0 && out.bytes[i] != segment) {
        throw_failure(concat(file.file.string(), ": its segments ", int{out.bytes[i]}, " and ",
                             int{segment}, " overlap; a pixel has one class"));
      }
      out.bytes[i] = segment;
    }
  }
  return out;
}

Image stored_slice(const Volume& volume, std::int64_t slice) {
  if (!volume.dicom->frames_at.empty()) return segments_at(volume, slice);
  const DicomSlice& place = volume.dicom->slices.at(static_cast<std::size_t>(slice));
  const DicomFile& file = *place.file;
  check_size(file.file.string(), file.columns, file.rows, 4 * file.samples);
  const MemoryClaim claim(file.file.string(),
                          static_cast<std::int64_t>(pixels_of(file)) * file.samples * 16);
  if (file.samples != 1 && file.samples != 3)
    refuse(file, concat(file.samples, " samples a pixel"));
  Samples samples = samples_of(file, place.frame);
  if (volume.channels == 3) return colored(volume, file, std::move(samples));
  if (!samples.colors.starts_with("MONOCHROME")) {
    refuse(file, concat("colours of the kind ", shown(samples.colors)));
  }
  if (volume.dicom->measured) {
    Image out = empty_image(volume, SampleType::f32, 1);
    const DicomFrame& frame = place.placing();
    for (std::size_t i = 0; i < samples.values.size(); ++i) {
      const std::int32_t sample = samples.values[i];
      const double stored =
          file.has_sign ? sample : static_cast<double>(static_cast<std::uint32_t>(sample));
      const auto value = static_cast<float>(frame.slope * stored + frame.intercept);
      std::memcpy(out.bytes.data() + i * sizeof(float), &value, sizeof(float));
    }
    check_finite(file.file.string(), out);
    return out;
  }
  const Shades shades(file, place.placing());
  const bool wide = volume.type == NpyType::u16;
  Image out = empty_image(volume, wide ? SampleType::u16 : SampleType::u8, 1);
  for (std::size_t i = 0; i < samples.values.size(); ++i) {
    const std::uint32_t most = wide ? 65535 : 255;
    const auto shade = static_cast<std::uint32_t>(std::lround(shades(samples.values[i]) * most));
    store_spread(out, i, shade, most);
  }
  return out;
}

/// A slice of a volume that is seen in another way, out of all its slices, decoded and kept.
Image turned_slice(const Volume& volume, std::int64_t slice) {
  const Volume stored = as_stored(volume);
  std::string key;
  const DicomFile* last = nullptr;
  for (const DicomSlice& one : volume.dicom->slices) {
    if (one.file.get() != last) key += file_state(one.file->file);
    last = one.file.get();
    key += concat(one.frame, " ");
  }
  for (const std::vector<std::int64_t>& frames : volume.dicom->frames_at) {
    for (const std::int64_t frame : frames) key += concat(frame, " ");
    key += "/";
  }
  // The first slice tells of what type all are.
  Image out = stored_slice(stored, 0);
  const std::size_t plane = out.bytes.size();
  const std::size_t bytes = plane * static_cast<std::size_t>(stored.slices);
  const auto all = kept_voxels(key, volume.file.string(), bytes, [&] {
    std::string voxels;
    voxels.reserve(bytes);
    for (std::int64_t i = 0; i < stored.slices; ++i) {
      const Image one = stored_slice(stored, i);
      if (one.bytes.size() != plane) {
        throw_failure(concat(volume.file.string(), ": its slices have samples of two kinds"));
      }
      voxels.append(one.bytes.begin(), one.bytes.end());
    }
    return voxels;
  });
  const std::size_t sample =
      plane / static_cast<std::size_t>(out.width * out.height * out.channels);
  Volume seen = volume;
  seen.channels = out.channels;
  const std::string pixels =
      slice_as_seen(seen, static_cast<std::size_t>(slice), *all, sample, true);
  out.width = volume.columns;
  out.height = volume.rows;
  out.geometry = geometry_of(volume.placing);
  out.bytes.assign(pixels.begin(), pixels.end());
  return out;
}

}  // namespace

Image dicom_slice(const Volume& volume, std::int64_t slice) {
  return volume.turn == Turn{} ? stored_slice(volume, slice) : turned_slice(volume, slice);
}

}  // namespace medurwkv::data
