#include "data/check/examine.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/case_loop.h"
#include "core/error.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// An Error's message without the file that the fault names anyway.
std::string reason_of(const Error& error, const std::string& file) {
  const std::string message = error.what();
  const std::string prefix = file + ": ";
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

/// Why a file could not be read, as a kind of its own where the remedy is another.
Fault unreadable(const std::string& role, const ImageSource& source, const Error& error) {
  const std::string file = source.name();
  const std::string reason = reason_of(error, file);
  std::error_code ignored;
  const auto fault = [&](const char* kind, const std::string& remedy) {
    return Fault{Severity::error, kind, file, reason, remedy};
  };
  if (fs::is_symlink(source.file) && !fs::exists(source.file, ignored)) {
    return fault("broken-link", "copy what it pointed to here, or remove it with its partner");
  }
  if (reason.find("Git LFS") != std::string::npos) {
    return fault("lfs-pointer", "fetch the real files: run `git lfs pull` in their repository");
  }
  if (fs::file_size(source.file, ignored) == 0 && !ignored) {
    return fault("empty-file", concat("fetch the ", role, " again or remove it with its partner"));
  }
  if (dynamic_cast<const MemoryError*>(&error) != nullptr) {
    return fault(role == "image" ? "unreadable-image" : "unreadable-mask",
                 "allow more memory, or cut it and its partner into tiles");
  }
  return {Severity::error, concat("unreadable-", role), file, reason,
          concat("replace the file, or remove it together with its ",
                 role == "image" ? "mask" : "image")};
}

struct Suffixes {
  std::string_view magic;
  std::array<std::string_view, 2> allowed;
};

using namespace std::string_view_literals;

/// Formats that other tools tell by the suffix alone.
constexpr std::array<Suffixes, 16> known_suffixes{{{"\x89PNG"sv, {".png", ".png"}},
                                                   {"\xff\xd8\xff"sv, {".jpg", ".jpeg"}},
                                                   {"GIF8"sv, {".gif", ".gif"}},
                                                   {"BM"sv, {".bmp", ".dib"}},
                                                   {"II*\0"sv, {".tif", ".tiff"}},
                                                   {"MM\0*"sv, {".tif", ".tiff"}},
                                                   {"RIFF"sv, {".webp", ".webp"}},
                                                   {"\0\0\0\x0cjP"sv, {".jp2", ".jp2"}},
                                                   {"\xff\x4f\xff\x51"sv, {".j2k", ".jpc"}},
                                                   {"P1"sv, {".pbm", ".pnm"}},
                                                   {"P2"sv, {".pgm", ".pnm"}},
                                                   {"P3"sv, {".ppm", ".pnm"}},
                                                   {"P4"sv, {".pbm", ".pnm"}},
                                                   {"P5"sv, {".pgm", ".pnm"}},
                                                   {"P6"sv, {".ppm", ".pnm"}},
                                                   {"P7"sv, {".pam", ".pnm"}}}};

const Suffixes* suffixes_of(std::string_view start) {
  const auto* found =
      std::find_if(known_suffixes.begin(), known_suffixes.end(),
                   [&](const Suffixes& known) { return start.starts_with(known.magic); });
  return found == known_suffixes.end() ? nullptr : found;
}

void check_suffix(const fs::path& file, std::vector<Fault>& faults) {
  const std::string suffix = lower(file.extension().string());
  const Suffixes* known = suffixes_of(read_start(file, 8));
  if (known == nullptr || suffix == known->allowed[0] || suffix == known->allowed[1]) return;
  faults.push_back(
      {Severity::warning, "wrong-suffix", file.string(),
       concat("has the suffix ", suffix, ", but contents of the kind ", known->allowed[0]),
       "rename it; programs that trust the suffix will fail on it"});
}

void read_masks_of(const Case& item, CaseFacts& facts) {
  facts.masks_read = true;
  for (const ImageSource& source : item.masks) {
    try {
      const MaskPixels mask = read_mask(source);
      facts.use.add(use_of(mask, source.name()));
      facts.lossy |= mask.lossy;
    } catch (const Error& error) {
      facts.masks_read = false;
      facts.faults.push_back(unreadable("mask", source, error));
    }
  }
}

/// False when a mask does not have the image's size.
bool check_sizes(const Case& item, ImageSize size, CaseFacts& facts) {
  bool same = true;
  for (const ImageSource& source : item.masks) {
    const ImageSize own = read_image_size(source);
    if (own == size) continue;
    same = false;
    const bool turned = own.width == size.height && own.height == size.width;
    facts.faults.push_back(
        {Severity::error, turned ? "turned-mask" : "size-mismatch", source.name(),
         concat("the mask is ", own.width, " x ", own.height, ", its image ",
                item.images.front().name(), " is ", size.width, " x ", size.height),
         turned ? "turn the mask by a quarter; often the image's EXIF orientation was applied to "
                  "one of them alone"
                : "bring both to one size (masks with nearest neighbour); `--fix` does where the "
                  "shapes agree"});
  }
  return same;
}

/// Largest sample of a 16-bit image.
unsigned largest_sample(const Image& image) {
  unsigned largest = 0;
  for (std::size_t i = 0; i + 1 < image.bytes.size(); i += 2) {
    std::uint16_t sample = 0;
    std::copy_n(&image.bytes[i], 2, reinterpret_cast<unsigned char*>(&sample));
    largest = std::max<unsigned>(largest, sample);
  }
  return largest;
}

void check_image(const Case& item, const Image& image, CaseFacts& facts) {
  const std::string name = item.images.front().name();
  const auto warn = [&](const char* kind, const std::string& what, const char* remedy) {
    facts.faults.push_back({Severity::warning, kind, name, what, remedy});
  };
  constexpr std::int64_t least_side = 32;
  if (std::min(image.width, image.height) < least_side) {
    warn("small-image", concat("is ", image.width, " x ", image.height, " pixels"),
         "see whether it is a thumbnail; get the full image");
  }
  if (facts.print.blank) {
    warn("blank-image", "has one tone all over", "see whether it was exported rightly");
  }
  if (image.type == SampleType::u16 && !facts.print.blank) {
    // 65535 is white to every command here, so 12 bits in 16 are nearly black.
    constexpr unsigned dark = 8192;
    if (const unsigned largest = largest_sample(image); largest < dark) {
      warn("dark-16-bit", concat("has 16 bits per sample, the largest is ", largest, " of 65535"),
           "scale the samples to 0..65535, all images by the same factor");
    }
  }
}

/// Whether the image shows its own mask in all channels: somebody copied the wrong file. Its values
/// are cut at the middle of 0 to 1 where they lie there, or taken for marked where they are not 0,
/// because a mask of classes has small values.
bool shows_labels(const Image& image, const LabelMap& labels) {
  const auto range = float_range(image);
  bool at_middle = !range || (range->first >= 0 && range->second <= 1);
  bool not_zero = true;
  bool some = false;
  bool all = true;
  for (std::size_t i = 0; i < labels.labels.size() && (at_middle || not_zero); ++i) {
    const auto x = static_cast<std::int64_t>(i) % labels.width;
    const auto y = static_cast<std::int64_t>(i) / labels.width;
    const bool marked = labels.labels[i] != 0;
    for (std::int64_t c = 0; c < image.channels; ++c) {
      const float value = image.value(x, y, c);
      at_middle = at_middle && marked == (value > 0.5F);
      not_zero = not_zero && marked == (value != 0);
    }
    some = some || marked;
    all = all && marked;
  }
  return (at_middle || not_zero) && some && !all;
}

void check_labels(const Case& item, const Image& image, const LabelMap& labels, CaseFacts& facts) {
  const MaskShape& shape = *facts.shape;
  const std::string name = item.masks.front().name();
  const auto add = [&](Severity severity, const char* kind, const char* what, const char* remedy) {
    facts.faults.push_back({severity, kind, name, what, remedy});
  };
  if (is_full(shape)) {
    add(Severity::warning, "full-mask", "marks every pixel", "make sure that this is meant");
  }
  if (shows_labels(image, labels)) {
    add(Severity::error, "image-is-mask", "its image holds the same as the mask itself",
        "put the real image in its place");
  }
}

/// Whether each file of the case holds one image; else a file holds several.
bool holds_one_image_a_file(const Case& item) {
  return std::none_of(item.images.begin(), item.images.end(),
                      [](const ImageSource& one) { return one.is_part(); });
}

void examine_image(const Examination& all, const Case& item, CaseFacts& facts) {
  Image image;
  try {
    std::vector<std::string> hashes;
    image = holds_one_image_a_file(item) ? read_image(item, hashes) : read_image(item);
    facts.image_hash = image_contents(item, image, hashes);
    for (const fs::path& file : files_of(item)) check_suffix(file, facts.faults);
  } catch (const Error& error) {
    facts.faults.push_back(unreadable("image", item.images.front(), error));
    return;
  }
  facts.size = ImageSize{image.width, image.height};
  facts.channels = image.channels;
  facts.type = image.type;
  facts.floats = float_range(image);
  facts.print = fingerprint_of(image);
  check_image(item, image, facts);
  if (!facts.masks_read) return;
  try {
    if (!check_sizes(item, *facts.size, facts)) return;
    if (!all.meaning.encoding || facts.odd_encoding || facts.odd_value) return;
    const LabelMap labels = read_labels(all.dataset, item);
    facts.label_hash = sha256(as_text(std::span(labels.labels)));
    facts.shape = shape_of(labels);
    facts.class_pixels = class_pixels(labels, all.dataset.classes.size());
    check_labels(item, image, labels, facts);
  } catch (const MemoryError& error) {
    facts.faults.push_back(unreadable("mask", item.masks.front(), error));
  } catch (const Error& error) {
    const std::string name = item.masks.front().name();
    if (all.layout.pack) {
      facts.faults.push_back(unreadable("mask", item.masks.front(), error));
    } else {
      facts.faults.push_back({Severity::error, "unclear-labels", name, reason_of(error, name),
                              "correct the mask or the table of classes"});
    }
  }
}

}  // namespace

