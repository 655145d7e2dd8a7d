#include "data/dataset.h"

#include <algorithm>
#include <array>
#include <exception>
#include <mutex>
#include <set>

#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "data/encoding.h"
#include "data/layout.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// Colours that stay apart for people who do not see red or green (Okabe and Ito 2008).
constexpr std::array<std::array<std::uint8_t, 3>, 7> class_colors{{{230, 159, 0},
                                                                   {86, 180, 233},
                                                                   {0, 158, 115},
                                                                   {240, 228, 66},
                                                                   {0, 114, 178},
                                                                   {213, 94, 0},
                                                                   {204, 121, 167}}};

/// Indices of classes are at most this when nobody says what the values mean.
constexpr std::size_t most_classes = 20;

}  // namespace

std::vector<ClassInfo> make_classes(std::size_t count, const std::vector<std::string>& names) {
  if (!names.empty() && names.size() != count) {
    throw_usage(concat(names.size(), " class names were given, the masks hold ", count,
                       " classes (background included)"));
  }
  if (!std::all_of(names.begin(), names.end(), is_utf8)) throw_usage("a class name is not UTF-8");
  std::vector<ClassInfo> out;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string standard = i == 0       ? std::string("background")
                                 : count == 2 ? std::string("foreground")
                                              : concat("class ", i);
    out.push_back({names.empty() ? standard : names[i],
                   i == 0 ? std::array<std::uint8_t, 3>{} : class_colors[(i - 1) % 7]});
  }
  return out;
}

ValueUse count_values(const std::vector<Case>& cases) {
  std::vector<ValueUse> uses(cases.size());
  std::vector<std::exception_ptr> errors(cases.size());
  parallel_for(static_cast<std::int64_t>(cases.size()), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        for (const fs::path& mask : cases[i].masks) {
          for (const std::uint8_t value : read_mask_values(mask).values) ++uses[i][value];
        }
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  });
  ValueUse sum{};
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (errors[i]) std::rethrow_exception(errors[i]);
    for (std::size_t value = 0; value < sum.size(); ++value) sum[value] += uses[i][value];
  }
  return sum;
}

bool indices_beside_255(const ValueUse& use) {
  const auto used = [&](std::size_t from, std::size_t to) {
    return std::any_of(use.begin() + static_cast<std::ptrdiff_t>(from),
                       use.begin() + static_cast<std::ptrdiff_t>(to),
                       [](std::int64_t pixels) { return pixels > 0; });
  };
  return use[ignore_label] > 0 && used(1, most_classes + 1) && !used(most_classes + 1, 255);
}

const char* unclear_reason(const ValueUse& use) {
  return indices_beside_255(use)
             ? "the masks hold both small class indices and 255, which may mean 'ignore' (index) "
               "or foreground (binary)"
             : "the masks' values are neither 0 and 255 nor small class indices";
}

std::optional<MaskEncoding> encoding_from_values(const ValueUse& use) {
  std::size_t largest = 0;
  std::int64_t all = 0;
  std::int64_t between = 0;
  for (std::size_t value = 0; value < use.size(); ++value) {
    if (use[value] == 0) continue;
    largest = value;
    all += use[value];
    if (value > 32 && value < 223) between += use[value];
  }
  if (indices_beside_255(use)) return std::nullopt;
  if (largest == 0) return MaskEncoding::binary;  // all empty: the commonest meaning
  if (largest <= most_classes) return MaskEncoding::index;
  // JPEG noise lies near 0 and 255; resized masks have a few soft edges.
  if (largest >= 223 && static_cast<double>(between) <= 0.06 * static_cast<double>(all)) {
    return MaskEncoding::binary;
  }
  return std::nullopt;
}

std::size_t class_count(MaskEncoding encoding, const ValueUse& use) {
  if (encoding == MaskEncoding::binary) return 2;
  std::size_t largest = 1;
  for (std::size_t value = 0; value < ignore_label; ++value) {
    if (use[value] > 0) largest = std::max(largest, value);
  }
  return largest + 1;
}

const char* to_string(MaskEncoding encoding) {
  return encoding == MaskEncoding::binary ? "binary" : "index";
}

MaskEncoding mask_encoding_from(const std::string& name) {
  if (name == "binary") return MaskEncoding::binary;
  if (name == "index") return MaskEncoding::index;
  throw_usage(concat("mask encoding '", name, "' is not known; known: binary, index"));
}

LabelMap labels_from(MaskEncoding encoding, const MaskValues& values) {
  LabelMap out{values.width, values.height, values.values};
  if (encoding == MaskEncoding::binary) {
    for (std::uint8_t& label : out.labels) label = label > 127 ? 1 : 0;
  }
  return out;
}

Dataset open_dataset(const fs::path& root, const DatasetOptions& options) {
  Layout layout = find_layout(root);
  if (layout.cases.empty()) {
    throw_failure(concat(root.string(), ": no image with a mask was found (",
                         layout.images_alone.size(), " images, ", layout.masks_alone.size(),
                         " masks without a partner); expected images/ and masks/ with the same "
                         "names, or NAME and NAME_mask side by side"));
  }
  Dataset out{.root = root, .cases = std::move(layout.cases), .classes = {}};
  const ValueUse use = count_values(out.cases);
  const auto encoding = options.encoding ? options.encoding : encoding_from_values(use);
  if (!encoding) {
    throw_failure(concat(root.string(), ": ", unclear_reason(use),
                         "; say which with --mask-encoding binary (cut at 127 / 128) or "
                         "--mask-encoding index"));
  }
  out.encoding = *encoding;
  out.classes = make_classes(class_count(*encoding, use), options.class_names);
  return out;
}

std::vector<fs::path> list_images(const fs::path& root) {
  if (!fs::is_directory(root)) return {root};
  std::vector<fs::path> out = list_files(root);
  std::erase_if(out, [](const fs::path& path) { return !has_image_suffix(path); });
  return out;
}

LabelMap read_labels(const Dataset& dataset, const Case& item) {
  const ImageSize size = read_image_size(item.image);
  LabelMap out;
  for (const fs::path& path : item.masks) {
    const MaskValues values = read_mask_values(path);
    if (values.width != size.width || values.height != size.height) {
      throw_failure(concat(path.string(), ": the mask is ", values.width, " x ", values.height,
                           ", its image ", item.image.string(), " is ", size.width, " x ",
                           size.height));
    }
    const LabelMap labels = labels_from(dataset.encoding, values);
    if (out.labels.empty()) {
      out = labels;
      continue;
    }
    for (std::size_t i = 0; i < out.labels.size(); ++i) {
      out.labels[i] = std::max(out.labels[i], labels.labels[i]);
    }
  }
  for (const std::uint8_t label : out.labels) {
    if (label >= dataset.classes.size() && label != ignore_label) {
      throw_failure(concat(item.masks.front().string(), ": holds the value ",
                           static_cast<int>(label), ", the set has ", dataset.classes.size(),
                           " classes"));
    }
  }
  return out;
}

}  // namespace medurwkv::data
