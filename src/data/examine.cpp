#include "data/examine.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/case_loop.h"
#include "data/codecs.h"

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
  return {Severity::error, concat("unreadable-", role), file, reason,
          concat("replace the file, or remove it together with its ",
                 role == "image" ? "mask" : "image")};
}

struct Suffixes {
  std::string_view magic;
  std::array<std::string_view, 2> allowed;
};

using namespace std::string_view_literals;

/// Contents that other tools tell by the name alone.
constexpr std::array<Suffixes, 6> known_suffixes{{{"\x89PNG"sv, {".png", ".png"}},
                                                  {"\xff\xd8\xff"sv, {".jpg", ".jpeg"}},
                                                  {"GIF8"sv, {".gif", ".gif"}},
                                                  {"BM"sv, {".bmp", ".dib"}},
                                                  {"II*\0"sv, {".tif", ".tiff"}},
                                                  {"MM\0*"sv, {".tif", ".tiff"}}}};

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
  faults.push_back({Severity::warning, "wrong-suffix", file.string(),
                    concat("is named ", suffix, " and holds what is named ", known->allowed[0]),
                    "rename it; programs that go by the name will fail on it"});
}

void examine_masks(const Case& item, CaseFacts& facts) {
  facts.masks_read = true;
  std::string hashes;
  for (const ImageSource& source : item.masks) {
    try {
      const MaskPixels mask = read_mask(source);
      facts.use.add(use_of(mask));
      facts.lossy |= mask.lossy;
      hashes += sha256(as_text(std::span(mask.values))) + sha256(as_text(std::span(mask.colors)));
      hashes += std::to_string(source.class_index);
    } catch (const Error& error) {
      facts.masks_read = false;
      facts.faults.push_back(unreadable("mask", source, error));
    }
  }
  facts.mask_hash = sha256(hashes);
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

/// The image is its own mask: somebody copied the wrong file. Cut at the middle or above 0, as a
/// mask of classes has small values.
bool shows_labels(const Image& image, const LabelMap& labels) {
  bool at_middle = true;
  bool above_zero = true;
  bool some = false;
  bool all = true;
  for (std::size_t i = 0; i < labels.labels.size() && (at_middle || above_zero); ++i) {
    const auto x = static_cast<std::int64_t>(i) % labels.width;
    const auto y = static_cast<std::int64_t>(i) / labels.width;
    const bool marked = labels.labels[i] != 0;
    const float value = image.value(x, y, 0);
    at_middle = at_middle && marked == (value > 0.5F);
    above_zero = above_zero && marked == (value > 0);
    some = some || marked;
    all = all && marked;
  }
  return (at_middle || above_zero) && some && !all;
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

void examine_image(const Examination& all, const Case& item, CaseFacts& facts) {
  Image image;
  try {
    image = read_image(item);
    facts.image_hash = image_contents(item, image);
    for (const fs::path& file : files_of(item)) check_suffix(file, facts.faults);
  } catch (const Error& error) {
    facts.faults.push_back(unreadable("image", item.images.front(), error));
    return;
  }
  facts.size = ImageSize{image.width, image.height};
  facts.channels = image.channels;
  facts.type = image.type;
  facts.print = fingerprint_of(image);
  check_image(item, image, facts);
  if (!facts.masks_read) return;
  try {
    if (!check_sizes(item, *facts.size, facts)) return;
    if (!all.meaning.encoding || facts.odd_encoding) return;
    const LabelMap labels = read_labels(all.dataset, item);
    facts.shape = shape_of(labels);
    facts.class_pixels = class_pixels(labels, all.dataset.classes.size());
    check_labels(item, image, labels, facts);
  } catch (const Error& error) {
    const std::string name = item.masks.front().name();
    facts.faults.push_back({Severity::error, "unclear-labels", name, reason_of(error, name),
                            "correct the mask or the table of classes"});
  }
}

/// What all masks mean, or most.
struct Decision {
  Meaning meaning;
  bool by_majority = false;
};

/// Whether one case's masks can have been meant so. JPEG noise and soft edges are no other meaning.
bool fits(const Decision& decision, const CaseFacts& facts) {
  const MaskEncoding encoding = *decision.meaning.encoding;
  const MaskUse& use = facts.use;
  if (encoding == MaskEncoding::colors || encoding == MaskEncoding::instances) return true;
  if (use.color_files > 0) return false;
  if (encoding == MaskEncoding::palette) return true;
  std::int64_t all = 0;
  std::int64_t between = 0;
  std::size_t largest = 0;
  for (std::size_t value = 0; value < use.values.size(); ++value) {
    all += use.values[value];
    if (use.values[value] == 0) continue;
    if (value > 32 && value < 223) between += use.values[value];
    if (value < ignore_label) largest = std::max(largest, value);
  }
  const bool no_white = use.values[ignore_label] == 0;
  if (encoding == MaskEncoding::index) {
    return largest < decision.meaning.classes.size() && (no_white || !decision.by_majority);
  }
  if (use.palette_files > 0) return false;
  const bool indices = !facts.lossy && largest > 0 && largest <= 32 && no_white;
  return !indices && 100 * between <= 6 * all;
}

/// All black: fits every encoding.
bool holds_nothing(const MaskUse& use) {
  const auto nothing = [](const ValueUse& values) {
    return std::all_of(values.begin() + 1, values.end(), [](std::int64_t n) { return n == 0; });
  };
  return use.color_files == 0 && nothing(use.values) && nothing(use.indices);
}

/// What most masks mean: over all; or, where that is unclear, over those that share the commonest
/// meaning when at most a fifth does not.
Decision decide(const Layout& layout, const std::vector<CaseFacts>& facts,
                const DatasetOptions& options) {
  MaskUse all;
  for (const CaseFacts& fact : facts) all.add(fact.use);
  Meaning meaning = meaning_of(layout, all, options);
  if (meaning.encoding) return {meaning, false};
  std::map<MaskEncoding, std::int64_t> votes;
  std::int64_t voters = 0;
  const auto vote_of = [&](const CaseFacts& fact) -> std::optional<MaskEncoding> {
    return encoding_from_values(fact.use, options.classes);
  };
  for (const CaseFacts& fact : facts) {
    if (!fact.masks_read || holds_nothing(fact.use)) continue;
    ++voters;
    if (const auto vote = vote_of(fact)) ++votes[*vote];
  }
  const auto most = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == votes.end() || 5 * most->second < 4 * voters) return {meaning, false};
  MaskUse agreeing;
  for (const CaseFacts& fact : facts) {
    if (fact.masks_read && vote_of(fact) == most->first) agreeing.add(fact.use);
  }
  const Meaning majority = meaning_of(layout, agreeing, options);
  return majority.encoding ? Decision{majority, true} : Decision{meaning, false};
}

void mark_odd(const Layout& layout, const Decision& decision, std::vector<CaseFacts>& facts) {
  for (std::size_t i = 0; i < facts.size(); ++i) {
    CaseFacts& fact = facts[i];
    if (!fact.masks_read || fits(decision, fact)) continue;
    fact.odd_encoding = true;
    const auto own = encoding_from_values(fact.use);
    fact.faults.push_back(
        {Severity::error, "mixed-encoding", layout.cases[i].masks.front().name(),
         concat("the set's masks are ", to_string(*decision.meaning.encoding), ", this ",
                own ? concat("one is ", to_string(*own)) : std::string("one fits no encoding")),
         "bring all masks to one encoding"});
  }
}

}  // namespace

