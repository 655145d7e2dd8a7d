#include "data/layout/dataset.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/case_loop.h"
#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "core/text.h"
#include "data/codecs/own_windows.h"
#include "data/codecs/read.h"
#include "data/layout/class_file.h"
#include "data/layout/encoding.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// The channels of `a`, then those of `b`, of one size and type.
Image stacked(const Image& a, const Image& b) {
  Image out{.width = a.width,
            .height = a.height,
            .channels = a.channels + b.channels,
            .type = a.type,
            .bytes = {},
            .geometry = a.geometry,
            .extent = a.extent,
            .windows = a.windows};
  for (std::size_t i = 0; i < out.windows.size(); ++i) {
    const Windows& more = b.windows.at(i).channels;
    out.windows[i].channels.insert(out.windows[i].channels.end(), more.begin(), more.end());
  }
  const auto pixels = static_cast<std::size_t>(a.width * a.height);
  const std::size_t from_a = a.bytes.size() / pixels;
  const std::size_t from_b = b.bytes.size() / pixels;
  out.bytes.reserve(a.bytes.size() + b.bytes.size());
  for (std::size_t i = 0; i < pixels; ++i) {
    const auto append = [&](const Image& image, std::size_t step) {
      const auto at = image.bytes.begin() + static_cast<std::ptrdiff_t>(i * step);
      out.bytes.insert(out.bytes.end(), at, at + static_cast<std::ptrdiff_t>(step));
    };
    append(a, from_a);
    append(b, from_b);
  }
  return out;
}

/// A mask of the case. Never resized: throws Error naming both files when sizes differ.
MaskPixels read_mask_of(const Case& item, ImageSize size, const ImageSource& source) {
  MaskPixels mask = read_mask(source);
  if (mask.width != size.width || mask.height != size.height) {
    throw_failure(concat(source.name(), ": the mask is ", mask.width, " x ", mask.height,
                         ", its image ", item.images.front().name(), " is ", size.width, " x ",
                         size.height));
  }
  return mask;
}

/// Gives the pixels of the mask the one class of `source`. Throws Error for one that has a class.
void claim(LabelMap& out, const LabelMap& mask, const ImageSource& source) {
  for (std::size_t i = 0; i < out.labels.size(); ++i) {
    if (mask.labels[i] == 0) continue;
    if (out.labels[i] != 0) {
      const auto width = static_cast<std::size_t>(out.width);
      throw_failure(concat(source.name(), ": pixel ", i % width, ", ", i / width, " is of class ",
                           int{out.labels[i]}, " and of class ", int{source.class_index},
                           "; a pixel has one class"));
    }
    out.labels[i] = source.class_index;
  }
}

}  // namespace

std::string name_in_folder(const Case& item) {
  return item.id.starts_with(item.folder) ? item.id : item.folder + item.id;
}

DatasetOptions dataset_options(const std::string& encoding,
                               const std::vector<std::string>& class_names,
                               const fs::path& class_file) {
  if (!class_names.empty() && !class_file.empty()) {
    throw_usage("--class-names and --classes say the same; give one of them");
  }
  DatasetOptions out;
  if (!encoding.empty()) out.encoding = mask_encoding_from(encoding);
  if (!class_names.empty()) out.classes = make_classes(class_names.size(), class_names);
  if (!class_file.empty()) out.classes = read_class_file(class_file).classes;
  return out;
}

namespace {

/// Throws Error naming the file of channel `i` unless it fits to those before it.
void check_channel(const Case& item, std::size_t i, const ImageForm& first, const ImageForm& next) {
  if (next.size() == first.size() && next.type == first.type) return;
  throw_failure(concat(item.images[i].name(), ": is ", next.width, " x ", next.height,
                       ", the channel ", item.images.front().name(), " of the same case is ",
                       first.width, " x ", first.height,
                       "; channels are of one size and one type of sample"));
}

/// The images of the case, each as `read` gives it, stacked.
template <class Read>
Image stacked_images(const Case& item, const Read& read) {
  Image out = read(item.images.front());
  for (std::size_t i = 1; i < item.images.size(); ++i) {
    const Image next = read(item.images[i]);
    check_channel(item, i, form_of(out), form_of(next));
    out = stacked(out, next);
  }
  return out;
}

/// The channels of a case, a file each.
class StackedRows : public ImageRows {
 public:
  explicit StackedRows(std::vector<std::unique_ptr<ImageRows>> parts)
      : ImageRows(stacked_form(parts)), parts_(std::move(parts)) {}

  [[nodiscard]] std::int64_t memory(std::int64_t rows) const override {
    std::int64_t out = 2 * rows * form().row_bytes();
    for (const auto& part : parts_) out += part->memory(rows);
    return out;
  }

 private:
  static ImageForm stacked_form(const std::vector<std::unique_ptr<ImageRows>>& parts) {
    ImageForm out = parts.front()->form();
    for (std::size_t i = 1; i < parts.size(); ++i) out.channels += parts[i]->form().channels;
    return out;
  }