bool have_same_labels(const CaseFacts& a, const CaseFacts& b) {
  return !a.label_hash.empty() && a.label_hash == b.label_hash;
}

std::optional<std::string> suffix_of_contents(std::string_view start) {
  const Suffixes* known = suffixes_of(start);
  return known == nullptr ? std::nullopt : std::optional(std::string(known->allowed[0]));
}

std::string image_contents(const Case& item, const Image& image,
                           const std::vector<std::string>& hashes) {
  if (holds_one_image_a_file(item)) return sha256(join(hashes, ""));
  return sha256(concat(image.width, " ", image.height, " ", image.channels, " ") +
                sha256(as_text(std::span(image.bytes))));
}

std::vector<std::int64_t> class_pixels(const LabelMap& labels, std::size_t classes) {
  std::vector<std::int64_t> out(classes);
  for (const std::uint8_t label : labels.labels) {
    if (label < classes) ++out[label];
  }
  return out;
}

std::vector<std::string> notes_on(const Layout& layout) {
  std::vector<std::string> out;
  const auto count = [&](std::size_t some, const char* one, const char* many,
                         const std::string& first) {
    if (some == 0) return;
    out.push_back(concat(some, some == 1 ? one : many, " left out",
                         some == 1 ? ": " : ", the first ", first));
  };
  const auto name = [](const std::vector<fs::path>& files) {
    return files.empty() ? std::string() : files.front().string();
  };
  count(layout.images_alone.size(), " image without a mask is", " images without a mask are",
        name(layout.images_alone));
  count(layout.masks_alone.size(), " mask without an image is", " masks without an image are",
        name(layout.masks_alone));
  const auto& unread = layout.unread;
  count(unread.size(), " file of a kind that is not read is",
        " files of kinds that are not read are",
        unread.empty() ? "" : unread.front().file.string() + " " + unread.front().what);
  for (const FileNote& note : layout.notes) {
    out.push_back(concat(note.file.string(), ": ", note.what));
  }
  return out;
}