std::optional<std::string> suffix_of_contents(std::string_view start) {
  const Suffixes* known = suffixes_of(start);
  return known == nullptr ? std::nullopt : std::optional(std::string(known->allowed[0]));
}

std::string image_contents(const Case& item, const Image& image) {
  std::string out;
  for (const ImageSource& source : item.images) {
    if (!source.array.empty()) {
      return sha256(concat(image.width, " ", image.height, " ", image.channels, " ") +
                    sha256(as_text(std::span(image.bytes))));
    }
    out += sha256_file(source.file);
  }
  return sha256(out);
}

std::vector<std::int64_t> class_pixels(const LabelMap& labels, std::size_t classes) {
  std::vector<std::int64_t> out(classes);
  for (const std::uint8_t label : labels.labels) {
    if (label < classes) ++out[label];
  }
  return out;
}

Examination examine(const fs::path& root, const DatasetOptions& options, const StopSignal& stop,
                    bool quiet) {
  Examination out{.layout = find_layout(root), .meaning = {}, .dataset = {}, .facts = {}};
  const std::vector<Case>& cases = out.layout.cases;
  out.facts.resize(cases.size());
  for_each_case(cases.size(), "reading masks", quiet, stop,
                [&](std::size_t i) { examine_masks(cases[i], out.facts[i]); });
  Decision decision;
  if (!cases.empty()) decision = decide(out.layout, out.facts, options);
  out.meaning = decision.meaning;
  out.dataset.root = root;
  out.dataset.layout = out.layout.name;
  out.dataset.cases = cases;
  out.dataset.classes = out.meaning.classes;
  out.dataset.ignored = out.layout.ignored;
  if (out.meaning.encoding) {
    out.dataset.encoding = *out.meaning.encoding;
    // What a pack holds was decided when it was made.
    if (!out.layout.pack) mark_odd(out.layout, decision, out.facts);
  }
  for_each_case(cases.size(), "reading images", quiet, stop,
                [&](std::size_t i) { examine_image(out, cases[i], out.facts[i]); });
  return out;
}

}  // namespace medurwkv::data