  Image read(std::int64_t /*first*/, std::int64_t count) override {
    Image out = parts_.front()->next(count);
    for (std::size_t i = 1; i < parts_.size(); ++i) out = stacked(out, parts_[i]->next(count));
    return out;
  }

  std::vector<std::unique_ptr<ImageRows>> parts_;
};

}  // namespace

Image read_image(const Case& item, const std::vector<OwnWindow>& wanted) {
  return stacked_images(item,
                        [&](const ImageSource& source) { return read_image(source, wanted); });
}

Image read_image(const Case& item, std::vector<std::string>& hashes,
                 const std::vector<OwnWindow>& wanted) {
  hashes.clear();
  return stacked_images(item, [&](const ImageSource& source) {
    HashedImage read = read_hashed(source);
    hashes.push_back(std::move(read.sha256));
    read.image.windows = find_windows(source, read.image, wanted);
    return std::move(read.image);
  });
}

std::unique_ptr<ImageRows> open_rows(const Case& item, const std::vector<OwnWindow>& wanted) {
  if (item.images.size() == 1) return open_rows(item.images.front(), wanted);
  std::vector<std::unique_ptr<ImageRows>> parts;
  for (std::size_t i = 0; i < item.images.size(); ++i) {
    parts.push_back(open_rows(item.images[i], wanted));
    check_channel(item, i, parts.front()->form(), parts.back()->form());
  }
  std::vector<FoundWindows> windows = parts.front()->windows();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    for (std::size_t k = 0; k < windows.size(); ++k) {
      const Windows& more = parts[i]->windows().at(k).channels;
      windows[k].channels.insert(windows[k].channels.end(), more.begin(), more.end());
    }
  }
  auto out = std::make_unique<StackedRows>(std::move(parts));
  out->set_windows(std::move(windows));
  return out;
}

ImageSize read_image_size(const Case& item) {
  return read_image_size(item.images.front());
}

std::vector<fs::path> files_of(const Case& item) {
  std::vector<fs::path> out;
  const auto add = [&](const ImageSource& source) {
    for (fs::path& file : source.files()) {
      if (std::find(out.begin(), out.end(), file) == out.end()) out.push_back(std::move(file));
    }
  };
  for (const ImageSource& source : item.images) add(source);
  for (const ImageSource& source : item.masks) add(source);
  if (item.field_of_view) add(*item.field_of_view);
  return out;
}

LabelMap read_labels(const Dataset& dataset, const Case& item) {
  if (const auto& store = item.images.front().store) return store->labels(item.id);
  const ImageSize size = read_image_size(item);
  LabelMap out{size.width, size.height, {}};
  out.labels.resize(static_cast<std::size_t>(size.width * size.height));
  for (const ImageSource& source : item.masks) {
    const MaskPixels mask = read_mask_of(item, size, source);
    LabelMap labels = labels_from(source.name(), dataset.encoding, mask, dataset.classes);
    if (dataset.ignored) {
      std::replace(labels.labels.begin(), labels.labels.end(), *dataset.ignored, ignore_label);
    }
    if (source.class_index > 0) {
      claim(out, labels, source);
      continue;
    }
    for (std::size_t i = 0; i < out.labels.size(); ++i) {
      out.labels[i] = std::max(out.labels[i], labels.labels[i]);
    }
  }
  for (const std::uint8_t label : out.labels) {
    if (label >= dataset.classes.size() && label != ignore_label) {
      throw_failure(concat(item.masks.front().name(), ": holds the value ", int{label},
                           ", the classes are 0 to ", dataset.classes.size() - 1));
    }
  }
  if (item.field_of_view) {
    const MaskPixels seen = read_mask_of(item, size, *item.field_of_view);
    for (std::size_t i = 0; i < out.labels.size(); ++i) {
      if (seen.values.at(i) == 0) out.labels[i] = ignore_label;
    }
  }
  return out;
}

std::vector<std::string> case_hashes(const Dataset& dataset) {
  // A file of many slices is read once.
  std::map<fs::path, std::string> of_file;
  for (const Case& item : dataset.cases) {
    if (!item.content.empty()) continue;
    for (fs::path& file : files_of(item)) of_file.emplace(std::move(file), "");
  }
  std::vector<std::pair<const fs::path, std::string>*> files;
  files.reserve(of_file.size());
  for (auto& entry : of_file) files.push_back(&entry);
  for_each_case(files.size(), "", silence(),
                [&](std::size_t i) { files[i]->second = sha256_file(files[i]->first); });
  std::vector<std::string> out;
  out.reserve(dataset.cases.size());
  for (const Case& item : dataset.cases) {
    if (!item.content.empty()) {
      out.push_back(item.content);
      continue;
    }
    std::string text;
    for (const fs::path& file : files_of(item)) text += of_file.at(file);
    out.push_back(sha256(text));
  }
  return out;
}

std::string content_hash(const Dataset& dataset) {
  const std::vector<std::string> hashes = case_hashes(dataset);
  std::string text;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    text += dataset.cases[i].id + "\n" + hashes[i] + "\n";
  }
  return sha256(text);
}

}  // namespace medurwkv::data