Examination examine_masks(const fs::path& root, const DatasetOptions& options, Listener& listener) {
  Examination out{
      .layout = find_layout(root, options.plane), .meaning = {}, .dataset = {}, .facts = {}};
  const std::vector<Case>& cases = out.layout.cases;
  out.facts.resize(cases.size());
  // What a pack holds was decided when it was made.
  if (out.layout.pack) {
    for (CaseFacts& facts : out.facts) facts.masks_read = true;
  } else {
    for_each_case(cases.size(), "reading masks", listener,
                  [&](std::size_t i) { read_masks_of(cases[i], out.facts[i]); });
  }
  if (!cases.empty()) out.meaning = agree_on_meaning(out.layout, options, out.facts);
  out.dataset = {.root = root,
                 .layout = out.layout.name,
                 .cases = cases,
                 .encoding = out.meaning.encoding.value_or(MaskEncoding::binary),
                 .classes = out.meaning.classes,
                 .ignored = out.layout.ignored,
                 .notes = notes_on(out.layout),
                 .plane = out.layout.plane};
  return out;
}

Examination examine(const fs::path& root, const DatasetOptions& options, Listener& listener) {
  Examination out = examine_masks(root, options, listener);
  out.images_read = true;
  const std::vector<Case>& cases = out.layout.cases;
  for_each_case(cases.size(), "reading images", listener,
                [&](std::size_t i) { examine_image(out, cases[i], out.facts[i]); });
  return out;
}

std::vector<CaseTraits> traits_of(const Examination& set) {
  std::vector<CaseTraits> out;
  out.reserve(set.facts.size());
  for (const CaseFacts& fact : set.facts) {
    out.push_back({fact.image_hash, fact.print, fact.class_pixels});
  }
  return out;
}

}  // namespace medurwkv::data
